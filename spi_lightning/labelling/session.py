"""Session of labelling: which frame a page is asked for next, and what a label changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.io.patterns.pattern_file import PatternFile

from .frame_view import picture, size
from .label_file import MEANING, LabelFile
from .teaching_order import TeachingOrder

KEPT_FOR: Final = 600.0  # s that a frame is kept for the page that shows it
_PICTURES: Final = 64  # in memory, those that were shown last
T = TypeVar("T")


class LabelSession:
    """Frames asked for one after another on any number of pages, each label in the file before the next frame.

    Two pages are never asked for the same frame at once. Calls from threads take turns.

    Args:
        patterns: File of N frames.
        labels: Their label file.
        order: Order in which frames are asked for.
        only: (k,) frames that are asked for, once each, whether they have a label or not; None: those without.

    Raises:
        UserError: A frame is not in the file.
    """

    def __init__(
        self,
        patterns: PatternFile,
        labels: LabelFile,
        order: TeachingOrder,
        only: NDArray[np.int64] | None = None,
    ) -> None:
        self.patterns, self.labels, self.order = patterns, labels, order
        self.only = None if only is None else list(dict.fromkeys(patterns.check_indices(only).tolist()))
        self._seen: set[int] = set()
        if only is not None and (again := {frame for frame in self.only or [] if labels.again[frame]}) != set(only):
            self._seen = again  # those that another session did not come to are left
        self._shown: dict[str, tuple[int, float]] = {}
        self._turn, self._reading = threading.RLock(), threading.Lock()
        self.begun_with = labels.counts()
        self.picture = lru_cache(_PICTURES)(lambda frame, zoom: self._alone(lambda: picture(patterns, frame, zoom)))
        self.size = lru_cache(_PICTURES)(lambda frame: self._alone(lambda: size(patterns, frame)))

    def _alone(self, read: Callable[[], T]) -> T:
        """Value of a function that reads the patterns, one at a time."""
        with self._reading:
            return read()

    def ask(self, page: str) -> dict[str, Any]:
        """Next frame of a page with what is known of it; ``frame`` is None where all are labelled.

        Args:
            page: Name of the page, by which frames that others show are told apart.
        """
        with self._turn:
            now = time.monotonic()
            self._shown = {name: held for name, held in self._shown.items() if now - held[1] < KEPT_FOR}
            frame = self._next(page, {held[0] for name, held in self._shown.items() if name != page})
            if frame is not None:
                self._shown[page] = frame, now
            then = None if frame is None else self._next(page, {held[0] for held in self._shown.values()})
            return {**self.state(frame), "then": then}

    def _next(self, page: str, shown: set[int]) -> int | None:
        """Number of the frame that is to be asked for, not one of those shown."""
        if self.only is not None:
            return next((frame for frame in self.only if frame not in self._seen | shown), None)
        labelled, held = self.labels.labelled, np.zeros(len(self.patterns), dtype=bool)
        held[list(shown)] = True
        return self.order.first(~labelled & ~held, labelled | held, self.labels.is_single_hit)

    def state(self, frame: int | None) -> dict[str, Any]:
        """What is known of a frame, and of the progress of all."""
        with self._turn:
            counts = self.labels.counts()
            done = len(self._seen) if self.only is not None else len(self.patterns) - counts["unknown"]
            return {
                "frame": frame,
                "label": None if frame is None else self.labels.words[frame],
                "counts": counts,
                "done": done,
                "total": len(self.patterns) if self.only is None else len(self.only),
                "frames": len(self.patterns),
            }

    def put(self, frame: int, word: str, page: str) -> dict[str, Any]:
        """Label a frame, and the next frame of the page; the label is in the file when this returns.

        Args:
            frame: Number of the frame.
            word: Word of label_file.MEANING.
            page: Name of the page on which it was labelled.

        Raises:
            UserError: There is no such frame or word, or the label cannot be written.
        """
        if not isinstance(frame, int) or not isinstance(word, str) or word not in MEANING:
            raise UserError(f"frame={frame!r} label={word!r} is no label of a frame")
        with self._turn:
            self.labels.put(frame, word, again=self.only is not None and frame in self.only)
            self._seen.add(frame)
            return self.ask(page)

    def next_step(self) -> str:
        """Words on what the labels serve for; empty before there are labels of both kinds."""
        counts = self.labels.counts()
        if not counts["single"] or not counts["other"]:
            return ""
        taken = f"data.keys.label={self.labels.path} takes them"
        return f"spi evaluate FILE method=[general,graph_cut] {taken}; so does spi tune"

    def summary(self) -> str:
        """Line on the labels that there are, and how many are new."""
        counts = self.labels.counts()
        new = sum(counts[word] - self.begun_with[word] for word in ("single", "other", "skip"))
        text = ", ".join(f"{counts[word]:,} {word}" for word in ("single", "other", "skip"))
        return f"{self.labels.path}: {text} of {len(self.patterns):,} frames, {new:,} of them new"
