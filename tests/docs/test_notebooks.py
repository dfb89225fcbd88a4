"""Sources of the notebooks; `make notebooks` executes them."""

import ast

import jupytext
import pytest

from tests.notebooks import SOURCES

NOTEBOOKS = sorted(SOURCES.glob("*.py"))
LONGEST = 24  # lines of a cell


def test_there_are_five() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["crystal", "detector", "hits", "own_parts", "pattern"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_are_short_and_explained_and_nothing_is_kept_of_a_run(path) -> None:
    notebook = jupytext.read(path)
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.get("outputs") for cell in code)
    assert max(len(cell.source.splitlines()) for cell in code) <= LONGEST
    for cell in code:
        if not cell.source.startswith("%%"):
            ast.parse(cell.source)
