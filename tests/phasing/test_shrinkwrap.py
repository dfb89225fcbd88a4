import pytest
import torch
from scipy.ndimage import gaussian_filter

from spi_lightning.phasing.recipe_parts import Shrinkwrap
from spi_lightning.phasing.shrinkwrap import blurred, sigma_now, support_level


def new_support(image: torch.Tensor, wrap: Shrinkwrap, uses: int) -> torch.Tensor:
    smooth = blurred(image, sigma_now(wrap, uses), 2)
    return smooth > support_level(smooth, wrap, 2)


@pytest.mark.parametrize("shape", [(40,), (32, 27), (16, 17, 18)])
def test_blur_is_a_periodic_gaussian(shape: tuple[int, ...]) -> None:
    image = torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = gaussian_filter(image.numpy(), 1.5, mode="wrap", truncate=8)
    torch.testing.assert_close(blurred(image[None], 1.5, len(shape))[0], torch.from_numpy(expected), atol=1e-5, rtol=0)
    assert blurred(image, 0, len(shape)) is image


def test_threshold_and_area() -> None:
    image = torch.zeros(2, 16, 16)
    image[0, 4:8, 4:8] = torch.arange(1.0, 17.0).view(4, 4)
    image[1, 2, 2] = 1
    assert new_support(image, Shrinkwrap(0, 0.5), 0).sum((1, 2)).tolist() == [8, 1]
    assert new_support(image, Shrinkwrap(0, 0.5, area=5 / 256), 0)[0].sum() == 5


def test_sigma_shrinks_down_to_its_last_value() -> None:
    spike = torch.zeros(1, 64, 64)
    spike[0, 32, 32] = 1
    wrap = Shrinkwrap(4.0, 0.2, decay=0.5, last_sigma=1.0)
    sizes = [int(new_support(spike, wrap, uses).sum()) for uses in range(5)]
    assert sizes[0] > 2 * sizes[1] > 4 * sizes[2]
    assert sizes[2] == sizes[3] == sizes[4]
