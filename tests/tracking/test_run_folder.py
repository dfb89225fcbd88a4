"""Files of a run folder: what versions.json holds, and a folder left as it was after a mistake."""

import json
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.tasks.checkpoint_files import BEST
from spi_lightning.tracking import CONFIG, LOG, AtomicCheckpointIO, versions
from spi_lightning.tracking.run_folder import undone_after


def test_a_checkpoint_that_cannot_be_finished_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, path = AtomicCheckpointIO(), tmp_path / "checkpoints/last.ckpt"
    writer.save_checkpoint({"step": 1}, path)

    def cut_short(_: Any, part: BinaryIO) -> None:
        part.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", cut_short)
    with pytest.raises(KeyboardInterrupt):
        writer.save_checkpoint({"step": 2}, path)
    assert torch.load(path, weights_only=True) == {"step": 1}
    assert [p.name for p in path.parent.iterdir()] == ["last.ckpt"]


def test_versions_say_what_ran_where() -> None:
    found = versions()
    assert found["packages"]["torch"] == torch.__version__ and found["cpus"] >= 1
    assert {"python", "git", "cpu", "gpus"} <= set(found)
    json.dumps(found)


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
