"""Few labelled frames and the likeness of all: a graph of neighbours is cut between single hits and others."""

import time

import numpy as np
from numpy.typing import NDArray

from spi_lightning.baselines.graph import Graph, components, describe_components, symmetric_graph
from spi_lightning.baselines.graph_cut import Ball, Steps, graph_cut, votes
from spi_lightning.baselines.neighbours import nearest
from spi_lightning.baselines.region import affinity, prior, region_force
from spi_lightning.distributed import find_device
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.notes import Note
from spi_lightning.results.hit_answer import Answer, DecisionRule, Given, Notes

from .frame_vectors import Describe, Described, Describer, require_given


class GraphCut:
    """Graph cut with a prior from the labelled frames.

    The score, and the probability, is the share of its neighbours' weights and of its prior that sees a frame among the
    single hits (see ``votes``); it is 1/2 or more where the cut puts the frame there. A frame of a part of the graph
    without labelled frames, or without measured pixels, gets 1/2, is not taken, and abstains.

    Args:
        vectors: Describes patterns; photons and mask -> (n, d).
        name: Shown in tables.
        decision: From probability to decision.
        device: Where vectors, neighbours and cut are computed.
        neighbours: k of the graph.
        approximate: Search neighbours through an index; None: in large files only.
        smoothness: Weight of severed edges against the prior.
        least: The prior is kept within [least, 1 - least].
        hold_given: Keep the labelled frames on their side, whatever the cut would cost.
        ball, steps, tolerance, limit: Of the iterations, see ``graph_cut``.

    Raises:
        UserError: A device that is not there.

    Source: Shi et al. (2019), S2.
    """

    needs_given = True

    def __init__(
        self,
        vectors: Describe,
        name: str = "graph_cut",
        decision: DecisionRule | None = None,
        device: str = "auto",
        neighbours: int = 5,
        approximate: bool | None = None,
        smoothness: float = 3.0,
        least: float = 1e-3,
        hold_given: bool = True,
        ball: Ball = "entries",
        steps: Steps = "diagonal",
        tolerance: float = 1e-4,
        limit: int = 20_000,
    ) -> None:
        self.name, self.decision, self.device = name, decision or DecisionRule(), find_device(device)
        self.neighbours, self.approximate = neighbours, approximate
        self.smoothness, self.least, self.hold_given, self.ball = smoothness, least, hold_given, ball
        self.steps, self.tolerance, self.limit = steps, tolerance, limit
        self.notes = Notes()
        self._describe = Describer(vectors, self.device, name)
        self._last: tuple[Described, Graph] | None = None

    def answer(self, patterns: PatternFile, given: Given | None = None) -> Answer:
        """Answer every frame of a file.

        Raises:
            UserError: No labelled frames of a label, neighbours not fewer than frames, an option out of range, or a
                frame that cannot be read.
        """
        start = time.perf_counter()
        given = require_given(given, self.name)
        described = self._describe(patterns)
        known = described.known(given, self.name)
        share, reached = self._cut(self._graph(described), known)
        found = described.spread(share, reached)
        probability = np.nan_to_num(found, nan=0.5)
        decision, abstain = self.decision(probability)
        decision[np.isnan(found)], abstain[np.isnan(found)] = 0, True
        if not described.usable.all():
            self.notes.say(
                Note.of(f"{(~described.usable).sum()} frames without measured pixels are not decided.", self.name)
            )
        seconds = time.perf_counter() - start
        return Answer(self.name, np.arange(len(patterns)), probability, probability, decision, abstain, seconds)

    def _graph(self, described: Described) -> Graph:
        """Weighted graph of the usable frames, (n, n); kept for the next answer about the same file."""
        if self._last is None or self._last[0] is not described:
            index, distance = nearest(
                described.vectors, self.neighbours, approximate=self.approximate, device=self.device
            )
            self._last = described, symmetric_graph(index, affinity(index, distance))
        return self._last[1]

    def _cut(self, graph: Graph, known: Given) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Share of votes for a single hit (n,), and where it means something (n,)."""
        single, other = (known.frame[known.is_single_hit == label] for label in (1, 0))
        force = region_force(prior(graph, single, other, self.least)[0])
        held = np.full(graph.shape[0], -1)
        held[known.frame] = known.is_single_hit
        cut = graph_cut(
            graph,
            force,
            self.smoothness,
            held if self.hold_given else None,
            self.ball,
            self.steps,
            tolerance=self.tolerance,
            limit=self.limit,
            device=self.device,
        )
        if cut.note:
            self.notes.say(Note.of(f"{cut.note}", self.name))
        reached = self._reached(graph, known)
        if self.ball == "rows":
            return cut.labelling, reached
        return votes(graph, force, cut.labelling, self.smoothness, self.least), reached

    def _reached(self, graph: Graph, known: Given) -> NDArray[np.bool_]:
        """Frames (n,) whose part of the graph holds a labelled one."""
        part, size = components(graph)
        reached: NDArray[np.bool_] = np.isin(part, part[known.frame])
        if len(size) > 1:
            self.notes.say(
                Note.of(
                    f"the graph has {describe_components(size)}; frames of parts that hold no given frame are "
                    "not decided.",
                    self.name,
                )
            )
        return reached
