"""Runner of evaluations: answers of a method to all parts of a question, cached, with their cost."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import getsourcefile
from pathlib import Path
from typing import Any, TypeVar

import torch

import spi_lightning
from spi_lightning.errors import UserError
from spi_lightning.notes import Note, NoteWarning
from spi_lightning.progress import Listener, Progress, no_progress
from spi_lightning.results.answered import Answered, combined, measured
from spi_lightning.results.layout import require_answer

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
) -> Iterator[tuple[PartT, Answered[AnswerT]]]:
    """Parts of a question and the answers of a method to them, in their order, each as soon as it is there.

    An interrupted run leaves what was answered in the cache and nothing half-written. Notes are those that the method
    gave its listener and the warnings that were given meanwhile; all bear the name that the method has now.

    Args:
        method: Method that is to answer.
        question: Question whose parts are answered one after another.
        cache: Folder in which answers are kept; by default none.
        progress: Callback of methods that take steps.
        show: Called with every new note, and with those of a kept answer.

    Raises:
        UserError: The method cannot answer, gives an answer that require_answer refuses, or a file cannot be written;
            also any other error of a method from outside this package.
        TypeError: The method or a part has no fingerprint.
    """
    known: set[Note] = set()
    for part in question.parts(method):
        listener = Listener(progress)
        with _own_faults(method):
            path = cache.path(method, part)
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


def ask_whole(
    method: Method[PartT, AnswerT],
    question: Question[PartT, AnswerT],
    cache: Cache = NO_CACHE,
    show: Callable[[Note], None] = lambda note: None,
) -> Answered[Any]:
    """Answer of a method to a whole question: that of all parts joined, with their notes and cost together.

    Arguments and errors are those of `ask`.
    """
    parts, answered = zip(*ask(method, question, cache, show=show), strict=True)
    return combined(question.join(parts, [each.answer for each in answered]), answered)


def _answered(
    method: Method[PartT, AnswerT], question: Question[PartT, AnswerT], part: PartT, listener: Listener
) -> Answered[AnswerT]:
    """New answer with its cost and notes; NoteWarnings and UserWarnings become notes, others are raised again."""
    with warnings.catch_warnings(record=True) as caught, measured() as cost, _own_faults(method):
        warnings.simplefilter("always", NoteWarning)
        answer = method.answer(part, listener)
    for one in caught:
        if isinstance(one.message, NoteWarning):
            listener.note(one.message.note)
        elif issubclass(one.category, UserWarning):
            listener.note(Note.warning(" ".join(str(one.message).split())))
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    require_answer(answer, question.answer_type, question.sizes(part), method.name, question.remedy)
    return Answered(answer, tuple(listener.notes), cost)


@contextmanager
def _own_faults(method: Any) -> Iterator[None]:
    """Context in which an error of a method from outside this package is a UserError that names its line of code."""
    try:
        yield
    except (UserError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        kind = type(method)
        if kind.__module__.partition(".")[0] == spi_lightning.__name__:
            raise
        source = getsourcefile(kind)
        own = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == source]
        where = f"{Path(source or '').name}, line {own[-1]}" if own else kind.__qualname__
        what = " ".join(str(error).split())
        raise UserError(
            f"{method.name}: {type(error).__name__} in {where}: {what} (HYDRA_FULL_ERROR=1 shows the traceback)"
        ) from error
