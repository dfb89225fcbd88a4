"""The error that a user's mistake raises: one line, without a traceback."""

from typing import Final

from spi_lightning.printable import printable

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
