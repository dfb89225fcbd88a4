"""An answer of a method with its notes and its cost, as the cache keeps it and result files hold it."""

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
    """An answer and how it came about; written by codec.save and read by codec.load(path, Answered[AnswerT]).

    Attributes:
        answer: Answer of the method to one part of a question, or to all parts joined.
        notes: What a user should know of it, each note once.
        cost: Cost of making it, whenever that was.
        kept: Whether it was read from the cache.
    """

    answer: AnswerT
    notes: tuple[Note, ...]
    cost: Cost
    kept: bool = False

    def about(self, subject: str) -> Answered[AnswerT]:
        """The same with every note under a subject, such as the name of the method."""
        return replace(self, notes=tuple(note.about(subject) for note in self.notes))


def combined(answer: OtherT, parts: Sequence[Answered[AnswerT]]) -> Answered[OtherT]:
    """An answer made of the answers to all parts, with the notes of all and their cost together.

    Args:
        answer: Answer to all parts together.
        parts: Answers to the parts; seconds add up, of memory the highest counts, and it is kept where all are.
    """
    notes = dict.fromkeys(note for part in parts for note in part.notes)
    cost = Cost.total(part.cost for part in parts)
    return Answered(answer, tuple(notes), cost, all(part.kept for part in parts))
