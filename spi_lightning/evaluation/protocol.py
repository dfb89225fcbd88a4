"""The one protocol of evaluation: questions made of parts, methods that answer them, and what an answer is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeVar

from spi_lightning.progress import Listener

PartT = TypeVar("PartT")
AnswerT = TypeVar("AnswerT")
PartIn = TypeVar("PartIn", contravariant=True)
AnswerOut = TypeVar("AnswerOut", covariant=True)


class Method(Protocol[PartIn, AnswerOut]):
    """Anything that answers one kind of question.

    A frozen dataclass: its fields, and nothing else, decide the answer, but for those annotated as Irrelevant, such as
    the name. What it loads, such as a network, is a cached property and no field. It gives notes and progress to the
    listener alone, and reads no labels but those of the part.
    """

    @property
    def name(self) -> str:
        """Name in tables; no part of the fingerprint."""
        ...

    def answer(self, part: PartIn, listener: Listener) -> AnswerOut:
        """Answer one part.

        Raises:
            UserError: The method cannot answer it.
        """
        ...


class Question(Protocol[PartT, AnswerT]):
    """What is asked of every method: all frames, folds of a labelled file, patterns times draws of held-out voxels."""

    @property
    def answer_type(self) -> type[AnswerT]:
        """Dataclass of the answers, which the cache reads."""
        ...

    def parts(self, method: Method[PartT, AnswerT]) -> Iterable[PartT]:
        """Parts to be asked one at a time; each holds all that the method may see, and has a fingerprint."""
        ...

    def check(self, answer: AnswerT, name: str) -> None:
        """Refuse an answer that must not be kept.

        Args:
            answer: Answer to one part.
            name: Name of the method.

        Raises:
            UserError: Values that are not numbers, say.
        """
        ...

    def join(self, parts: Sequence[PartT], answers: Sequence[AnswerT]) -> Any:
        """Answer to the whole question from its parts and the answers to them, in one order."""
        ...
