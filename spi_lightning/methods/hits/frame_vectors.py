"""Frames of a file as vectors, kept from one part of a question to the next, since folds read the same file again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.data.read_ahead import read_vectors
from spi_lightning.data.scale.crop_centre import beam_off_middle
from spi_lightning.distributed import find_device
from spi_lightning.errors import UserError
from spi_lightning.fields import IS_SINGLE_HIT
from spi_lightning.io import open_patterns
from spi_lightning.io.patterns.assembly import missing_labels
from spi_lightning.io.patterns.content_key import content_key
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.notes import Note
from spi_lightning.results.hit_answer import HitAnswer, TrainingLabels

MakeVectors = Callable[[Tensor, Tensor], Tensor]
"""Photons (n, H, W) float32 and mask (H, W) or (n, H, W) bool -> vectors (n, d)."""
InT = TypeVar("InT")
OutT = TypeVar("OutT")


class LastValue(Generic[InT, OutT]):
    """Function that keeps its value for the object it was last called with.

    Args:
        make: Function whose value is kept; objects are told apart by identity.
    """

    def __init__(self, make: Callable[[InT], OutT]) -> None:
        self._make = make
        self._last: tuple[InT, OutT] | None = None

    def __call__(self, thing: InT) -> OutT:
        """Value for an object, made unless it was the last one."""
        if self._last is None or self._last[0] is not thing:
            self._last = thing, self._make(thing)
        return self._last[1]


class FrameVectors:
    """Vectors of the frames that have one; frames without measured pixels have none.

    Args:
        vectors: (N, d) float32 of all frames.
        usable: (N,) bool, frames that have a vector; None: those without NaN.
        notes: Notes on the file that these vectors were made with.

    Attributes:
        vectors: (n, d) float32 of the usable frames, in the order of the file.
        usable: (N,) bool, True for those frames.
        row: (N,) int64, row in ``vectors`` of each usable frame; -1 for the others.
    """

    def __init__(self, vectors: Tensor, usable: Tensor | None = None, notes: Sequence[Note] = ()) -> None:
        self.notes = notes
        usable = torch.isfinite(vectors).all(dim=1) if usable is None else usable
        self.vectors = vectors[usable]
        self.usable: NDArray[np.bool_] = usable.numpy()
        self.row = np.where(self.usable, np.cumsum(self.usable) - 1, -1)

    @classmethod
    def of_file(cls, patterns: PatternFile, make: MakeVectors, device: str, name: str) -> FrameVectors:
        """Vectors of a file.

        Args:
            patterns: File of N frames.
            make: Photons and mask -> vectors.
            device: Name of the device that computes.
            name: Name of the method, for messages and the progress bar.

        Raises:
            UserError: A frame cannot be read, or fewer than two frames have measured pixels.
        """
        make, notes = about_the_beam(make, patterns, device)
        found = cls(read_vectors(patterns, make, find_device(device), name), notes=notes)
        if len(found.vectors) < 2:
            raise UserError(f"{patterns.path}: {name} needs two or more frames with measured pixels")
        return found

    def labelled(self, labels: TrainingLabels, name: str) -> TrainingLabels:
        """Training labels of usable frames, by their rows in ``vectors``.

        Raises:
            UserError: None of a label, for the method of this name.
        """
        usable = self.usable[labels.frame]
        known = TrainingLabels(self.row[labels.frame[usable]], labels.is_single_hit[usable])
        known.require_both(name)
        return known

    def spread(self, values: NDArray[np.floating[Any]], defined: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Values of usable frames (n,) for all frames (N,) float32; NaN where they are not defined."""
        column = np.full(len(self.usable), np.nan, dtype=np.float32)
        column[self.usable] = np.where(defined, values, np.nan)
        return column


def about_the_beam(make: MakeVectors, patterns: PatternFile, device: str) -> tuple[MakeVectors, list[Note]]:
    """Maker of vectors about the beam that a file states, unless the user states it for the maker; notes on the beam.

    Args:
        make: Photons and mask -> vectors; one with a ``beam_centre`` of None is copied with that of the file.
        patterns: File of N frames.
        device: Name of the device that computes.
    """
    if getattr(make, "beam_centre", ()) is not None:
        return make, []
    centre, notes = beam_off_middle(patterns, device=find_device(device))
    centred = copy(make)
    centred.beam_centre = centre  # type: ignore[attr-defined]
    return centred, notes


def open_labelled(path: str | Path, name: str) -> PatternFile:
    """Labelled patterns of another file from which a method learns.

    Args:
        path: File, or list of files.
        name: Name of the method, for messages.

    Raises:
        UserError: The file cannot be read, or holds no labels.
    """
    patterns = open_patterns(path)
    if IS_SINGLE_HIT not in patterns.labels:
        raise UserError(f"{path}: no labels for {name} to learn from: {missing_labels(patterns)}")
    return patterns


def labelled_content(path: str | Path | None) -> str | None:
    """Hash of frames, masks, geometry and labels of a file; None of no file."""
    return None if path is None else content_key(open_patterns(path), (IS_SINGLE_HIT,))


def partial_answer(found: NDArray[np.float32], features: NDArray[np.float32] | None = None) -> HitAnswer:
    """Answer of a method that cannot score some frames.

    Args:
        found: (N,) probability of a single hit, NaN where nothing can be said: 1/2 there, and no decision.
        features: (N, d) values from which an embedding is drawn.
    """
    unknown = np.isnan(found)
    probability = np.nan_to_num(found, nan=0.5)
    return HitAnswer(probability, probability, unknown if unknown.any() else None, features)


def require_labels(labels: TrainingLabels | None, name: str) -> TrainingLabels:
    """Training labels of a part; UserError where it has none."""
    if labels is None:
        raise UserError(
            f"{name} learns from a few labelled frames of the file: set training_labels.per_class or "
            "training_labels.frames"
        )
    return labels
