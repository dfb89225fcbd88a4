"""Question of support finding: supports of all patterns of a file, or of chosen ones."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.io.patterns.content_key import content_key
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.results.support_answer import SupportAnswer, SupportPart


@dataclass(frozen=True)
class SupportQuestion:
    """Supports of patterns of a file, whose labels and true densities are hidden from methods.

    Args:
        patterns: File of the patterns.
        frame: (N,) int64, indices of the patterns; None: all.
    """

    answer_type: ClassVar[type[SupportAnswer]] = SupportAnswer
    patterns: PatternFile
    frame: NDArray[np.int64] | None = None

    @cached_property
    def part(self) -> SupportPart:
        """The only part."""
        hidden = copy.copy(self.patterns)
        hidden.labels, hidden.images = {}, {}
        frame = np.arange(len(self.patterns)) if self.frame is None else self.patterns.check_indices(self.frame)
        return SupportPart(content_key(self.patterns), frame, hidden)

    def of(self, frame: NDArray[np.int64]) -> SupportQuestion:
        """The same question about some frames, (n,) int64."""
        other = replace(self, frame=frame)
        other.__dict__["part"] = replace(self.part, frame=self.patterns.check_indices(frame))  # hashed once
        return other

    def parts(self, method: Any) -> Iterator[SupportPart]:
        """All patterns at once.

        Raises:
            UserError: A frame cannot be read.
        """
        yield self.part

    def check(self, answer: SupportAnswer, name: str) -> None:
        """Refuse densities that are no numbers."""
        if answer.density is not None and not np.isfinite(answer.density).all():
            raise UserError(
                f"{self.patterns.path}: the densities of {name} hold NaN; train it again with a smaller optimizer.lr, "
                "or leave it out"
            )

    def join(self, parts: Sequence[SupportPart], answers: Sequence[SupportAnswer]) -> SupportAnswer:
        """The only answer."""
        return answers[0]
