"""What the build of the site makes of files: notebooks, comments, links."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cases.commands import ROOT


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """docs/hooks on the path of imports, as MkDocs has it."""
    pytest.importorskip("mkdocs")
    monkeypatch.syspath_prepend(str(ROOT / "docs/hooks"))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(ROOT / "docs")):
            del sys.modules[name]


@pytest.mark.usefixtures("hooks")
def test_a_notebook_in_cells_becomes_markdown(tmp_path: Path) -> None:
    from pages_of_notebooks import as_markdown  # type: ignore[import-not-found]

    path = tmp_path / "a.py"
    path.write_text(
        "# ---\n# jupyter: {}\n# ---\n# %% [markdown]\n# # Title\n#\n# Text.\n# %%\n# %%writefile b.py\nx = 1\n"
    )
    assert as_markdown(path) == "# Title\n\nText.\n\n```python\n%%writefile b.py\nx = 1\n```"


@pytest.mark.usefixtures("hooks")
def test_outputs_of_a_notebook_are_displayed(tmp_path: Path) -> None:
    from pages_of_notebooks import as_markdown

    outputs: list[dict[str, Any]] = [
        {"data": {"text/plain": ["2"]}},
        {"data": {"image/png": "iVBORw0K\n"}},
        {"text": "said"},
    ]
    cells = [{"cell_type": "code", "source": ["1 + 1"], "outputs": outputs}]
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    text = as_markdown(path)
    assert "```text\n2\n```" in text and 'base64,iVBORw0K"' in text and "said" in text


@pytest.mark.usefixtures("hooks")
def test_comments_have_code_and_no_other_marks() -> None:
    from markdown_text import code, prose  # type: ignore[import-not-found]

    assert prose("see phasing.recipe='2*(ER)' or a_b*c [x]") == r"see `phasing.recipe='2*(ER)'` or a\_b\*c \[x\]"
    assert code("a|b") == r"`a\|b`"


@pytest.mark.usefixtures("hooks")
def test_every_group_and_command_has_a_page() -> None:
    from pages_of_settings import command_page, group_page, groups  # type: ignore[import-not-found]

    assert "optimizer" in groups() and "data/keys" in groups()
    adam = group_page("optimizer")
    assert "| `lr` | `1.0e-3` | learning rate |" in adam and "| `kernel_penalty` | `0.0` |" in adam
    assert "[`network=resnet10`](../settings/network.md#resnet10)" in command_page("train")
