"""Reference methods: any classifier or clusterer of scikit-learn on vectors of patterns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spi_lightning.baselines.references import (
    fit_classifier,
    fit_scaling,
    is_clusterer,
    memberships,
    name_clusters,
)
from spi_lightning.distributed import find_device
from spi_lightning.errors import UserError
from spi_lightning.fields import IS_SINGLE_HIT
from spi_lightning.fingerprint import Irrelevant, require_fingerprint
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.notes import Note
from spi_lightning.progress import Listener
from spi_lightning.results.hit_answer import HitAnswer, HitPart, TrainingLabels

from .frame_vectors import (
    FrameVectors,
    LastValue,
    MakeVectors,
    labelled_content,
    open_labelled,
    partial_answer,
    require_labels,
)

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Reference:
    """A classifier or clusterer of scikit-learn on vectors of patterns.

    A classifier learns from the labelled frames of the file, or, with ``learn_from``, from another file altogether. A
    clusterer learns without labels; the labelled frames only tell which clusters hold single hits. Frames of clusters
    that no labelled frame names, and frames without measured pixels, get probability 1/2, are not taken, and abstain.

    Scaling and principal components are fitted to all frames of the training file, without labels.

    Args:
        estimator: Estimator of scikit-learn; a copy of it is fitted for every answer.
        vectors: Photons (n, H, W) and mask -> vectors (n, d).
        name: Name of the method in tables.
        device: Name of the device that computes vectors.
        scale: Whether to bring every entry to mean 0 and variance 1.
        components: Number of principal components to keep of the entries; 0: all entries.
        learn_from: Labelled file, for example a simulated one, instead of frames of the evaluated file.

    Raises:
        UserError: An estimator that is neither, a clusterer with ``learn_from``, or a device that is not there.
    """

    estimator: Any
    vectors: MakeVectors
    name: Irrelevant[str] = "reference"
    device: Irrelevant[str] = "auto"
    scale: bool = False
    components: int = 0
    learn_from: Irrelevant[str | Path | None] = None

    def __post_init__(self) -> None:
        if self.clusters and self.learn_from:
            raise UserError(f"{self.name}: clusters are found in the file itself; leave learn_from= out")
        require_fingerprint(self)
        find_device(self.device)

    @property
    def needs_labels(self) -> bool:
        """Whether the method learns from labelled frames of the evaluated file."""
        return self.learn_from is None

    @property
    def content(self) -> str | None:
        """Hash of the file from which it learns."""
        return labelled_content(self.learn_from)

    @property
    def clusters(self) -> bool:
        """Whether the estimator is a clusterer."""
        return is_clusterer(self.estimator)

    def answer(self, part: HitPart, listener: Listener) -> HitAnswer:
        """Answer every frame of a file.

        Raises:
            UserError: Too few labelled frames, or what scikit-learn refuses.
        """
        if self.learn_from is None:
            labels = require_labels(part.labelled, self.name)
            frames, prepared = self._prepared(part.patterns)
            values, defined = self._learnt_here(prepared, frames.labelled(labels, self.name))
        else:
            frames = self._vectors_of(part.patterns)
            values, defined = self._learnt_elsewhere(frames.vectors.numpy()), np.ones(len(frames.vectors), dtype=bool)
        for note in frames.notes:
            listener.note(note)
        if not frames.usable.all():
            listener.note(Note.of(f"{(~frames.usable).sum()} frames without measured pixels are not decided"))
        if not defined.all():
            listener.note(Note.of("frames of clusters that hold no labelled frame are not decided"))
        return partial_answer(frames.spread(values, defined))

    def _vectors_of(self, patterns: PatternFile) -> FrameVectors:
        return FrameVectors.of_file(patterns, self.vectors, self.device, self.name)

    @cached_property
    def _prepared(self) -> LastValue[PatternFile, tuple[FrameVectors, Floats]]:
        """Vectors of a file, and what needs no labels: scaled vectors (n, d), or memberships (n, clusters)."""

        def make(patterns: PatternFile) -> tuple[FrameVectors, Floats]:
            frames = self._vectors_of(patterns)
            vectors = frames.vectors.numpy()
            vectors = fit_scaling(vectors, self.scale, self.components).transform(vectors)
            return frames, memberships(self.estimator, vectors) if self.clusters else vectors

        return LastValue(make)

    def _learnt_here(self, prepared: Floats, known: TrainingLabels) -> tuple[Floats, NDArray[np.bool_]]:
        """Probability of the usable frames (n,), learnt from the labelled ones, and where it is defined (n,)."""
        if self.clusters:
            return name_clusters(prepared, known.frame, known.is_single_hit)
        probability = fit_classifier(self.estimator, prepared[known.frame], known.is_single_hit)
        return probability(prepared), np.ones(len(prepared), dtype=bool)

    @cached_property
    def _learnt_elsewhere(self) -> Callable[[Floats], Floats]:
        """Probability (n,) of vectors (n, d), learnt from the frames of ``learn_from`` whose label is known."""
        assert self.learn_from is not None
        patterns = open_labelled(self.learn_from, self.name)
        frames = self._vectors_of(patterns)
        vectors, label = frames.vectors.numpy(), patterns.labels[IS_SINGLE_HIT][frames.usable]
        scaling = fit_scaling(vectors, self.scale, self.components)
        probability = fit_classifier(self.estimator, scaling.transform(vectors[label >= 0]), label[label >= 0])
        return lambda vectors: probability(scaling.transform(vectors))
