"""The command ``spi``: the names of its commands, each a module of this folder that is imported when it is called."""

import os
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Final, NoReturn

from spi_lightning import __version__, quiet_start
from spi_lightning.printable import printable

FILE_KEY: Final[Mapping[str, str]] = {
    "simulate": "path",
    "describe": "data.path",
    "train": "",
    "classify": "data.path",
    "label": "data.path",
    "tune": "data.path",
    "evaluate": "data.path",
    "phase": "data.path",
    "orient": "data.path",
    "compare": "runs",
    "compare-densities": "densities",
    "report": "run",
    "weights": "name",
    "export": "run",
}
"""Commands in the order of an experiment, and the setting that a bare word stands for; empty where there is none."""
_ALIASES: Final = {"classify": "evaluate"}  # commands that differ from another one in their settings alone
CONFIG: Final = "config"
"""Command that prints the settings of another one, by default of ``train``."""
_HELP: Final = ("-h", "--help")


def main() -> None:
    """Run ``spi COMMAND [WORD ...]``, the console script; exit status 2 after one line of a mistake."""
    name, words = sys.argv[1] if len(sys.argv) > 1 else "--help", sys.argv[2:]
    if name == "help":
        name, words = (words[0], ["--help"]) if words else ("--help", [])
    if name in _HELP:
        from .process.help import overview

        _print_page(overview(FILE_KEY))
    elif name == "--version":
        print(f"spi_lightning {__version__}")
    elif name in (*FILE_KEY, CONFIG):
        run(name, 2)
    else:
        near = get_close_matches(name, (*FILE_KEY, CONFIG), 1)
        remedy = f"did you mean spi {near[0]}?" if near else f"commands are {', '.join(FILE_KEY)}"
        refuse(f"spi {name} is not a command; {remedy}")


def run(name: str, first: int = 1) -> None:
    """Run one command with the words of sys.argv.

    Args:
        name: Name of the command, a key of FILE_KEY.
        first: Number of leading words of sys.argv that are not the command's: the program, and its name after ``spi``.
    """
    quiet_start.begin()
    words = sys.argv[first:]
    if any(word in _HELP for word in words):
        from .process.help import help_of

        _print_page(help_of(name, words, FILE_KEY.get(name, "")))
        return
    module = _ALIASES.get(name, name).replace("-", "_")
    function = getattr(import_module(f"spi_lightning.apps.{module}"), module)
    if name == CONFIG:
        first, name = (first + 1, words[0]) if words and words[0] in FILE_KEY else (first, "train")
    from .process.entry import run_app

    run_app(function, first, FILE_KEY[name], name)


def _print_page(text: str) -> None:
    """Print a page of help, of which the reader, such as ``head``, may take a part alone."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def refuse(line: str) -> NoReturn:
    """Print a mistake as one line on stderr and leave with status 2."""
    print(f"error: {printable(line)}", file=sys.stderr)
    sys.exit(2)
