"""Names of files and of what is in them cannot break, forge or hide a part of what is printed."""

import io
import logging
import sys
import warnings
from collections.abc import Iterator

import pytest
from rich.table import Table

from spi_lightning.console import Terminal, plain_output
from spi_lightning.errors import UserError
from spi_lightning.printable import printable
from spi_lightning.progress import ProgressBar

FORGED = "x\nerror: all is well\x1b[32m\r\u202e\u2028\x9b31m"


@pytest.mark.parametrize(
    "text", ["plain [red] $x^$ 100%", "Größe µm Ångström 試料 пример Ω²", "👩‍🔬", "a\u00a0b", "c:\\new"]
)
def test_ordinary_text_stays(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202egnp.exe\u2066", r"\u202egnp.exe\u2066"),
        ("one\u2028two\u2029three\x85four", r"one\u2028two\u2029three\x85four"),
        ("\ufeffname\u200b", r"\ufeffname\u200b"),
        ("caf\udce9.h5", r"caf\xe9.h5"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_is_escaped(text: str, escaped: str) -> None:
    assert printable(text) == escaped and printable(escaped) == escaped
    assert len(printable(text).splitlines()) == 1 and printable(text).encode()


def test_errors_are_one_line_whatever_they_name() -> None:
    assert str(UserError(f"{FORGED}: no")).splitlines() == [r"x\nerror: all is well\x1b[32m\r\u202e\u2028\x9b31m: no"]
    inner = UserError("bad\nspi_lightning.errors.UserError: all is well")
    worker = f"Caught UserError in DataLoader worker process 0.\nTraceback\nspi_lightning.errors.UserError: {inner}\n"
    assert str(UserError(worker)) == str(inner)


@pytest.fixture
def restored() -> Iterator[None]:
    factory, form = logging.getLogRecordFactory(), warnings.formatwarning
    yield
    logging.setLogRecordFactory(factory)
    warnings.formatwarning = form


@pytest.mark.usefixtures("restored")
def test_notes_and_warnings_are_one_line(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", ascii_only)
    plain_output()
    print("Größe \udcff")
    ascii_only.flush()
    assert ascii_only.buffer.getvalue() == b"Gr\\xf6\\xdfe \\udcff\n"  # type: ignore[attr-defined]
    with caplog.at_level(logging.INFO):
        logging.getLogger("spi_lightning.io.x").info(f"{FORGED} 100%s")
        logging.getLogger("spi_lightning.io.x").info("%s of %d", "a\nb", 3)
        logging.getLogger("other").info("two\nlines")
    assert [len(record.getMessage().splitlines()) for record in caplog.records] == [1, 1, 2]
    assert caplog.records[1].getMessage() == r"a\nb of 3"
    assert warnings.formatwarning(UserWarning(f"two\nlines {FORGED}"), UserWarning, "f", 1).count("\n") == 1


def test_consoles_take_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    console = Terminal(width=80)
    table = Table("name", title="t[bold]\nerror: x")
    table.add_row("run[red] :smile: [/]\nerror: y")
    console.print(table)
    console.print(f"report: [/none] {FORGED}", soft_wrap=True)
    out = capsys.readouterr().out
    assert "run[red] :smile: [/]\\nerror: y" in out and "t[bold]\\nerror: x" in out
    assert "[/none] x\\nerror: all is well\\x1b[32m" in out
    assert not any(line.startswith("error") for line in out.splitlines()) and "\x1b" not in out


def test_bars_take_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar(always=True) as bar:
        bar.advance(bar.add_task("[/] a\nerror: b", total=1))
    escaped = capsys.readouterr().err
    assert "[/] a\\nerror: b" in escaped
