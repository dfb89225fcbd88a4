"""Messages for users have no final period: they are one line, and lists and pages join them to others."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "spi_lightning"
MAKERS = {"UserError", "Note", "NoteWarning", "Note.of", "Note.hint", "Note.warning"}


def end(node: ast.expr | None) -> str:
    """Last literal piece of a text, empty where it ends with a value."""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=[*_, ast.Constant(value=str() as text)]):
            return text
        case ast.BinOp(right=right):
            return end(right)
        case ast.IfExp(body=body, orelse=orelse):
            return end(body) if end(body).endswith(".") else end(orelse)
    return ""


def with_period(source: str) -> Iterator[int]:
    """Lines of messages that end with a period."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in MAKERS:
            yield from (node.lineno for each in node.args if end(each).rstrip().endswith("."))


def test_messages_have_no_final_period() -> None:
    found = [f"{path}:{line}" for path in PACKAGE.rglob("*.py") for line in with_period(path.read_text())]
    assert not found


def test_a_final_period_is_caught() -> None:
    assert list(with_period('UserError("wrong.")\nUserError(f"{x}: no.")\nNote.of("a" if b else f"{c}.")')) == [1, 2, 3]
    assert not list(with_period('UserError(f"{x}.{y}")\nNote.of("set data.bin")\nprint("done.")'))
