"""Extraction of a user's mistake from an error and its causes, as one line."""

from collections.abc import Callable

from .errors import UserError
from .files import is_write_error, write_error


def causes_of(error: BaseException) -> list[BaseException]:
    """An error and its causes, outermost first."""
    causes: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in causes:
        causes.append(following)
        following = following.__cause__ or following.__context__
    return causes


def mistake_of(error: BaseException, is_output: Callable[[object], bool] = lambda name: False) -> str | None:
    """A user's mistake, or an output that cannot be written, in one line; None for other errors.

    Args:
        error: Error that was raised, with its causes.
        is_output: Whether a file of this name is an output of the process; errors that can only come from writing are
            recognised without it.
    """
    causes = causes_of(error)
    for cause in causes:
        if isinstance(cause, UserError):
            return str(cause)
    for cause in causes:
        if isinstance(cause, OSError) and (is_write_error(cause) or is_output(cause.filename)):
            return str(write_error(cause.filename or "output", cause))
    return None
