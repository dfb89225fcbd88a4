"""Real files of ``spi/`` of the data folder: those with labels are scored, of the others the probability is shown.

Not to be had: a gain for ``lcls2016_icosahedral_adu_dev.h5`` and ``pnccd_adu_10.h5``, which hold detector units whose
photon peak lies in the noise; and images for ``amo06516_labels.csv``.
"""

import os
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from benchmarks.sim_to_real import DOUBTFUL
from spi_lightning import evaluate, open_patterns
from spi_lightning.errors import UserError
from spi_lightning.io import PatternFile
from spi_lightning.results import HitResult

from .scoring import evaluated

_SHOWN: Final = {"pr772_hit_a.h5": ("intensity", "invalid", 0), "au_nanorod_single_pulse.h5": ("photons", "good", 1)}
_UNKNOWN_GAIN: Final = ("lcls2016_icosahedral_adu_dev.h5", "pnccd_adu_10.h5")


def score(entry: str) -> dict[str, Any]:
    """Numbers on PR772 of a method without labels, and its probability of a single hit on single real patterns."""
    try:
        patterns = pr772()
    except UserError as error:
        return {"left_out": str(error)}
    numbers = evaluated(entry, patterns, np.array(DOUBTFUL))
    shown: dict[str, Any] = dict.fromkeys(_UNKNOWN_GAIN, "detector units of unknown gain")
    for name, keys in _SHOWN.items():
        try:
            shown[name] = _probability(entry, folder() / name, keys)
        except UserError as error:
            shown[name] = str(error)
    return {"pr772_dev": numbers, "shown": shown, "doubtful": DOUBTFUL, "frames": len(patterns)}


def folder() -> Path:
    """Folder of the measured files."""
    return Path(os.environ.get("SPI_DATA", "../shared/data")) / "spi"


def pr772() -> PatternFile:
    """Measured patterns of the virus PR772 with labels; UserError where they are absent."""
    path = folder() / "pr772_dev.h5"
    return open_patterns(path, photons="patterns", label="labels", mask="mask", mask_convention="bad")


def _probability(entry: str, path: Path, keys: tuple[str, str, int]) -> list[float]:
    """Probability of one pattern, whose corrected photons are rounded; keys: photons, mask, its value where good."""
    with h5py.File(path) as file:
        photons, mask = (np.squeeze(np.asarray(file[key][()])) for key in keys[:2])
    measured = (mask == keys[2]) & np.isfinite(photons)
    found = evaluate(np.rint(np.where(measured, photons, 0)).clip(0), entry, measured)
    assert isinstance(found, HitResult)
    return [float(value) for value in found.primary.probability]
