"""Benchmarks are run now and then: what they take from the package must be there whenever it changes."""

import ast
import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize("path", sorted(BENCHMARKS.rglob("*.py")), ids=lambda path: path.stem)
def test_every_name_that_a_benchmark_imports_is_there(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("spi_lightning", "benchmarks"):
            assert node.module
            names = [alias.name for alias in node.names]
            found = [
                hasattr(importlib.import_module(node.module), name) or importlib.import_module(f"{node.module}.{name}")
                for name in names
            ]
            assert all(found)
