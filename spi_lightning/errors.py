"""UserError, which commands print as one line without a traceback, and the checks of numbers."""

from math import isfinite
from typing import Final, TypeGuard

from .printable import printable

_LARGEST: Final = 10**9  # of patterns, processes and pictures; seeds are hashed
_FROM_WORKER: Final = "Caught UserError in "  # first words of an error that torch passes on from a worker


class UserError(Exception):
    """A mistake in the user's input: one clear line that names the file, key, shape or option, and the remedy.

    Every command prints the line without a traceback and exits with status 2. Names of files and of their contents are
    escaped by `printable`, so that none of them can break or forge the line.

    Examples:
        >>> from spi_lightning import UserError, read
        >>> try:
        ...     read("runs/absent")
        ... except UserError as mistake:
        ...     print(mistake)
        runs/absent: there is no such folder; name the folder of a run
    """

    def __init__(self, message: object = "") -> None:
        text = str(message)
        if text.startswith(_FROM_WORKER):  # the worker's traceback, which ends with the line
            text = text.strip().splitlines()[-1].removeprefix(f"{__name__}.UserError: ")
        super().__init__(printable(text))

    def _render_traceback_(self) -> list[str]:
        """The line that a notebook shows instead of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class PrunedError(Exception):
    """End of a training that a search has stopped early, since other settings do better at this step."""


def whole_number(name: str, value: object, least: int) -> int:
    """A setting as int: 10 and 1e4 are whole numbers, "ten", True and 2.5 are not.

    Args:
        name: Name of the setting, for the message.
        value: Value of the setting as the configuration holds it.
        least: Smallest number that is allowed; the largest is 1e9, but for seeds.

    Raises:
        UserError: Not a whole number, or outside the range.
    """
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    if isinstance(number, int) and not isinstance(number, bool) and number >= least:
        if name != "seed" and number > _LARGEST:
            raise UserError(f"{name}={value}: give at most {_LARGEST:.0e}")
        return number
    raise UserError(f"{name}={value}: give a whole number, {least} or more")


def is_number(value: object) -> TypeGuard[float]:
    """Whether a setting is a finite number: 10 and 1e4 are, True, NaN and "ten" are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
