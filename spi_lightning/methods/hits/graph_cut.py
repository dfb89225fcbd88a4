"""Graph cut: a graph of neighbouring frames is cut between single hits and others by few labelled frames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spi_lightning.baselines.graph import (
    Graph,
    affinity,
    components,
    describe_components,
    prior,
    region_force,
    symmetric_graph,
)
from spi_lightning.baselines.graph_cut import Ball, StepSizes, graph_cut, votes
from spi_lightning.baselines.neighbours import nearest
from spi_lightning.distributed import find_device
from spi_lightning.fingerprint import Irrelevant, require_fingerprint
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.notes import Note
from spi_lightning.progress import Listener
from spi_lightning.results.hit_answer import HitAnswer, HitPart, TrainingLabels

from .frame_vectors import FrameVectors, LastValue, MakeVectors, partial_answer, require_labels


@dataclass(frozen=True)
class GraphCut:
    """Graph cut with a prior from the labelled frames.

    The score, and the probability, is the share of its neighbours' weights and of its prior that counts a frame among
    the single hits (see ``votes``); it is 1/2 or more where the cut puts the frame there. A frame of a part of the
    graph without labelled frames, or without measured pixels, gets 1/2, is not taken, and abstains.

    Args:
        vectors: Photons (n, H, W) and mask -> vectors (n, d).
        name: Name of the method in tables.
        device: Name of the device of vectors, neighbours and cut.
        neighbours: Number k of neighbours of a frame in the graph.
        approximate: Whether to search neighbours through an index; None: in large files only.
        smoothness: Weight of severed edges against the prior.
        least: Least prior; it is kept within [least, 1 - least].
        hold_labelled: Whether labelled frames stay on their side, whatever the cut would cost.
        ball, step_sizes: Geometry of the total variation and step sizes of the iterations, see ``graph_cut``.
        tolerance, max_iter: Change at which the iterations end, and their largest number, see ``graph_cut``.

    Raises:
        UserError: A device that is not there.

    Source: Shi et al. (2019), S2.
    """

    needs_labels: ClassVar[bool] = True

    vectors: MakeVectors
    name: Irrelevant[str] = "graph_cut"
    device: Irrelevant[str] = "auto"
    neighbours: int = 5
    approximate: bool | None = None
    smoothness: float = 3.0
    least: float = 1e-3
    hold_labelled: bool = True
    ball: Ball = "entries"
    step_sizes: StepSizes = "diagonal"
    tolerance: float = 1e-4
    max_iter: int = 20_000

    def __post_init__(self) -> None:
        require_fingerprint(self)
        find_device(self.device)

    @cached_property
    def _graph(self) -> LastValue[PatternFile, tuple[FrameVectors, Graph]]:
        """Vectors of a file and the weighted graph (n, n) of its usable frames."""

        def make(patterns: PatternFile) -> tuple[FrameVectors, Graph]:
            frames = FrameVectors.of_file(patterns, self.vectors, self.device, self.name)
            index, distance = nearest(
                frames.vectors, self.neighbours, approximate=self.approximate, device=find_device(self.device)
            )
            return frames, symmetric_graph(index, affinity(index, distance))

        return LastValue(make)

    def answer(self, part: HitPart, listener: Listener) -> HitAnswer:
        """Answer every frame of a file.

        Raises:
            UserError: No labelled frames of a label, neighbours not fewer than frames, an option out of range, or a
                frame that cannot be read.
        """
        labels = require_labels(part.labelled, self.name)
        frames, graph = self._graph(part.patterns)
        for note in frames.notes:
            listener.note(note)
        share, reached = self._cut(graph, frames.labelled(labels, self.name), listener)
        if not frames.usable.all():
            listener.note(Note.of(f"{(~frames.usable).sum()} frames without measured pixels are not decided"))
        return partial_answer(frames.spread(share, reached))

    def _cut(
        self, graph: Graph, known: TrainingLabels, listener: Listener
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Share of votes for a single hit (n,), and where it is defined (n,)."""
        single, other = (known.frame[known.is_single_hit == label] for label in (1, 0))
        force = region_force(prior(graph, single, other, self.least)[0])
        held = np.full(graph.shape[0], -1)
        held[known.frame] = known.is_single_hit
        cut = graph_cut(
            graph,
            force,
            self.smoothness,
            held if self.hold_labelled else None,
            self.ball,
            self.step_sizes,
            tolerance=self.tolerance,
            max_iter=self.max_iter,
            device=find_device(self.device),
        )
        if cut.note:
            listener.note(Note.of(cut.note))
        part, size = components(graph)
        if len(size) > 1:
            text = f"the graph has {describe_components(size)}; frames of parts that hold no labelled frame are"
            listener.note(Note.of(f"{text} not decided"))
        reached: NDArray[np.bool_] = np.isin(part, part[known.frame])
        if self.ball == "rows":
            return cut.labelling, reached
        return votes(graph, force, cut.labelling, self.smoothness, self.least), reached
