"""Order in which frames are to be labelled: those first whose labels teach most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.evaluation.ask import ask_whole
from spi_lightning.evaluation.cache import Cache
from spi_lightning.evaluation.hits.evaluate import HitMethod
from spi_lightning.evaluation.hits.question import HitQuestion
from spi_lightning.io.patterns.concatenate import ConcatenatedFiles
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.notes import Note
from spi_lightning.physics.array import evenly
from spi_lightning.results.hit_answer import HitAnswer

SURE: Final = 0.7  # weight of a frame of which the network is sure, against 1 where it is not at all
COMPONENTS: Final = 8  # principal components of the features in which frames are near one another
_LEAST: Final = 10  # frames that are looked at for the rarer kind, however unlike it


class TeachingOrder:
    """Frames in the order in which their labels teach most, given those that are labelled.

    The next frame is the one that brings unlabelled frames, weighted by the uncertainty of a network, nearest to a
    labelled one in the network's features: sum_i w_i max(0, D_i - d_ij) is largest, with D_i the distance of frame i
    to the nearest labelled frame, d_ij that to frame j in the first 8 principal components, w_i = 0.7 + 0.3 (1 -
    |2 p_i - 1|). So neither twins nor lone outliers are asked for one after another. While there are fewer labels of
    one kind than of the other, only frames that the network takes for that kind, or the ten most like it, are asked
    for, so that both kinds have labels early.

    Measured with 20 labels on eight simulated experiments (area under ROC of a logistic regression, a forest and
    nearest neighbours on the features): 0.80; random frames 0.73; frames weighted by uncertainty more (w_i from 0.1)
    0.69. Uncertainty teaches little before both kinds are known.

    Args:
        frames: (n,) numbers of the frames that the network has seen, ascending.
        features: (n, d) penultimate values of the network.
        probability: (n,) probability of a single hit.
        count: Number of frames N of the file; those that the network has not seen come last, in their order.

    Source: Wei, Iyer & Bilmes (2015), Sect. 4: facility location on uncertain samples; here weighted, not filtered.
    """

    def __init__(
        self,
        frames: NDArray[np.int64],
        features: NDArray[np.float32],
        probability: NDArray[np.float32],
        count: int,
    ) -> None:
        self.frames, self.count = frames, count
        self._probability = probability.astype(np.float64)
        self._weight = SURE + (1 - SURE) * (1 - np.abs(2 * self._probability - 1))
        self._distance = _distances(features.astype(np.float64))

    @classmethod
    def in_turn(cls, count: int) -> TeachingOrder:
        """Order of the file itself, for N frames of which no network says anything."""
        none = np.empty(0, dtype=np.int64)
        return cls(none, np.empty((0, 1), np.float32), np.empty(0, np.float32), count)

    def first(
        self, wanted: NDArray[np.bool_], labelled: NDArray[np.bool_], is_single_hit: NDArray[np.int64]
    ) -> int | None:
        """Number of the next frame; None if there is none.

        Args:
            wanted: (N,) bool, frames that may be asked for.
            labelled: (N,) bool, frames whose labels are known, or asked for elsewhere, or skipped.
            is_single_hit: (N,) label 1 or 0 of labelled frames, -1 elsewhere.
        """
        rows = np.flatnonzero(wanted[self.frames]) if len(self.frames) else self.frames
        if len(rows) == 0:
            left = np.flatnonzero(wanted)
            return int(left[0]) if len(left) else None
        known, rows = np.flatnonzero(labelled[self.frames]), self._of_rarer_kind(rows, is_single_hit)
        reach = self._distance[:, known].min(1) if len(known) else np.full(len(self.frames), self._distance.max())
        gain = self._weight @ np.maximum(reach[:, None] - self._distance[:, rows], 0)
        return int(self.frames[rows[int(gain.argmax())]])

    def _of_rarer_kind(self, rows: NDArray[np.int64], is_single_hit: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows (n,) of frames that the network takes for the kind with fewer labels, or the ten most like it."""
        singles, others = (int((is_single_hit == kind).sum()) for kind in (1, 0))
        if singles == others:
            return rows
        like = self._probability[rows] if singles < others else 1 - self._probability[rows]
        alike: NDArray[np.int64] = rows[like >= min(0.5, float(np.sort(like)[-min(_LEAST, len(like))]))]
        return alike

    def ask_in_advance(self, number: int, is_single_hit: NDArray[np.int64]) -> list[int]:
        """The first frames that are asked for, where the answers (N,), 1 or 0, are known, as a list."""
        known, answered = np.zeros(self.count, dtype=bool), np.full(self.count, -1)
        chosen: list[int] = []
        while len(chosen) < number and (frame := self.first(~known, known, answered)) is not None:
            known[frame], answered[frame] = True, is_single_hit[frame]
            chosen.append(frame)
        return chosen


def _distances(features: NDArray[np.float64]) -> NDArray[np.float32]:
    """Distances (n, n) of frames in the first principal components of their features (n, d)."""
    if len(features) == 0:
        return np.empty((0, 0), dtype=np.float32)
    centred = features - features.mean(0)
    parts = centred @ np.linalg.svd(centred, full_matrices=False)[2][:COMPONENTS].T
    square = (parts**2).sum(1)
    distance: NDArray[np.float32] = np.sqrt(np.maximum(square[:, None] + square - 2 * parts @ parts.T, 0)).astype(
        np.float32
    )
    return distance


def teaching_order(
    patterns: PatternFile,
    method: HitMethod,
    candidates: int,
    cache: Cache,
    show: Callable[[Note], None] = lambda note: None,
) -> TeachingOrder:
    """Order of a file's frames by the answers of a network, kept in a cache.

    Args:
        patterns: File of N frames.
        method: Network that answers with features.
        candidates: Largest number of frames, evenly spread over the file, that it looks at.
        cache: Folder in which answers are kept.
        show: Called with every note of the network.

    Raises:
        UserError: The network cannot answer, or a frame cannot be read.
    """
    frames = evenly(len(patterns), candidates)
    seen = patterns if len(frames) == len(patterns) else chosen_frames(patterns, frames.tolist())
    answer: HitAnswer = ask_whole(method, HitQuestion(seen), cache, show=show).answer
    features = answer.probability[:, None] if answer.features is None else answer.features
    return TeachingOrder(frames, features, answer.probability, len(patterns))


def chosen_frames(patterns: PatternFile, frames: Sequence[int]) -> PatternFile:
    """Some frames of a file, by their numbers (n,), as a file."""
    chosen = ConcatenatedFiles(patterns.path, [patterns], [0] * len(frames), list(frames), patterns.format)
    return chosen.changed(files_read=patterns.files_read, opened_with=patterns.opened_with)
