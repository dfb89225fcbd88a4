"""Protocol of evaluation: questions made of parts, and methods that answer them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from spi_lightning.progress import Listener

PartT = TypeVar("PartT")
AnswerT = TypeVar("AnswerT")
PartIn = TypeVar("PartIn", contravariant=True)
AnswerOut = TypeVar("AnswerOut", covariant=True)


class Method(Protocol[PartIn, AnswerOut]):
    """Method that answers one kind of question.

    A frozen dataclass: its fields, and nothing else, decide the answer, but for those annotated as Irrelevant, such as
    the name. What it loads, such as a network, is a cached property, not a field. It gives notes and progress to the
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


class Question(ABC, Generic[PartT, AnswerT]):
    """Question to every method: all frames, folds of a labelled file, or patterns times draws of held-out voxels.

    Attributes:
        answer_type: Dataclass of the answers, which the cache reads and whose ``layout`` they must have.
        remedy: End of the message on answers that hold NaN: what the user can do.
    """

    answer_type: ClassVar[type[Any]]
    remedy: ClassVar[str] = "leave it out"

    @abstractmethod
    def parts(self, method: Any) -> Iterable[PartT]:
        """Parts to be answered one at a time; each holds the whole input of the method, and has a fingerprint."""

    def sizes(self, part: PartT) -> Mapping[str, int]:
        """Lengths of the axes of an answer by their names in its layout, as far as a part sets them."""
        return {}

    def join(self, parts: Sequence[PartT], answers: Sequence[AnswerT]) -> Any:
        """Answer to the whole question from those to its parts; of a question of one part, that one."""
        (answer,) = answers
        return answer
