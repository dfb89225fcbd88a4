"""References that everybody asks for, which keep the networks honest: any estimator of scikit-learn on vectors."""

import time
from collections.abc import Callable
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
from spi_lightning.io import open_patterns
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.notes import Note
from spi_lightning.results.hit_answer import Answer, DecisionRule, Given, Notes

from .frame_vectors import Describe, Described, Describer, require_given

Floats = NDArray[np.floating[Any]]


class Reference:
    """A classifier or clusterer of scikit-learn on vectors of patterns.

    A classifier learns from the labelled frames of the file, or, with ``learn_from``, from another file altogether. A
    clusterer never sees labels; the labelled frames only say which clusters hold single hits. Frames of clusters that
    no labelled frame names, and frames without measured pixels, get probability 1/2, are not taken, and abstain.

    Scaling and principal components are fitted to all frames of the file from which is learnt, without labels.

    Args:
        estimator: Of scikit-learn; a copy of it is fitted for every answer.
        vectors: Describes patterns; photons and mask -> (n, d).
        name: Shown in tables.
        decision: From probability to decision.
        device: Where vectors are computed.
        scale: Bring every entry to mean 0 and variance 1.
        components: Then keep so many principal components; 0: all entries.
        learn_from: Labelled file, simulated say, instead of frames of the file that is answered.

    Raises:
        UserError: An estimator that is neither, a clusterer with ``learn_from``, or a device that is not there.
    """

    def __init__(
        self,
        estimator: Any,
        vectors: Describe,
        name: str = "reference",
        decision: DecisionRule | None = None,
        device: str = "auto",
        scale: bool = False,
        components: int = 0,
        learn_from: str | Path | None = None,
    ) -> None:
        self.name, self.decision, self.estimator = name, decision or DecisionRule(), estimator
        self.scale, self.components, self.learn_from = scale, components, learn_from
        self.needs_given, self.clusters, self.notes = learn_from is None, is_clusterer(estimator), Notes()
        if self.clusters and learn_from:
            raise UserError(f"{name}: clusters are found in the file itself; leave learn_from= out.")
        device_found = find_device(device)
        self._describe, self._describe_other = (Describer(vectors, device_found, name) for _ in range(2))
        self._learnt: Callable[[Floats], Floats] | None = None
        self._last: tuple[Described, Floats] | None = None

    def answer(self, patterns: PatternFile, given: Given | None = None) -> Answer:
        """Answer every frame of a file.

        Raises:
            UserError: Too few labelled frames, or what scikit-learn refuses.
        """
        start = time.perf_counter()
        described = self._describe(patterns)
        if self.needs_given:
            values, defined = self._by_given(described, require_given(given, self.name))
        else:
            self._learnt = self._learnt or self._by_file()
            values, defined = self._learnt(described.vectors.numpy()), np.ones(len(described.vectors), dtype=bool)
        found = described.spread(values, defined)
        probability = np.nan_to_num(found, nan=0.5)
        decision, abstain = self.decision(probability)
        decision[np.isnan(found)], abstain[np.isnan(found)] = 0, True
        if not described.usable.all():
            self.notes.say(
                Note.of(f"{(~described.usable).sum()} frames without measured pixels are not decided.", self.name)
            )
        if not defined.all():
            self.notes.say(Note.of("frames of clusters that hold no given frame are not decided.", self.name))
        seconds = time.perf_counter() - start
        return Answer(self.name, np.arange(len(patterns)), probability, probability, decision, abstain, seconds)

    def _by_given(self, described: Described, given: Given) -> tuple[Floats, NDArray[np.bool_]]:
        """Probability of the usable frames (n,), learnt from the labelled ones, and where it is defined (n,)."""
        known = described.known(given, self.name)
        prepared = self._prepare(described)
        if self.clusters:
            return name_clusters(prepared, known.frame, known.is_single_hit)
        probability = fit_classifier(self.estimator, prepared[known.frame], known.is_single_hit)
        return probability(prepared), np.ones(len(prepared), dtype=bool)

    def _prepare(self, described: Described) -> Floats:
        """All that needs no labels: scaled vectors (n, d), or memberships (n, clusters); kept for the next answer."""
        if self._last is None or self._last[0] is not described:
            vectors = described.vectors.numpy()
            vectors = fit_scaling(vectors, self.scale, self.components).transform(vectors)
            self._last = described, memberships(self.estimator, vectors) if self.clusters else vectors
        return self._last[1]

    def _by_file(self) -> Callable[[Floats], Floats]:
        """Learn from the frames of ``learn_from`` whose label is known."""
        assert self.learn_from is not None
        patterns = open_patterns(self.learn_from)
        if IS_SINGLE_HIT not in patterns.labels:
            raise UserError(f"{self.learn_from}: holds no labels for {self.name} to learn from.")
        described = self._describe_other(patterns)
        vectors = described.vectors.numpy()
        label = patterns.labels[IS_SINGLE_HIT][described.usable]
        scaling = fit_scaling(vectors, self.scale, self.components)
        probability = fit_classifier(self.estimator, scaling.transform(vectors[label >= 0]), label[label >= 0])

        def of(vectors: Floats) -> Floats:
            return probability(scaling.transform(vectors))

        return of
