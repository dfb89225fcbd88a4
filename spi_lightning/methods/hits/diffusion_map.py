"""Single hits by where frames fall in a diffusion map of their file, or of another."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spi_lightning.baselines.diffusion_map import Bandwidth, DiffusionEmbedding, diffusion_map, extend
from spi_lightning.baselines.graph import Symmetrise, describe_components
from spi_lightning.baselines.map_selection import ByDistance, LabelledPoints, MapPoints, Select
from spi_lightning.baselines.neighbours import Metric, nearest, nearest_to
from spi_lightning.data.read_ahead import read_vectors
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
    about_the_beam,
    labelled_content,
    open_labelled,
    partial_answer,
    require_labels,
)

_USUAL_NEIGHBOURS = 50


@dataclass(frozen=True)
class DiffusionMap:
    """Diffusion map of the frames, and a selection in its coordinates.

    Frames without measured pixels, or constant ones under a correlation, are left out of the map; they, and frames in
    parts of the map of which the selection knows nothing, get probability 1/2, are not taken, and abstain. The answer's
    features are the coordinates (N, m), 0 for frames left out.

    Args:
        vectors: Photons (n, H, W) and mask -> vectors (n, d).
        name: Name of the method in tables.
        device: Name of the device of vectors and exact neighbours.
        metric: ``correlation``, ``masked_correlation`` (of vectors with NaN where a frame did not measure) or
            ``euclidean``, of which the square stands in the kernel.
        neighbours: Number k of neighbours of a frame in the graph. None: 50, in files of fewer than 250 frames a fifth
            of them, 2 at least.
        approximate: Whether to search neighbours through an index; None: in large files only.
        coordinates, tau, alpha, time: Number of coordinates, bandwidth, normalisation by density and power of the
            eigenvalues, see ``diffusion_map``.
        self_weight, symmetrise, least_weight: Weights of the graph, see ``diffusion_map``.
        select: ByDistance (default), InBox or InPolygon.
        learn_from: Labelled file, for example a simulated one: the map is made of its frames, selection by distance is
            from its single hits, and the evaluated frames are located in it by the Nystroem extension.

    Raises:
        UserError: A device that is not there.

    Source: Shi et al. (2019), S3.
    """

    vectors: MakeVectors
    name: Irrelevant[str] = "diffusion_map"
    device: Irrelevant[str] = "auto"
    metric: Metric = "correlation"
    neighbours: int | None = None
    approximate: bool | None = None
    coordinates: int = 3
    tau: Bandwidth = "auto"
    alpha: float = 0.0
    time: float = 0.0
    self_weight: bool = False
    symmetrise: Symmetrise = "maximum"
    least_weight: float = 1e-4
    select: Select = field(default_factory=ByDistance)
    learn_from: Irrelevant[str | Path | None] = None

    def __post_init__(self) -> None:
        require_fingerprint(self)
        find_device(self.device)

    @property
    def needs_labels(self) -> bool:
        """Whether the selection learns from labelled frames of the evaluated file."""
        return self.select.needs_labels and self.learn_from is None

    @property
    def content(self) -> str | None:
        """Hash of the file from which it learns."""
        return labelled_content(self.learn_from)

    def answer(self, part: HitPart, listener: Listener) -> HitAnswer:
        """Answer every frame of a file.

        Raises:
            UserError: Too few labelled frames, neighbours not fewer than frames, an option out of range, a frame that
                cannot be read, or eigenvectors that do not converge.
        """
        if self.learn_from is None:
            frames, embedding = self._map(part.patterns)
            points = MapPoints(embedding.coordinates, embedding.part)
            labelled = self._labelled(frames, points, part.labelled) if self.needs_labels else None
        else:
            known, embedding, labelled = self._learnt
            frames = self._vectors_of(part.patterns)
            neighbours, approximate = self._neighbours(known.vectors), self.approximate
            device = find_device(self.device)
            found = nearest_to(frames.vectors, known.vectors, neighbours, self.metric, approximate, device)
            points = MapPoints(*extend(embedding, found[0], self._separation(found[1])))
        for note in frames.notes:
            listener.note(note)
        if len(embedding.size) > 1:
            text = f"the graph has {describe_components(embedding.size)}, each with coordinates of its own"
            listener.note(Note.of(text))
        probability = self.select(points, labelled)
        every = frames.spread(probability, np.isfinite(probability))
        if undecided := int(np.isnan(every).sum()):
            listener.note(Note.of(f"{undecided:,} frames are not decided: blank, or out of reach"))
        features = np.zeros((len(part.patterns), points.coordinates.shape[1]), dtype=np.float32)
        features[frames.usable] = points.coordinates
        return partial_answer(every, features)

    @cached_property
    def _map(self) -> LastValue[PatternFile, tuple[FrameVectors, DiffusionEmbedding]]:
        """Vectors of a file and their diffusion map."""

        def make(patterns: PatternFile) -> tuple[FrameVectors, DiffusionEmbedding]:
            frames = self._vectors_of(patterns)
            count, device = self._neighbours(frames.vectors), find_device(self.device)
            index, distance = nearest(frames.vectors, count, self.metric, self.approximate, device)
            embedding = diffusion_map(
                index,
                self._separation(distance),
                coordinates=self.coordinates,
                tau=self.tau,
                alpha=self.alpha,
                time=self.time,
                self_weight=self.self_weight,
                symmetrise=self.symmetrise,
                least_weight=self.least_weight,
            )
            return frames, embedding

        return LastValue(make)

    def _labelled(self, frames: FrameVectors, points: MapPoints, labels: TrainingLabels | None) -> LabelledPoints:
        """Labelled frames of the file in its own map."""
        labels = require_labels(labels, self.name)
        usable = frames.usable[labels.frame]
        row, label = frames.row[labels.frame[usable]], labels.is_single_hit[usable]
        if (label == 1).sum() < 2:
            raise UserError(
                f"{self.name} has {(label == 1).sum()} usable single hits to learn from and needs 2 or more: raise "
                "training_labels.per_class, or name frames with training_labels.frames=[...]"
            )
        return LabelledPoints(MapPoints(points.coordinates[row], points.part[row]), label, row)

    @cached_property
    def _learnt(self) -> tuple[FrameVectors, DiffusionEmbedding, LabelledPoints]:
        """Vectors, map and labelled frames of ``learn_from``."""
        assert self.learn_from is not None
        patterns = open_labelled(self.learn_from, self.name)
        frames, embedding = self._map(patterns)
        label = patterns.labels[IS_SINGLE_HIT][frames.usable]
        row = np.flatnonzero(label >= 0)
        points = MapPoints(embedding.coordinates[row], embedding.part[row])
        return frames, embedding, LabelledPoints(points, label[row], np.full(len(row), -1))

    def _vectors_of(self, patterns: PatternFile) -> FrameVectors:
        make, notes = about_the_beam(self.vectors, patterns, self.device)
        vectors = read_vectors(patterns, make, find_device(self.device), self.name)
        found = FrameVectors(vectors, _comparable(vectors, self.metric), notes)
        if len(found.vectors) < 3:
            raise UserError(f"{patterns.path}: {self.name} needs three or more frames with measured pixels")
        return found

    def _neighbours(self, vectors: Tensor) -> int:
        return self.neighbours or max(2, min(_USUAL_NEIGHBOURS, len(vectors) // 5))

    def _separation(self, distance: Tensor) -> Tensor:
        """Separation in the exponent of the kernel, of the shape of the distances."""
        return distance.double() ** 2 if self.metric == "euclidean" else distance


def _comparable(vectors: Tensor, metric: Metric) -> Tensor | None:
    """Frames whose vectors (N, d), NaN where not measured, a correlation can compare, (N,) bool; else None."""
    if metric == "euclidean":
        return None
    known = ~vectors.isnan() if metric == "masked_correlation" else torch.isfinite(vectors).all(1, keepdim=True)
    low = vectors.masked_fill(~known, torch.inf).amin(1)
    return vectors.masked_fill(~known, -torch.inf).amax(1) > low
