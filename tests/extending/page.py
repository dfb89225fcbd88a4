"""CONTRIBUTING.md as data: the files and commands of its recipes."""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.cases.commands import ROOT

PAGE: Final = ROOT / "CONTRIBUTING.md"
_HEADING: Final = re.compile(r"^### \d+\. An? (.+)$", re.MULTILINE)
_BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED: Final = re.compile(r"(?:# @package .*\n)?# (\S+\.(?:py|yaml))\n")


@dataclass(frozen=True)
class Recipe:
    """One recipe of the page.

    Attributes:
        files: Text of each file that it adds, by its path from the user's folder.
        commands: Words of each command, without ``python``.
    """

    files: dict[str, str] = field(default_factory=dict)
    commands: list[list[str]] = field(default_factory=list)


def recipes() -> dict[str, Recipe]:
    """Every recipe of CONTRIBUTING.md, by the word of its heading: network, loss, ..."""
    parts = _HEADING.split(PAGE.read_text(encoding="utf-8"))[1:]
    return {name: _recipe(text) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def _recipe(text: str) -> Recipe:
    found = Recipe()
    for language, block in _BLOCK.findall(text.partition("\n## ")[0]):
        if language == "bash":
            found.commands.extend(shlex.split(line)[1:] for line in block.replace("\\\n", " ").splitlines())
        else:
            named = _NAMED.match(block)
            assert named is not None, f"a block does not begin with the path of its file: {block[:40]}"
            found.files[named[1]] = block
    return found


def write_files(folder: Path) -> None:
    """Lay the files of all recipes under a folder, as their user would."""
    for recipe in recipes().values():
        for path, text in recipe.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
