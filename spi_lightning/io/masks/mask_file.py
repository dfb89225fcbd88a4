"""Detector mask alone: from any file of patterns that has one, or a mask array in HDF5, TIFF or npy."""

import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.io.patterns.assembly import StoredMasks, add_mask
from spi_lightning.io.patterns.open_patterns import open_patterns
from spi_lightning.io.patterns.pattern_file import Mask, PatternFile, PatternKeys
from spi_lightning.io.patterns.side_files import read_side_file


def load_mask(
    path: str, photons: str | None = None, mask: str | None = None, mask_convention: str = "auto", bin: int = 1
) -> Tensor:
    """Read the mask of a file of patterns, or a file that holds a mask alone, for the detector of a simulation.

    Args:
        path: File of patterns in any format that open_patterns reads, in photons or detector units; or a mask (H, W)
            as text, .npy, TIFF or HDF5.
        photons, mask: Keys of the patterns and of the mask, where the format needs them.
        mask_convention: auto, cxi, nexus, euxfel, good, bad or dragonfly.
        bin: Detector pixels per simulated pixel along each axis; one bad pixel makes its bin bad.

    Returns:
        (H // bin, W // bin) bool, True where measured.

    Raises:
        UserError: The file has no mask, one mask per frame, or a shape that ``bin`` does not divide; or as
            open_patterns.
    """
    keys = PatternKeys(photons=photons, mask=mask)
    try:
        patterns = open_patterns(path, keys, mask_convention, check=False)
        measured = patterns.mask
        if measured is None and len(patterns) == 1 and keys == PatternKeys():
            measured = _mask_alone(Path(path), mask_convention)
    except UserError:
        measured = _mask_alone(Path(path), mask_convention) if keys == PatternKeys() else None
        if measured is None:
            raise
    if measured is None:
        raise UserError(f"{path}: no mask found; name its key with simulate.bad_pixels.fixed.mask=KEY")
    if measured.ndim != 2:
        raise UserError(f"{path}: holds one mask per frame; a simulated detector takes one (H, W) mask")
    if any(length % bin for length in measured.shape):
        raise UserError(f"{path}: mask of {measured.shape} pixel cannot be binned by {bin}; choose a divisor")
    rows, columns = (length // bin for length in measured.shape)
    return torch.from_numpy(measured.reshape(rows, bin, columns, bin).all(axis=(1, 3)))


def _mask_alone(path: Path, convention: str) -> Mask | None:
    """Mask (H, W) bool of a file without patterns, True where measured; None if it has more than two values."""
    try:
        values = read_side_file(path, (2,), "path")
    except UserError:
        return None
    if len(np.unique(values)) > 2:
        return None
    file = PatternFile(path, "mask", StoredMasks(np.ones((1, *values.shape), np.uint8)))
    add_mask(file, values, convention, str(path))
    logging.getLogger(__name__).info(str(file.notes[-1]).partition(";")[0])
    return file.shared_mask
