"""A bar in a log: lines now and then instead of drawing."""

import pytest

from spi_lightning import progress
from spi_lightning.progress import ProgressBar


def test_a_log_without_a_terminal_gets_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with ProgressBar() as bar:
        task = bar.add_task("training frames [red]", total=400)
        for done in range(1, 101):
            now[0] += 1.0
            bar.update(task, completed=done)
    lines = [line for line in capsys.readouterr().err.splitlines() if line]
    assert len(lines) == 10 and lines[0].startswith("training frames [red]: 10 of 400")


def test_a_short_job_leaves_no_line_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar() as bar:
        task = bar.add_task("frames", total=3)
        bar.advance(task)
    assert capsys.readouterr().err == ""
