"""The one runner: asks a method every part of a question, keeps its answers, and measures their cost."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from spi_lightning.notes import Note, NoteWarning
from spi_lightning.progress import Listener, Progress, no_progress
from spi_lightning.results.answered import Answered, combined
from spi_lightning.results.cost import measured

from .cache import Cache
from .protocol import Method, Question

PartT = TypeVar("PartT")
AnswerT = TypeVar("AnswerT")
NO_CACHE = Cache()


def ask(
    method: Method[PartT, AnswerT],
    question: Question[PartT, AnswerT],
    cache: Cache = NO_CACHE,
    progress: Progress = no_progress,
    show: Callable[[Note], None] = lambda note: None,
) -> Iterator[Answered[AnswerT]]:
    """Answers of a method to the parts of a question, in their order, each as soon as it is there.

    An interrupted run leaves what was answered in the cache and nothing half-written. Notes are those that the method
    gave its listener and the warnings that were given meanwhile; all bear the name that the method has now.

    Args:
        method: Method that is to answer.
        question: Question whose parts are asked one after another.
        cache: Folder in which answers are kept; by default none.
        progress: Called on the way by methods that take steps.
        show: Called with every new note, and with those of a kept answer.

    Raises:
        UserError: The method cannot answer, gives an answer that `Question.check` refuses, or a file cannot be written.
        TypeError: The method or a part has no fingerprint.
    """
    for _, answered in _parts_and_answers(method, question, cache, progress, show):
        yield answered


def ask_whole(
    method: Method[PartT, AnswerT],
    question: Question[PartT, AnswerT],
    cache: Cache = NO_CACHE,
    progress: Progress = no_progress,
    show: Callable[[Note], None] = lambda note: None,
) -> Answered[Any]:
    """Answer of a method to a whole question: that of all parts joined, with their notes and cost together.

    Arguments and errors are those of `ask`.
    """
    pairs = list(_parts_and_answers(method, question, cache, progress, show))
    parts, answered = [part for part, _ in pairs], [each for _, each in pairs]
    return combined(question.join(parts, [each.answer for each in answered]), answered)


def _parts_and_answers(
    method: Method[PartT, AnswerT],
    question: Question[PartT, AnswerT],
    cache: Cache,
    progress: Progress,
    show: Callable[[Note], None],
) -> Iterator[tuple[PartT, Answered[AnswerT]]]:
    """Parts with their answers, kept or new."""
    known: set[Note] = set()
    for part in question.parts(method):
        path, listener = cache.path(method, part), Listener(progress)
        answered = cache.load(path, question.answer_type, listener)
        if answered is None:
            damage, listener = tuple(listener.notes), Listener(progress)
            made = cache.save(path, _answered(method, question, part, listener))
            answered = Answered(made.answer, (*damage, *made.notes), made.cost)
        answered = answered.about(method.name)
        for note in answered.notes:
            if note not in known:
                known.add(note)
                show(note)
        yield part, answered


def _answered(
    method: Method[PartT, AnswerT], question: Question[PartT, AnswerT], part: PartT, listener: Listener
) -> Answered[AnswerT]:
    """One answer, new, with its cost and notes; warnings that are no note and no UserWarning are given on."""
    with warnings.catch_warnings(record=True) as caught, measured() as cost:
        warnings.simplefilter("always", NoteWarning)
        answer = method.answer(part, listener)
    for one in caught:
        if isinstance(one.message, NoteWarning):
            listener.note(one.message.note)
        elif issubclass(one.category, UserWarning):
            listener.note(Note.warning(" ".join(str(one.message).split())))
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    question.check(answer, method.name)
    return Answered(answer, tuple(listener.notes), cost)
