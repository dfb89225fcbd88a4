"""CONTRIBUTING.md tells the truth about the house, and its recipes are short."""

import ast
import re

import pytest

from tests.extending.page import PAGE, recipes
from tests.test_layers import HEIGHT, PACKAGE

LONGEST = 10  # lines of code of a recipe
TABLES = {
    head: re.findall(r"^\| (.+?) \| (.+) \|$", rows, re.MULTILINE)
    for head, rows in re.findall(r"^\| (room|where is) \|(.+?)\n\n", PAGE.read_text(encoding="utf-8"), re.M | re.S)
}


def test_the_map_names_every_package_once_and_in_its_order() -> None:
    named = [name for cells, _ in TABLES["room"] for name in re.findall(r"`(\S+?)`", cells)]
    there = {f"{path.name}/" for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    there |= {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py"}
    assert sorted(named) == sorted(there)
    heights = [HEIGHT[name.rstrip("/")] for name in named if name.endswith("/")]
    assert heights == sorted(heights)


@pytest.mark.parametrize(("question", "answer"), TABLES["where is"])
def test_a_thing_is_where_the_page_says(question: str, answer: str) -> None:
    path = None
    for word in re.findall(r"`(.+?)`", answer):
        if "/" in word:
            path = (PACKAGE.parent if word.startswith("conf/") else PACKAGE) / word
            assert path.exists(), (question, word)
        else:
            assert path is not None
            assert re.search(rf"^ *(?:def|class) {word}\b", path.read_text(encoding="utf-8"), re.M), (question, word)


@pytest.mark.parametrize("name", recipes())
def test_a_recipe_is_about_ten_lines_and_two_files(name: str) -> None:
    (code,) = (text for path, text in recipes()[name].files.items() if path.endswith(".py"))
    assert len(recipes()[name].files) == 2
    lines: set[int] = set()
    for node in ast.walk(ast.parse(code)):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.stmt) and not is_text and not isinstance(node, ast.Import | ast.ImportFrom):
            last = node.end_lineno if not hasattr(node, "body") else node.body[0].lineno - 1
            lines |= set(range(node.lineno, max(last or 0, node.lineno) + 1))
    assert len(lines) <= LONGEST, sorted(lines)


def test_there_are_seven_recipes() -> None:
    names = ["network", "loss", "method", "file format", "metric", "simulated particle", "figure of a report"]
    assert list(recipes()) == names
