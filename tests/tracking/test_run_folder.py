import json
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch

from spi_lightning.tracking import AtomicCheckpointIO, versions


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
