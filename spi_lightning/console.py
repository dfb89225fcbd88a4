"""Everything that is printed: consoles that take names as they are, notes and warnings of one line each.

Names of files, data sets, structures and methods are never markup, and pass through `printable`.
"""

import logging
import sys
import warnings
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from .printable import printable

_PACKAGE: Final = __name__.partition(".")[0]


class Terminal(Console):
    """A rich console that prints str as one line, without markup and emoji codes; Text is printed as it is.

    Args:
        stderr: Whether to print there.
        width: Columns where the output is no terminal; None: what rich takes.
    """

    def __init__(self, stderr: bool = False, width: int | None = None) -> None:
        stream = sys.stderr if stderr else sys.stdout
        super().__init__(stderr=stderr, width=None if stream.isatty() else width, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """What print, tables and rules make of a str."""
        return super().render_str(printable(text), **options)


def plain_output() -> None:
    """Let no name end a command or forge a line: streams escape what they cannot encode, notes take one line each."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    logging.setLogRecordFactory(_record)
    warnings.formatwarning = _warning


def _record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    """A log record, of ours as one printable line."""
    record = logging.LogRecord(*args, **kwargs)
    if record.name.partition(".")[0] == _PACKAGE:
        record.msg, record.args = printable(record.getMessage()), None
    return record


def _warning(message: Warning | str, *_: Any, **__: Any) -> str:
    """What to beware of in one line, without the line of code that says so."""
    return f"warning: {printable(' '.join(str(message).split()))}\n"
