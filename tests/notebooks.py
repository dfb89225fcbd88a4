"""Execution of the notebooks of the documentation: python -m tests.notebooks [NAME ...], for `make notebooks`.

Sources are scripts in jupytext's percent format, docs/notebooks/NAME.py. Each runs in an empty folder of its own and
leaves build/notebooks/NAME.ipynb with its outputs, which the site shows.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT: Final = Path(__file__).parents[1]
SOURCES: Final = ROOT / "docs" / "notebooks"
EXECUTED: Final = ROOT / "build" / "notebooks"
LONGEST: Final = 240  # seconds of one cell, on loaded cores
QUIET: Final = ["--IPKernelApp.log_level=40"]  # without its warning of the transport


def execute(source: Path) -> Any:
    """The notebook of a script with the outputs of its cells.

    Raises:
        CellExecutionError: A cell has failed, or a command that it calls.
    """
    notebook = jupytext.read(source)
    with tempfile.TemporaryDirectory() as folder:
        where = {"metadata": {"path": folder}}
        NotebookClient(
            notebook, timeout=LONGEST, resources=where, extra_arguments=QUIET, coalesce_streams=True
        ).execute()
    for text in texts_of(notebook):
        if "Traceback (most recent call last)" in text or text.startswith("error: "):
            raise RuntimeError(f"{source.name}: {text[-2000:]}")  # of a command behind "!"
    return notebook


def texts_of(notebook: Any) -> list[str]:
    """Everything that the cells print."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output["text"] for output in outputs if output["output_type"] == "stream"]


def pictures_in(notebook: Any) -> int:
    """Number of pictures that the cells display."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return sum("image/png" in output.get("data", {}) for output in outputs)


def main(names: list[str]) -> int:
    """Execute the named notebooks, or all; the exit status."""
    failed: list[str] = []
    EXECUTED.mkdir(parents=True, exist_ok=True)
    for source in sorted(SOURCES.glob("*.py")):
        if names and source.stem not in names:
            continue
        began = time.perf_counter()
        try:
            notebook = execute(source)
        except (CellExecutionError, RuntimeError, TimeoutError) as error:
            failed.append(source.stem)
            print(f"{source.stem}: FAILED\n{error}")
            continue
        nbformat.write(notebook, EXECUTED / f"{source.stem}.ipynb")
        print(f"{source.stem}: {time.perf_counter() - began:.0f} s, {pictures_in(notebook)} pictures", flush=True)
    return len(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
