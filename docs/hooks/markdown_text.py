"""Text of comments and docstrings as Markdown."""

import re
from collections.abc import Iterable, Sequence

_VALUE = r"(?:'[^']*'|\[[^\]]*\]|\{[^}]*\}|[^\s;]*[^\s;,.:)\]])"
_CODE = re.compile(r"(``?)(.+?)\1|(?<![\w`])([~+]?[\w./]+=" + _VALUE + ")")
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#])")


def code(text: str) -> str:
    """Inline code that may stand in a cell of a table; nothing for no text."""
    mark = "``" if "`" in text else "`"
    return f"{mark}{text}{mark}".replace("|", "\\|") if text else ""


def prose(text: str) -> str:
    """Words with key=value as code and no other marks."""
    parts, end = [], 0
    for found in _CODE.finditer(text):
        parts += [_SPECIAL.sub(r"\\\1", text[end : found.start()]), code(found[2] or found[3])]
        end = found.end()
    return "".join([*parts, _SPECIAL.sub(r"\\\1", text[end:])])


def cell(text: str) -> str:
    """Text in one line."""
    return " ".join(text.split())


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell(each) for each in line) + " |" for line in lines)
