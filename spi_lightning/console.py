"""Terminal output: a rich console without markup, and log records and warnings of one printable line each.

Names of files, data sets, structures and methods are never markup, and pass through `printable`.
"""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from .printable import printable

_PACKAGE: Final = __name__.partition(".")[0]
_LIGHTNING: Final = ("pytorch_lightning", "lightning_fabric", "lightning.pytorch")
_ADVICE: Final = (  # beginnings of Lightning's and torch's warnings that do not hold here
    ".*does not have many workers",
    ".*The number of training batches",
    ".*LeafSpec.* is deprecated",
    ".*your dataloader is not resumable",
    ".*It is recommended to use .self.log.*sync_dist=True",
    ".*Checkpoint directory .* exists and is not empty",
    ".*callbacks used to create the checkpoint need to be provided",
)


class Terminal(Console):
    """A rich console that prints str as one line, without markup and emoji codes; Text is printed as it is.

    Args:
        stderr: Whether to print to standard error instead of standard output.
        width: Number of columns where the output is not a terminal; None for rich's default.
    """

    def __init__(self, stderr: bool = False, width: int | None = None) -> None:
        stream = sys.stderr if stderr else sys.stdout
        super().__init__(stderr=stderr, width=None if stream.isatty() else width, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Printable Text of a str, as print, tables and rules use it."""
        return super().render_str(printable(text), **options)


def plain_output() -> None:
    """Set up standard streams to escape what they cannot encode, and logging and warnings to take one line each."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    logging.setLogRecordFactory(_record)
    warnings.formatwarning = _warning


def quiet_output() -> None:
    """As plain_output; show what this package logs, and of Lightning only warnings that a user can act on."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger(_PACKAGE).setLevel(logging.INFO)
    for name in _LIGHTNING:
        logging.getLogger(name).setLevel(logging.WARNING)
    for advice in _ADVICE:
        warnings.filterwarnings("ignore", message=advice)
    if not sys.stdout.isatty():  # notebooks set this for commands whose output they keep; bars are for terminals
        os.environ.pop("FORCE_COLOR", None)
    plain_output()


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Context in which Lightning logs no more than warnings: not which accelerators there are, nor its tips."""
    before = {name: logging.getLogger(name).level for name in _LIGHTNING}
    for name in before:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def _record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    """A log record; those of this package as one printable line."""
    record = logging.LogRecord(*args, **kwargs)
    if record.name.partition(".")[0] == _PACKAGE:
        record.msg, record.args = printable(record.getMessage()), None
    return record


def _warning(message: Warning | str, *_: Any, **__: Any) -> str:
    """A warning in one line, without the line of code that raised it."""
    return f"warning: {printable(' '.join(str(message).split()))}\n"
