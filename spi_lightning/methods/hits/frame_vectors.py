"""The frames of a file as vectors, kept from one answer to the next, because folds ask about the same file again."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.results.hit_answer import Given

from .reading import read_vectors

Describe = Callable[[Tensor, Tensor], Tensor]


class Described:
    """Vectors of the frames that have one; all-masked frames have none.

    Attributes:
        vectors: (n, d) float32 of the usable frames, in the order of the file.
        usable: (N,) bool, True for those frames.
        place: (N,) int64, row in ``vectors`` of each usable frame; -1 for the others.
    """

    def __init__(self, vectors: Tensor) -> None:
        finite = torch.isfinite(vectors).all(dim=1)
        self.vectors = vectors[finite]
        self.usable: NDArray[np.bool_] = finite.numpy()
        self.place = np.where(self.usable, np.cumsum(self.usable) - 1, -1)

    def known(self, given: Given, name: str, least: int = 1) -> Given:
        """The given frames that are usable, by their rows in ``vectors``.

        Raises:
            UserError: Fewer than ``least`` of a label, for the method of this name.
        """
        usable = self.usable[given.frame]
        known = Given(self.place[given.frame[usable]], given.is_single_hit[usable])
        known.require_both(name, least)
        return known

    def spread(self, values: NDArray[np.floating[Any]], defined: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Values of usable frames (n,) for all frames (N,) float32; NaN where they are not defined."""
        column = np.full(len(self.usable), np.nan, dtype=np.float32)
        column[self.usable] = np.where(defined, values, np.nan)
        return column


class Describer:
    """Turns files into vectors and remembers those of the last one.

    Args:
        describe: photons (n, H, W) float32 and mask (H, W) or (n, H, W) bool -> (n, d).
        device: Where it computes.
        name: Of the method, for the progress bar.
    """

    def __init__(self, describe: Describe, device: torch.device, name: str) -> None:
        self.describe, self.device, self.name = describe, device, name
        self._last: tuple[PatternFile, Described] | None = None

    def __call__(self, patterns: PatternFile) -> Described:
        """Vectors of a file.

        Raises:
            UserError: A frame cannot be read, or fewer than two frames have measured pixels.
        """
        if self._last is None or self._last[0] is not patterns:
            self._last = patterns, self._of(patterns)
        return self._last[1]

    def _of(self, patterns: PatternFile) -> Described:
        found = Described(read_vectors(patterns, self.describe, self.device, self.name))
        if len(found.vectors) < 2:
            raise UserError(f"{patterns.path}: {self.name} needs two or more frames with measured pixels.")
        return found


def require_given(given: Given | None, name: str) -> Given:
    """The labels that a method was told; UserError where it was told none."""
    if given is None:
        raise UserError(f"{name} learns from a few labelled frames of the file: set given.per_class or given.frames.")
    return given
