"""A detector mask by itself: from any file of patterns that has one, or a mask array in HDF5, TIFF or npy."""

import torch
from torch import Tensor

from spi_lightning.fields import UserError
from spi_lightning.io.opening import open_patterns
from spi_lightning.io.pattern_file import PatternKeys


def load_mask(
    path: str, photons: str | None = None, mask: str | None = None, mask_convention: str = "auto", bin: int = 1
) -> Tensor:
    """Read the mask of a file of patterns, so that simulations have the gaps of a real detector.

    Args:
        path: File of patterns, any format open_patterns reads, in photons or detector units.
        photons, mask: Keys of the patterns and of the mask, where the format needs them.
        mask_convention: auto, cxi, good, bad or dragonfly.
        bin: Detector pixels per simulated pixel, along each axis; one bad pixel makes its bin bad.

    Returns:
        (H // bin, W // bin) bool, True where measured.

    Raises:
        UserError: the file has no mask, one mask per frame, or a shape that ``bin`` does not divide; or what
            open_patterns raises.
    """
    measured = open_patterns(path, PatternKeys(photons=photons, mask=mask), mask_convention, check=False).mask
    if measured is None:
        raise UserError(f"{path}: no mask found; name its key with simulate.bad_pixels.fixed.mask=KEY")
    if measured.ndim != 2:
        raise UserError(f"{path}: holds one mask per frame; a simulated detector takes one (H, W) mask")
    if any(length % bin for length in measured.shape):
        raise UserError(f"{path}: mask of {measured.shape} pixel cannot be binned by {bin}; choose a divisor")
    rows, columns = (length // bin for length in measured.shape)
    return torch.from_numpy(measured.reshape(rows, bin, columns, bin).all(axis=(1, 3)))
