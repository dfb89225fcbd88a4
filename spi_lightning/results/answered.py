"""Answer of a method with its notes and cost, as cache and result files hold it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from spi_lightning.notes import Note

from .cost import Cost

AnswerT = TypeVar("AnswerT")
OtherT = TypeVar("OtherT")


@dataclass(frozen=True)
class Answered(Generic[AnswerT]):
    """Answer with its notes and cost; written by codec.save, read by codec.load(path, Answered[AnswerT]).

    Attributes:
        answer: Answer of the method to one part of a question, or to all parts joined.
        notes: Notes on the answer, each once.
        cost: Cost of the answer when it was made.
        kept: Whether it was read from the cache.
    """

    answer: AnswerT
    notes: tuple[Note, ...]
    cost: Cost
    kept: bool = False

    def about(self, subject: str) -> Answered[AnswerT]:
        """The same answer with all notes under a subject, such as the name of the method."""
        return replace(self, notes=tuple(note.about(subject) for note in self.notes))


def combined(answer: OtherT, parts: Sequence[Answered[AnswerT]]) -> Answered[OtherT]:
    """Answer joined from those to all parts, with their notes and their total cost.

    Args:
        answer: Answer joined from the parts.
        parts: Answers to the parts. Seconds add up, memory is the highest; the answer counts as kept if all parts are.
    """
    notes = dict.fromkeys(note for part in parts for note in part.notes)
    cost = Cost.total(part.cost for part in parts)
    return Answered(answer, tuple(notes), cost, all(part.kept for part in parts))
