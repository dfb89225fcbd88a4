"""Detector mask alone: from any file of patterns that has one, or a mask array in HDF5, TIFF or npy."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from scipy.ndimage import find_objects, label
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.io.input_window import stated_beam
from spi_lightning.io.patterns.assembly import StoredMasks, add_mask
from spi_lightning.io.patterns.open_patterns import open_patterns
from spi_lightning.io.patterns.pattern_file import Mask, PatternFile, PatternKeys
from spi_lightning.io.patterns.side_files import read_side_file
from spi_lightning.physics.array import crop_about

_GAP: Final = 0.2  # share of a row or column below which it is a gap
_LEAST_HOLE: Final = 9  # pixels
_log = logging.getLogger(__name__)


def load_mask(
    path: str,
    photons: str | None = None,
    mask: str | None = None,
    mask_convention: str = "auto",
    bin: int = 1,
    crop: int | None = None,
    beam_centre: Sequence[float] | None = None,
) -> Tensor:
    """Read the mask of a file of patterns, or a file that holds a mask alone, for the detector of a simulation.

    Simulated beams are in the middle of the frame. A note is logged where the mask has its hole beside it.

    Args:
        path: File of patterns in any format that open_patterns reads, in photons or detector units; or a mask (H, W)
            as text, .npy, TIFF or HDF5.
        photons, mask: Keys of the patterns and of the mask, where the format needs them.
        mask_convention: auto, cxi, nexus, euxfel, good, bad or dragonfly.
        bin: Detector pixels per simulated pixel along each axis; one bad pixel makes its bin bad.
        crop: Edge of the square that is cut out about the beam, pixel, as networks cut frames; None: the whole mask.
        beam_centre: Row and column of the beam, pixel; None: as the file says, else the middle.

    Returns:
        (H // bin, W // bin) bool, True where measured.

    Raises:
        UserError: The file has no mask, one mask per frame, or a shape that ``bin`` does not divide; or as
            open_patterns.
    """
    keys, beam = PatternKeys(photons=photons, mask=mask), beam_centre
    try:
        patterns = open_patterns(path, keys, mask_convention, check=False)
        measured, beam = patterns.mask, stated_beam(patterns) if beam is None else beam
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
    if crop is not None:
        measured = crop_about(torch.from_numpy(measured), crop, beam).numpy()
    elif (hole := _hole_beside_the_middle(measured)) is not None:
        row, column = hole
        _log.warning(
            f"{path}: the hole of the mask is about row {row:.1f}, column {column:.1f}, beside the middle, where "
            f"simulated beams are: add crop: EDGE, beam_centre: [{row:.1f},{column:.1f}] to the settings of the mask"
        )
    if any(length % bin for length in measured.shape):
        raise UserError(f"{path}: mask of {measured.shape} pixel cannot be binned by {bin}; choose a divisor")
    rows, columns = (length // bin for length in measured.shape)
    return torch.from_numpy(measured.reshape(rows, bin, columns, bin).all(axis=(1, 3)))


def _hole_beside_the_middle(measured: Mask) -> tuple[float, float] | None:
    """Row and column of the largest hole in the inner half of a mask (H, W) without gaps; None if it holds the middle.

    Rows and columns of which less than a fifth was measured are gaps between modules.
    """
    height, width = measured.shape
    open_rows, open_columns = measured.mean(1, keepdims=True) > _GAP, measured.mean(0, keepdims=True) > _GAP
    labels, _ = label(~measured & open_rows & open_columns)
    inner = [
        (labels == number + 1).nonzero()
        for number, part in enumerate(find_objects(labels))
        if all(n / 4 <= where.start and where.stop <= 3 * n / 4 for n, where in zip((height, width), part, strict=True))
    ]
    rows, columns = max(inner, key=lambda found: len(found[0]), default=(np.empty(0), np.empty(0)))
    if len(rows) < _LEAST_HOLE:
        return None
    middle = (height - 1) / 2, (width - 1) / 2
    inside = all(at.min() - 1 <= n <= at.max() + 1 for at, n in zip((rows, columns), middle, strict=True))
    return None if inside else (float(rows.mean()), float(columns.mean()))


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
    _log.info(str(file.notes[-1]).partition(";")[0])
    return file.shared_mask
