"""Test experiments from Dragonfly's own generator, with structures of the protein data bank."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .experiments import Experiment
from .frames import Frames


def draw(experiment: Experiment, frames: int, mask: NDArray[np.bool_], beam: tuple[float, float]) -> Iterator[Frames]:
    """Patterns of an experiment in blocks."""
    raise NotImplementedError
