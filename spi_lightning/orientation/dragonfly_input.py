"""Patterns, detector, first guess and settings of any file of patterns, written as Dragonfly reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.files import atomic_write
from spi_lightning.io import PatternFile, make_detector, write_detector, write_emc
from spi_lightning.io.dragonfly.detector import Detector
from spi_lightning.write_errors import new_hdf5

from .settings import FirstGuess, Rings
from .window import Window

PHOTONS, DETECTOR, START, CONFIG = "photons.emc", "detector.h5", "start.h5", "config.ini"
OUTPUT, LOG = "data", "EMC.log"
_RIM: Final = 3  # pixels beyond the outer ring that are merged, so that slices never end inside the ring


@dataclass(frozen=True)
class DragonflyInput:
    """What was written for Dragonfly.

    Attributes:
        patterns: Number of patterns that were written.
        detector: Geometry and classes: 0 orientations are judged by it, 1 merged only, 2 left out.
        inner, outer: Radii between which orientations are judged, binned pixels.
        size: Number of voxels along an edge of the merged intensity.
        photons: Mean number of photons of a pattern between the radii.
    """

    patterns: int
    detector: Detector
    inner: float
    outer: float
    size: int
    photons: float


def write_input(
    folder: Path,
    patterns: PatternFile,
    window: Window,
    rings: Rings,
    emc: Mapping[str, Any],
    start: FirstGuess,
) -> DragonflyInput:
    """Write photons.emc, detector.h5, start.h5 and config.ini into a folder.

    Args:
        folder: Folder for the files, made if it is not there.
        patterns, window: File to read, and the square of it that is used.
        rings: Radii between which pixels judge orientations.
        emc: Further lines of Dragonfly's section [emc].
        start: Random share of the first guess, and its seed.

    Raises:
        UserError: No measured pixels or photons between the radii, or what the writers raise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    full = window.bin**2
    total, used = np.zeros(1), None
    for photons, mask in _pieces(patterns, window):
        total = total + photons.sum(axis=0, dtype=np.float64)
        measured = (mask == full).all(axis=0)
        used = measured if used is None else used & measured
    assert used is not None
    detector = make_detector(used.shape, window.distance, window.beam_centre, used)
    mean, radius = total / len(patterns), _radius(detector)
    inner, outer = _radii(mean, used, radius, rings)
    classes = detector.classes.copy()
    classes[used & ((radius < inner) | (radius > outer))] = 1
    classes[radius > outer + _RIM] = 2
    detector = replace(detector, classes=classes)
    judged = float(mean[classes == 0].sum())
    if judged <= 0:
        raise UserError(
            f"{patterns.path}: no photons between rings.inner={inner:.3g} and rings.outer={outer:.3g} pixels"
        )
    write_detector(folder / DETECTOR, detector)
    keep = classes < 2
    write_emc(folder / PHOTONS, (photons * keep for photons, _ in _pieces(patterns, window)))
    size = model_size(detector)
    write_start(folder / START, first_guess(mean, detector, size, start.noise, start.seed))
    lines: dict[str, Any] = {"in_photons_file": PHOTONS, "in_detector_file": DETECTOR, "start_model_file": START}
    lines |= {"output_folder": f"{OUTPUT}/", "log_file": LOG, "save_prob": 1, "verbosity": 1, **emc}
    with atomic_write(folder / CONFIG) as part:
        text = "".join(f"{name} = {value}\n" for name, value in lines.items())
        part.write_text(f"[emc]\n{text}", encoding="utf-8")
    return DragonflyInput(len(patterns), detector, inner, outer, size, judged)


def _pieces(patterns: PatternFile, window: Window) -> Iterator[tuple[NDArray[np.float32], NDArray[Any]]]:
    """Photons and measured pixels in each square, (n, h, w) each."""
    at_once = patterns.frames_at_once()
    for start in range(0, len(patterns), at_once):
        frames = np.arange(start, min(start + at_once, len(patterns)))
        yield window.cut(patterns.read(frames)), window.cut(patterns.read_mask(frames))


def _radius(detector: Detector) -> NDArray[np.float64]:
    row, column = np.indices(detector.shape)
    return np.asarray(np.hypot(row - detector.beam_centre[0], column - detector.beam_centre[1]))


def _radii(
    mean: NDArray[np.float64], used: NDArray[np.bool_], radius: NDArray[np.float64], rings: Rings
) -> tuple[float, float]:
    """Inner and outer radius, binned pixels, found in the mean pattern (h, w) where they are not stated."""
    inner, outer = rings.inner, rings.outer
    if outer is None:
        outer = min(mean.shape) / 2 - _RIM
    if inner is None:
        ring = radius.round().astype(np.int64)
        profile = np.bincount(ring[used], mean[used]) / np.maximum(np.bincount(ring[used]), 1)
        measured = np.flatnonzero(np.bincount(ring[used]))
        faint = [int(r) for r in measured if r >= profile.argmax() and profile[r] < profile.max() / 10]
        inner = float(min(faint[0] if faint else 0, outer / 2))
    if not 0 <= inner < outer:
        raise UserError(f"rings.inner={inner:.3g} must lie below rings.outer={outer:.3g} (binned pixels)")
    return float(inner), float(outer)


def model_size(detector: Detector) -> int:
    """Edge of the merged intensity in voxels, as Dragonfly computes it: 2 ceil(q_max) + 3."""
    return int(2 * np.ceil(np.linalg.norm(detector.q, axis=-1).max()) + 3)


def first_guess(
    mean: NDArray[np.float64], detector: Detector, size: int, noise: float, seed: int
) -> NDArray[np.float64]:
    """The mean pattern's radial profile turned into a volume, times 1 + noise * uniform(-1, 1).

    Dragonfly's own first guess is white noise, in which all bright patterns prefer the same few orientations; from a
    profile that suits all orientations alike, patterns choose by their own features.

    Args:
        mean: (h, w) mean photons of a pattern in each pixel.
        detector: Geometry and classes of these pixels.
        size: Number of voxels along an edge.
        noise: Share of the values that is random.
        seed: Seed of that random share.

    Returns:
        (size, size, size) photons per pixel, positive.
    """
    used = detector.classes < 2
    q = np.linalg.norm(detector.q, axis=-1)[used]
    bins = np.rint(2 * q).astype(np.int64)
    pixels = np.bincount(bins)
    value = np.bincount(bins, (mean / (detector.correction / detector.correction.mean()))[used])
    measured = np.flatnonzero(pixels)
    floor = 1e-3 * value.sum() / pixels.sum()
    profile = np.log(np.maximum(value[measured] / pixels[measured], floor))
    axis = np.arange(size) - size // 2
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    guess = np.exp(np.interp(radius, measured / 2, profile))
    return np.asarray(guess * (1 + noise * np.random.default_rng(seed).uniform(-1, 1, guess.shape)))


def write_start(path: Path, guess: NDArray[np.float64]) -> None:
    """Write a first guess as Dragonfly's start_model_file."""
    with atomic_write(path) as part, new_hdf5(part) as file:
        file["intens"] = guess[None]
