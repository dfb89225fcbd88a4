"""Public names of a package that are imported when they are first used, so that a command loads what it needs."""

import ast
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import resolve_name
from pathlib import Path
from typing import Any


def lazily(package: str) -> Callable[[str], Any]:
    """``__getattr__`` of a package, by which what its source imports below ``if TYPE_CHECKING:`` comes at first use.

    Type checkers and people read the imports as usual. No name may be that of a module of the package.

    Args:
        package: ``__name__`` of the package, whose file is its source.
    """
    source = Path(str(sys.modules[package].__file__)).read_text(encoding="utf-8")
    homes = dict(_imports(ast.parse(source), package))

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(import_module(homes[name]), name)
        setattr(sys.modules[package], name, found)
        return found

    return find


def _imports(source: ast.Module, package: str) -> Iterator[tuple[str, str]]:
    """Name and full name of the module of every import for type checkers."""
    for block in source.body:
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING":
            for line in block.body:
                if isinstance(line, ast.ImportFrom):
                    home = resolve_name("." * line.level + (line.module or ""), package)
                    yield from ((each.name, home) for each in line.names)
