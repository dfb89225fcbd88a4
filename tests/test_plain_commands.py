"""Commands without a configuration: a mistake, a stop and a full disk are one line each."""

import contextlib
import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from spi_lightning.errors import UserError
from spi_lightning.files import atomic_write
from spi_lightning.mistakes import run_plain


def send(number: int) -> None:
    """Send a signal to this process, now."""
    os.kill(os.getpid(), number)
    threading.Event().wait(10)


def mistake() -> None:
    raise UserError("a\nmistake")


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "out.csv")


@pytest.mark.parametrize(
    ("command", "status", "line"),
    [
        (mistake, 2, "error: a\\nmistake\n"),
        (full, 2, "error: out.csv: cannot be written, the disk is full; free some space or write elsewhere\n"),
        (lambda: send(signal.SIGINT), 130, "stopped\n"),
        (lambda: send(signal.SIGTERM), 143, "stopped: by SIGTERM\n"),
        (lambda: send(signal.SIGHUP), 129, "stopped: by SIGHUP\n"),
        (lambda: None, 0, ""),
    ],
)
def test_every_end_is_one_line(capsys, command: Callable[[], None], status: int, line: str) -> None:
    assert run_plain(command) == status
    assert capsys.readouterr().err == line


def test_a_fault_of_ours_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run_plain(lambda: print(1 / 0))


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    def write() -> None:
        with atomic_write(tmp_path / "a.csv") as part:
            part.write_text("half")
            send(signal.SIGTERM)

    assert run_plain(write) == 143
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_that_a_library_turns_into_an_error_counts(capsys) -> None:
    def swallowed() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            send(signal.SIGTERM)
        raise AttributeError("'NoneType' object has no attribute 'x'")

    assert run_plain(swallowed) == 143
    assert capsys.readouterr().err == "stopped: by SIGTERM\n"


class Late:
    """An object in whose destructor an interrupt comes."""

    def __del__(self) -> None:
        send(signal.SIGINT)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers on this system")
def test_an_interrupt_that_python_drops_comes_again(capsys) -> None:
    def command() -> None:
        late = Late()
        del late  # Python can raise nothing here
        time.sleep(5)

    began = time.monotonic()
    assert run_plain(command) == 130
    assert time.monotonic() - began < 4
    assert capsys.readouterr().err == "stopped\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_output_onto_a_full_disk_is_one_line(capfd, monkeypatch) -> None:
    with Path("/dev/full").open("w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert run_plain(lambda: print("much")) == 2
    assert capfd.readouterr().err == (
        "error: output: cannot be written, the disk is full; free some space or write elsewhere\n"
    )
