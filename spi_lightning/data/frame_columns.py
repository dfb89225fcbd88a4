"""What each frame shows without any network: photons, hit finder, beam centre and size of the particle."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.data.read_ahead import Piece, read_ahead
from spi_lightning.errors import UserError
from spi_lightning.fields import (
    BEAM_CENTRE,
    BEAM_COLUMN,
    BEAM_ROW,
    DIAMETER_NM,
    DISTANCE,
    FRAME_PHOTONS,
    IS_HIT,
    LIT_EXCESS,
    LIT_PIXELS,
    PHOTON_ENERGY,
    PHOTON_EXCESS,
    PIXEL_SIZE,
    SPHERE_QUALITY,
    SYMMETRY,
)
from spi_lightning.io import PatternFile
from spi_lightning.physics.constants import PLANCK_SPEED_OF_LIGHT_EV_M
from spi_lightning.physics.frames.beam_centre import find_beam_centre
from spi_lightning.physics.frames.hit_finding import find_hits
from spi_lightning.physics.frames.sphere_fit import fit_sphere

LEAST_SYMMETRY = 0.3
LEAST_QUALITY = 0.8
_BYTES_AT_ONCE = 8 << 20  # of photons; beam centre and hits take about 15 times as much


def measure_frames(
    patterns: PatternFile, device: torch.device | str = "cpu", hit_threshold: float = 5.0
) -> dict[str, NDArray[Any]]:
    """Measure every frame of a file; about 100 frames of 128 x 128 pixels a second on a processor core.

    Args:
        patterns: File of N frames.
        device: Where it is measured.
        hit_threshold: A frame ``is_hit`` where photon_excess and lit_excess both lie above; standard deviations.

    Returns:
        Columns (N,): ``photons`` and ``lit_pixels`` in the measured pixels, ``photon_excess`` and ``lit_excess`` over
        the frame's own background (standard deviations), ``is_hit`` (bool), ``beam_row`` and ``beam_column`` (pixel,
        by inversion symmetry) with their ``symmetry``, and, if the geometry is known, ``diameter_nm`` and
        ``sphere_quality``. A centre of symmetry below 0.3 and a diameter of quality below 0.8 are NaN.
    """
    geometry = _Geometry(patterns)
    if not hit_threshold > 0:
        raise UserError(f"hits.threshold={hit_threshold} must be a positive number of standard deviations")
    measured = [
        _measure(part, geometry, device, hit_threshold)
        for piece in read_ahead(patterns, title="hits, centres and sizes")
        for part in piece.parts(_BYTES_AT_ONCE)
    ]
    return {name: np.concatenate([columns[name] for columns in measured]) for name in measured[0]}


class _Geometry:
    """Beam centre to search around, and the scale of reciprocal space where it is known."""

    def __init__(self, patterns: PatternFile) -> None:
        count, height, width = patterns.shape
        middle = np.array([(height - 1) / 2, (width - 1) / 2])
        centre = np.asarray(patterns.geometry.get(BEAM_CENTRE, middle), dtype=np.float64)
        self.centre = np.broadcast_to(np.where(np.isfinite(centre).all(-1, keepdims=True), centre, middle), (count, 2))
        self.median: tuple[float, float, float] | None = None
        if all(name in patterns.geometry for name in (DISTANCE, PIXEL_SIZE, PHOTON_ENERGY)):
            each = [np.broadcast_to(patterns.geometry[n], count) for n in (DISTANCE, PIXEL_SIZE, PHOTON_ENERGY)]
            distance, pixel_size, length = each[0], each[1], PLANCK_SPEED_OF_LIGHT_EV_M / each[2]
            self.median = (float(np.median(distance)), float(np.median(pixel_size)), float(np.median(length)))
            self.metre_per_pixel = distance * length / pixel_size


def _measure(
    piece: Piece, geometry: _Geometry, device: torch.device | str, hit_threshold: float
) -> dict[str, NDArray[Any]]:
    photons, mask = torch.from_numpy(piece.photons).to(device), torch.from_numpy(np.array(piece.mask)).to(device)
    guess = torch.from_numpy(geometry.centre[piece.frame]).float().to(device)
    found = find_beam_centre(photons, mask, guess)
    sure = found.symmetry >= LEAST_SYMMETRY
    shared = guess[0] if bool((guess == guess[0]).all()) else guess  # whose outer pixels are sorted once
    hits = find_hits(photons, mask, beam_centre=shared, threshold=hit_threshold)
    columns: dict[str, Tensor] = {
        FRAME_PHOTONS: hits.photon_count,
        LIT_PIXELS: hits.lit_pixels,
        PHOTON_EXCESS: hits.photon_excess,
        LIT_EXCESS: hits.lit_excess,
        IS_HIT: hits.is_hit,
        BEAM_ROW: torch.where(sure, found.centre[:, 0], torch.nan),
        BEAM_COLUMN: torch.where(sure, found.centre[:, 1], torch.nan),
        SYMMETRY: found.symmetry,
    }
    if geometry.median is not None:
        centre = torch.where(sure[:, None], found.centre, guess)
        sphere = fit_sphere(photons, mask, centre, *geometry.median)
        distance, pixel_size, length = geometry.median
        # Rings fix the diameter in units of 1 / q, so a frame's own geometry only rescales it (small angles).
        scale = torch.from_numpy(geometry.metre_per_pixel[piece.frame] / (distance * length / pixel_size)).to(device)
        diameter = (1e9 * sphere.diameter * scale).float()
        columns[DIAMETER_NM] = torch.where(sphere.quality >= LEAST_QUALITY, diameter, torch.nan)
        columns[SPHERE_QUALITY] = sphere.quality
    return {name: values.cpu().numpy() for name, values in columns.items()}
