"""What the generators of test experiments give, and the labels that are kept apart from the frames."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .experiments import Experiment

BLANK: Final = -1
"""Kind of a frame with background alone; the others are those of fields.Kind."""


@dataclass(frozen=True)
class Frames:
    """Some frames of an experiment.

    Attributes:
        photons: (n, H, W) int32 counts, 0 where not measured.
        kind: (n,) int64 values of fields.Kind, or BLANK.
    """

    photons: NDArray[np.int32]
    kind: NDArray[np.int64]


def kinds_of_blanks(experiment: Experiment, frames: int) -> NDArray[np.bool_]:
    """Which frames are blank, (frames,) bool: exactly the share of the experiment, at random places."""
    blank = np.arange(frames) < round(experiment.blanks * frames)
    return np.random.default_rng(experiment.seed).permutation(blank)
