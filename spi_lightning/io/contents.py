"""Contents of a pattern file in numbers: photon statistics, reach of the detector, and whether values are counts."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from spi_lightning.fields import DISTANCE, PHOTON_ENERGY, PIXEL_SIZE
from spi_lightning.notes import Note
from spi_lightning.physics.constants import wavelength_from_energy
from spi_lightning.physics.frames.adu import Gain, estimate_gain, fano_factor, shown_gain

from .patterns.assembly import sample_indices
from .patterns.pattern_file import PatternFile

AT_ONCE: Final = 32
OCTAVES: Final = 34  # 0, 1, 2-3, 4-7, ... up to the largest int32
_FEW: Final = 8  # frames in which a gain is looked for
_PIXELS: Final = 1 << 24  # of all of them, at most
_ALIKE: Final = 1.33  # ratio of a stated gain and that of the values from which they differ
_COUNTS: Final = 0.99  # share of pixels that look like counts in a file that holds some


@dataclass(frozen=True)
class PhotonStatistics:
    """Photons of some frames of a file.

    Attributes:
        pixels: Number of measured pixels with 0, 1, 2 to 3, 4 to 7, ... photons, (OCTAVES,) int64.
        totals: Photons of each frame, (n,) float64.
        largest: Most photons of a pixel.
        fano: Variance over mean between neighbouring pixels, 1 for Poisson photons; NaN with too few photons.
    """

    pixels: NDArray[np.int64]
    totals: NDArray[np.float64]
    largest: float
    fano: float

    @property
    def mean(self) -> float:
        """Photons of a measured pixel on average."""
        return float(self.totals.sum() / max(1, int(self.pixels.sum())))


def photon_statistics(file: PatternFile, frames: NDArray[np.int64]) -> PhotonStatistics:
    """Count the photons of frames.

    Args:
        file: Pattern file that holds photon counts.
        frames: Numbers of the frames that are counted, (n,).

    Raises:
        UserError: A frame holds no photon counts.
    """
    pixels, totals, largest = np.zeros(OCTAVES, dtype=np.int64), [], 0.0
    for start in range(0, len(frames), AT_ONCE):
        index = frames[start : start + AT_ONCE]
        photons = file.read(index)
        octaves = np.frexp(photons)[1].clip(0, OCTAVES - 1)  # 0 for no photon, 1 for one, 2 for two and three, ...
        pixels += np.bincount(octaves[file.read_mask(index)], minlength=OCTAVES)
        totals.append(photons.sum(axis=(1, 2), dtype=np.float64))
        largest = max(largest, float(photons.max()))
    some = _few(frames)
    fano = fano_factor(torch.from_numpy(file.read(some)), torch.from_numpy(np.array(file.read_mask(some))))
    return PhotonStatistics(pixels, np.concatenate(totals), largest, fano)


class StoredValues:
    """Values of some frames as stored, in any unit.

    Args:
        file: Pattern file, its values in any unit.
        frames: Frame numbers, (n,), of which at most 32 are read.
    """

    def __init__(self, file: PatternFile, frames: NDArray[np.int64]) -> None:
        some = _few(frames)
        self.values = torch.from_numpy(file.read_stored(some))
        self.mask = torch.from_numpy(np.array(file.read_mask(some)))

    @cached_property
    def measured(self) -> torch.Tensor:
        """Values of the measured pixels, (n,)."""
        return self.values[self.mask]

    @cached_property
    def could_be_counts(self) -> torch.Tensor:
        """True where a measured value is a whole number from 0 on, (n,) bool."""
        return self.measured.isfinite() & (self.measured >= 0) & (self.measured == self.measured.round())

    @property
    def are_counts(self) -> bool:
        """Whether they are photon counts, but for a few broken pixels."""
        return float(self.could_be_counts.double().mean()) > _COUNTS

    def gain(self) -> Gain:
        """Detector units of one photon; UserError where no peak of single photons stands out."""
        return estimate_gain(self.values, self.mask)


def gain_notes(file: PatternFile, stated: float | None) -> list[Note]:
    """Note on a stated gain that the values of a few frames contradict, or on a step that all counts are multiples of.

    Args:
        file: Pattern file.
        stated: Gain that the user states, units of one photon; None: the values are taken for photons.
    """
    few = max(1, min(_FEW, _PIXELS // (file.shape[1] * file.shape[2])))
    index = sample_indices(len(file), few)
    found = shown_gain(torch.from_numpy(file.read_stored(index)), torch.from_numpy(np.array(file.read_mask(index))))
    where = str(file.path)
    if found is None or 1 / _ALIKE < (1.0 if stated is None else stated) / found < _ALIKE:
        return []
    if stated is None:
        multiples = f"every value is a multiple of {found:g}; if that is one photon, give data.adu_per_photon={found:g}"
        return [Note.hint(multiples, where)] if found == round(found) else []
    divided = f"divided by data.adu_per_photon={stated:g}"
    if found == 1:
        return [
            Note.warning(f"the values look like photon counts already, and are {divided}: leave it out then", where)
        ]
    shown = f"the values show steps of {found:.3g} for one photon, and are {divided}"
    return [Note.warning(f"{shown}: data.adu_per_photon={found:.3g} would fit", where)]


@dataclass(frozen=True)
class Reach:
    """Resolution at the detector's edge and size of the largest particle that two pixels a fringe sample.

    Attributes:
        period: Full period at the nearer edge, m.
        diameter: Largest diameter of a particle, m.
    """

    period: float
    diameter: float


def reach_of(file: PatternFile) -> Reach | None:
    """Reach of a file's detector; None where its geometry is not known, see missing_geometry."""
    if missing_geometry(file):
        return None
    distance, pixel, energy = (float(np.mean(file.geometry[name])) for name in (DISTANCE, PIXEL_SIZE, PHOTON_ENERGY))
    wavelength, edge = wavelength_from_energy(energy), min(file.shape[1:]) / 2 * pixel
    q = 2 * np.sin(np.arctan(edge / distance) / 2) / wavelength
    return Reach(float(1 / q), wavelength * distance / (2 * pixel))


def missing_geometry(file: PatternFile) -> list[str]:
    """Names of those of distance, pixel size and photon energy that a file does not have."""
    return [name for name in (DISTANCE, PIXEL_SIZE, PHOTON_ENERGY) if name not in file.geometry]


def measured_share(file: PatternFile) -> float | None:
    """Share of the pixels that were measured, in the first frames; None where the file has no mask."""
    if not file.masks_differ and file.shared_mask is None:
        return None
    mask: NDArray[Any] = file.read_mask(np.arange(min(len(file), AT_ONCE)))
    return float(mask.mean())


def _few(frames: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most 32 of some frames, evenly spread."""
    return frames[:: max(1, len(frames) // AT_ONCE)][:AT_ONCE]
