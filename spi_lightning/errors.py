"""The error that a user's mistake raises, one line without a traceback, and the check of whole numbers."""

from typing import Final

from .printable import printable

_MOST: Final = 10**9  # of patterns, processes and pictures; seeds are hashed
_OF_A_WORKER: Final = "Caught UserError in "  # opens what torch makes of an error of its worker


class UserError(Exception):
    """A mistake in the user's input: one clear line that names the file, key, shape or option, and the remedy.

    Every app prints the line without a traceback and leaves with status 2. Names of files and of what is in them stand
    in it as `printable` shows them, so none of them can break or forge the line.
    """

    def __init__(self, message: object = "") -> None:
        text = str(message)
        if text.startswith(_OF_A_WORKER):  # the worker's traceback, which ends with the line
            text = text.strip().splitlines()[-1].removeprefix(f"{__name__}.UserError: ")
        super().__init__(printable(text))


def whole_number(name: str, value: object, least: int) -> int:
    """A setting as int: 1e4 is one, ten and 2.5 are not."""
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    if isinstance(number, int) and not isinstance(number, bool) and number >= least:
        if name != "seed" and number > _MOST:
            raise UserError(f"{name}={value}: give at most {_MOST:.0e}")
        return number
    raise UserError(f"{name}={value}: give a whole number, {least} or more")
