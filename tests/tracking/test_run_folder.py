import json
from pathlib import Path
from typing import Any

import pytest
import torch

from spi_lightning.tracking import AtomicCheckpointIO, versions, write_json, write_text


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_text(tmp_path / "runs/config.yaml", "old")

    def disk_full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", disk_full)
    with pytest.raises(OSError, match="No space"):
        write_text(path, "new")
    assert path.read_text() == "old" and [p.name for p in path.parent.iterdir()] == ["config.yaml"]


def test_a_checkpoint_that_cannot_be_finished_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, path = AtomicCheckpointIO(), tmp_path / "checkpoints/last.ckpt"
    writer.save_checkpoint({"step": 1}, path)

    def cut_short(_: Any, part: Path) -> None:
        part.write_bytes(b"half")
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


def test_numbers_are_valid_json_or_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "metrics.json", {"test/auroc": float("nan")})
    assert not list(tmp_path.iterdir())
