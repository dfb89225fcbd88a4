"""A run folder after a mistake."""

from pathlib import Path

import pytest

from spi_lightning.errors import UserError
from spi_lightning.tasks.checkpoint import BEST
from spi_lightning.tracking import CONFIG, LOG
from spi_lightning.tracking.undo import undone_after


def run(folder: Path, is_mistake: bool) -> list[str]:
    """Write into a run folder and fail; what was discarded."""
    discarded: list[str] = []
    with (
        pytest.raises(UserError),
        undone_after(lambda error: is_mistake, folder, lambda: discarded.append("logs")),
    ):
        (folder / CONFIG).write_text("new")
        (folder / LOG).write_text("new")
        (folder / BEST).parent.mkdir()
        (folder / BEST).write_text("copied")
        raise UserError("optimizer.lr=1e30")
    return discarded


def test_a_mistake_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text("old")
    assert run(tmp_path, is_mistake=True) == ["logs"]
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {CONFIG: "old"}


def test_another_error_leaves_what_was_written(tmp_path: Path) -> None:
    assert run(tmp_path, is_mistake=False) == []
    assert (tmp_path / BEST).read_text() == "copied" and (tmp_path / CONFIG).read_text() == "new"
