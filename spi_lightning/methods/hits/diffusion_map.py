"""Single hits by where frames fall in a diffusion map of their file, or of another."""

import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spi_lightning.baselines.diffusion_map import Bandwidth, DiffusionEmbedding, diffusion_map, extend
from spi_lightning.baselines.graph import Symmetrise, describe_components
from spi_lightning.baselines.neighbours import Metric, nearest, nearest_to
from spi_lightning.distributed import find_device
from spi_lightning.errors import UserError
from spi_lightning.fields import IS_SINGLE_HIT
from spi_lightning.io import open_patterns
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.notes import Note
from spi_lightning.results.hit_answer import Answer, DecisionRule, Given, Notes

from .frame_vectors import Describe, Described, require_given
from .map_selection import ByDistance, Places, Select, Told
from .reading import read_vectors

_USUAL_NEIGHBOURS = 50


class DiffusionMap:
    """Diffusion map of the frames, and a selection in its coordinates.

    Frames without measured pixels, or constant ones under a correlation, are left out of the map; they, and frames in
    parts of the map of which the selection knows nothing, get probability 1/2, are not taken, and abstain. The answer's
    features are the coordinates (N, m), 0 for frames left out.

    Args:
        vectors: Describes patterns; photons and mask -> (n, d).
        name: Shown in tables.
        decision: From probability to decision.
        device: Where vectors and exact neighbours are computed.
        metric: ``correlation``, ``masked_correlation`` (of vectors with NaN where a frame did not measure) or
            ``euclidean``, of which the square stands in the kernel.
        neighbours: k of the graph. None: 50, in files of fewer than 250 frames a fifth of them, 2 at least.
        approximate: Search neighbours through an index; None: in large files only.
        coordinates, tau, alpha, time, self_weight, symmetrise, least_weight: Of the map, see ``diffusion_map``.
        select: ByDistance (default), InBox or InPolygon.
        learn_from: Labelled file, simulated say: the map is made of its frames, selection by distance is from its
            single hits, and the frames that are asked about are placed in it by the Nystroem extension.

    Raises:
        UserError: A device that is not there.

    Source: Shi et al. (2019), S3.
    """

    def __init__(
        self,
        vectors: Describe,
        name: str = "diffusion_map",
        decision: DecisionRule | None = None,
        device: str = "auto",
        metric: Metric = "correlation",
        neighbours: int | None = None,
        approximate: bool | None = None,
        coordinates: int = 3,
        tau: Bandwidth = "auto",
        alpha: float = 0.0,
        time: float = 0.0,
        self_weight: bool = False,
        symmetrise: Symmetrise = "maximum",
        least_weight: float = 1e-4,
        select: Select | None = None,
        learn_from: str | Path | None = None,
    ) -> None:
        self.name, self.decision, self.device = name, decision or DecisionRule(), find_device(device)
        self.vectors, self.metric, self.neighbours, self.approximate = vectors, metric, neighbours, approximate
        self._map = partial(
            diffusion_map,
            coordinates=coordinates,
            tau=tau,
            alpha=alpha,
            time=time,
            self_weight=self_weight,
            symmetrise=symmetrise,
            least_weight=least_weight,
        )
        self.select, self.learn_from = select or ByDistance(), learn_from
        self.needs_given = self.select.needs_given and learn_from is None
        self.notes = Notes()
        self._last: tuple[PatternFile, Described, DiffusionEmbedding | None] | None = None
        self._learnt: tuple[Described, DiffusionEmbedding, Told] | None = None

    def answer(self, patterns: PatternFile, given: Given | None = None) -> Answer:
        """Answer every frame of a file.

        Raises:
            UserError: Too few labelled frames, neighbours not fewer than frames, an option out of range, a frame that
                cannot be read, or eigenvectors that do not converge.
        """
        start = time.perf_counter()
        described, places, told = self._elsewhere(patterns) if self.learn_from else self._here(patterns, given)
        probability = self.select(places, told)
        found = described.spread(probability, np.isfinite(probability))
        score = np.nan_to_num(found, nan=0.5)
        decision, abstain = self.decision(score)
        decision[np.isnan(found)], abstain[np.isnan(found)] = 0, True
        if np.isnan(found).any():
            self.notes.say(
                Note.of(f"{np.isnan(found).sum():,} frames are not decided: blank, or out of reach.", self.name)
            )
        features = np.zeros((len(patterns), places.coordinates.shape[1]), dtype=np.float32)
        features[described.usable] = places.coordinates
        seconds = time.perf_counter() - start
        frame = np.arange(len(patterns))
        return Answer(self.name, frame, score, score, decision, abstain, seconds, features)

    def _here(self, patterns: PatternFile, given: Given | None) -> tuple[Described, Places, Told | None]:
        """A map of the file itself, kept for the next answer about it."""
        told = require_given(given, self.name) if self.needs_given else None
        if self._last is None or self._last[0] is not patterns:
            described = self._describe(patterns)
            self._last = patterns, described, self._embed(described.vectors)
        _, described, embedding = self._last
        assert embedding is not None
        places = Places(embedding.coordinates, embedding.part)
        if told is None:
            return described, places, None
        usable = described.usable[told.frame]
        row, label = described.place[told.frame[usable]], told.is_single_hit[usable]
        if (label == 1).sum() < 2:
            raise UserError(
                f"{self.name} was given {(label == 1).sum()} usable single hits and needs 2 or more: raise "
                "given.per_class, or name frames with given.frames=[...]."
            )
        return described, places, Told(Places(places.coordinates[row], places.part[row]), label, row)

    def _elsewhere(self, patterns: PatternFile) -> tuple[Described, Places, Told]:
        """Places of the file's frames in the map of another."""
        self._learnt = self._learnt or self._learn()
        known, embedding, told = self._learnt
        described = self._describe(patterns)
        index, distance = nearest_to(
            described.vectors,
            known.vectors,
            self._count(len(known.vectors)),
            self.metric,
            self.approximate,
            self.device,
        )
        return described, Places(*extend(embedding, index, self._separation(distance))), told

    def _learn(self) -> tuple[Described, DiffusionEmbedding, Told]:
        assert self.learn_from is not None
        patterns = open_patterns(self.learn_from)
        if IS_SINGLE_HIT not in patterns.labels:
            raise UserError(f"{self.learn_from}: holds no labels for {self.name} to learn from.")
        known = self._describe(patterns)
        embedding = self._embed(known.vectors)
        label = patterns.labels[IS_SINGLE_HIT][known.usable]
        row = np.flatnonzero(label >= 0)
        places = Places(embedding.coordinates[row], embedding.part[row])
        return known, embedding, Told(places, label[row], np.full(len(row), -1))

    def _describe(self, patterns: PatternFile) -> Described:
        found = _Comparable(read_vectors(patterns, self.vectors, self.device, self.name), self.metric)
        if len(found.vectors) < 3:
            raise UserError(f"{patterns.path}: {self.name} needs three or more frames with measured pixels.")
        return found

    def _embed(self, vectors: Tensor) -> DiffusionEmbedding:
        index, distance = nearest(vectors, self._count(len(vectors)), self.metric, self.approximate, self.device)
        embedding = self._map(index, self._separation(distance))
        if len(embedding.size) > 1:
            self.notes.say(
                Note.of(
                    f"the graph has {describe_components(embedding.size)}, each with coordinates of its own.", self.name
                )
            )
        return embedding

    def _count(self, frames: int) -> int:
        return self.neighbours or max(2, min(_USUAL_NEIGHBOURS, frames // 5))

    def _separation(self, distance: Tensor) -> Tensor:
        """What stands in the exponent of the kernel."""
        return distance.double() ** 2 if self.metric == "euclidean" else distance


class _Comparable(Described):
    """Vectors of the frames that the metric can compare."""

    def __init__(self, vectors: Tensor, metric: Metric) -> None:
        if metric == "euclidean":
            super().__init__(vectors)
            return
        known = ~vectors.isnan() if metric == "masked_correlation" else torch.isfinite(vectors).all(1, keepdim=True)
        low = vectors.masked_fill(~known, torch.inf).amin(1)
        high = vectors.masked_fill(~known, -torch.inf).amax(1)
        usable = high > low
        super().__init__(torch.where(usable, 0.0, torch.nan)[:, None])
        self.vectors = vectors[usable]
