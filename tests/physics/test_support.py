import pytest
import torch

from spi_lightning.physics.support import own_parts


def middle_and_lobe(ndim: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A middle of 3 pixels an edge, and a lobe of 2 an edge apart from it; (1, ...)."""
    middle, lobe = torch.zeros(2, 1, *(24,) * ndim, dtype=torch.bool)
    middle[0][(slice(11, 14),) * ndim] = True
    lobe[0][(slice(3, 5),) * ndim] = True
    return middle, lobe


@pytest.mark.parametrize("ndim", [2, 3])
def test_by_default_only_what_hangs_together_with_the_origin_is_kept(ndim: int) -> None:
    middle, lobe = middle_and_lobe(ndim)
    assert torch.equal(own_parts(middle | lobe, ndim), middle)
    middle[0][(14,) * ndim] = True  # touches by its corner
    assert torch.equal(own_parts(middle | lobe, ndim), middle)


@pytest.mark.parametrize("ndim", [2, 3])
def test_side_lobes_are_kept_and_specks_are_not(ndim: int) -> None:
    middle, lobe = middle_and_lobe(ndim)
    speck = torch.zeros_like(middle)
    speck[0][(20,) * ndim] = True
    whole, size = middle | lobe | speck, 2**ndim
    assert torch.equal(own_parts(whole, ndim, smallest=size), middle | lobe)
    assert torch.equal(own_parts(whole, ndim, smallest=size + 1), middle)
    assert torch.equal(own_parts(whole, ndim, smallest=1, share=size / 3**ndim), middle | lobe)
    assert torch.equal(own_parts(whole, ndim, smallest=1, share=1.01 * size / 3**ndim), middle)


def test_each_image_is_judged_by_itself() -> None:
    middle, lobe = middle_and_lobe(2)
    stack = torch.stack([middle, lobe, middle | lobe])  # (3, 1, 24, 24); parts that overlap from image to image
    alone = torch.stack([own_parts(image, 2, 4, 0.3) for image in stack])
    assert torch.equal(own_parts(stack, 2, 4, 0.3), alone)
    assert not own_parts(lobe).any()  # w = 0 is not inside
    assert own_parts(stack[:0]).shape == (0, 1, 24, 24)
