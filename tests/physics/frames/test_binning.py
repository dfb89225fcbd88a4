import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.physics.frames.binning import bin_pixels, centre_crop


def test_crop_keeps_the_centre_pixel_in_the_centre() -> None:
    pattern = torch.zeros(1, 1, 17, 16)
    pattern[..., 8, 8] = 1
    assert centre_crop(pattern, 10)[0, 0, 5, 5] == 1
    with pytest.raises(UserError, match=r"crop=20.*17 x 16"):
        centre_crop(pattern, 20)


def test_binning_sums_and_makes_up_for_masked_pixels() -> None:
    mask = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    flat = torch.full((1, 1, 4, 4), 3.0)
    assert (bin_pixels(flat, mask, 2)[0] == 12).all()
    mask[..., 0, :] = False  # half of the upper squares
    mask[..., 2:, 2:] = False  # one whole square
    photons, measured = bin_pixels(flat * mask, mask, 2)
    assert photons[0, 0].tolist() == [[12, 12], [12, 0]]
    assert measured[0, 0].tolist() == [[True, True], [True, False]]
    with pytest.raises(UserError, match="does not divide"):
        bin_pixels(flat, mask, 3)
