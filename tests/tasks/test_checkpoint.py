import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from torch import Tensor, nn

from spi_lightning.errors import UserError
from spi_lightning.tasks import HitClassification, find_checkpoint, load_task, read_checkpoint
from spi_lightning.tasks.checkpoint import member_of, shift_answers

CONF = Path(__file__).parents[2] / "conf"

TASK = {
    "_target_": "spi_lightning.tasks.HitClassification",
    "network": {"_target_": "spi_lightning.networks.ResNet10", "depths": [1, 2], "widths": [4, 8]},
    "preprocess": {"_target_": "spi_lightning.data.transforms.Preprocess", "standardise": "pixel"},
    "loss": {"_target_": "spi_lightning.losses.binary_cross_entropy", "_partial_": True},
    "metrics": {"_target_": "spi_lightning.metrics.HitMetrics"},
    "optimizer": {"_target_": "torch.optim.Adam", "_partial_": True},
}


def write(path: Path, **changes: Any) -> Path:
    """A checkpoint of a fitted task, with some of its entries replaced."""
    task = instantiate(TASK)
    task.preprocess.mean = torch.rand(16, 16)
    task.temperature.fill_(1.5)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": task.state_dict(), "config": {"task": TASK, "seed": 3}} | changes, path)
    return path


def test_a_task_comes_back_from_its_one_file(tmp_path: Path) -> None:
    path = write(tmp_path / "run/checkpoints/best.ckpt")
    task, config = load_task(tmp_path / "run", instantiate)
    assert isinstance(task, HitClassification) and not task.training and config["seed"] == 3
    assert all(
        torch.equal(value, read_checkpoint(path)["state_dict"][name]) for name, value in task.state_dict().items()
    )
    assert task.temperature == 1.5 and task.preprocess.mean.shape == (16, 16)


def test_a_run_folder_means_its_best_checkpoint(tmp_path: Path) -> None:
    last = write(tmp_path / "run/checkpoints/last.ckpt")
    assert find_checkpoint(tmp_path / "run") == last
    best = write(tmp_path / "run/checkpoints/best.ckpt")
    assert find_checkpoint(tmp_path / "run") == best and find_checkpoint(last) == last
    for missing in ("run/checkpoints/none.ckpt", "run/checkpoints"):
        with pytest.raises(UserError, match="checkpoint="):
            find_checkpoint(tmp_path / missing)


class Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("echo harm",)


def test_pickled_code_is_refused_unread(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.ckpt", extra=Harmful())
    with pytest.raises(UserError, match=r"a\.ckpt: refused.*pickled code"):
        load_task(path, instantiate)
    assert "harm" not in capfd.readouterr().out


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "subprocess.Popen",
        "torch.nn.modules.module.functools.partial",
        "spi_lightning.tracking.run_folder.os.remove",
        "spi_lightning.tracking.write_text",
        "spi_lightning.data.make_set",
        "torch.nn.nothing",
    ],
)
def test_a_configuration_may_only_name_parts_of_a_task(tmp_path: Path, target: str) -> None:
    config = {"task": TASK | {"network": {"_target_": "torch.nn.Sequential", "_args_": [{"_target_": target}]}}}
    with pytest.raises(UserError, match=f"refused, its configuration calls {target}"):
        load_task(write(tmp_path / "a.ckpt", config=config), instantiate)


def test_damaged_files_and_strangers_are_distinguished(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.ckpt").read_bytes()
    (tmp_path / "short.ckpt").write_bytes(whole[: len(whole) // 2])
    locator = whole.rfind(b"PK\x06\x07")
    disks = whole[: locator + 16] + b"\x09" + whole[locator + 17 :]  # a zip of nine disks, says its end
    (tmp_path / "disks.ckpt").write_bytes(disks)
    (tmp_path / "empty.ckpt").write_bytes(b"")
    (tmp_path / "text.ckpt").write_text("these are not the weights you are looking for")
    torch.save({"weights": torch.zeros(1)}, tmp_path / "other.ckpt")
    for name, message in {
        "short": "damaged or cut short",
        "disks": "damaged or cut short",
        "empty": "damaged or cut short",
        "text": "not a checkpoint",
        "other": "no state_dict",
    }.items():
        with pytest.raises(UserError, match=message):
            read_checkpoint(tmp_path / f"{name}.ckpt")


def test_checkpoints_of_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no configuration"):
        load_task(write(tmp_path / "a.ckpt", config=None), instantiate)
    other = {"task": TASK["preprocess"]}
    with pytest.raises(UserError, match=r"a checkpoint of Preprocess, where HitClassification is needed"):
        load_task(write(tmp_path / "b.ckpt", config=other), instantiate)
    with pytest.raises(UserError, match="weights do not fit"):
        load_task(write(tmp_path / "c.ckpt", state_dict=nn.Linear(1, 1).state_dict()), instantiate)


@pytest.mark.parametrize("change", [Tensor.to_sparse, lambda weight: weight.to("meta")])
def test_weights_that_hold_no_plain_numbers_are_refused(tmp_path: Path, change: Callable[[Tensor], Tensor]) -> None:
    path = write(tmp_path / "odd.ckpt")
    checkpoint = torch.load(path, weights_only=True)
    weights = checkpoint["state_dict"]
    name = next(name for name, weight in weights.items() if weight.ndim > 1)
    torch.save(checkpoint | {"state_dict": {**weights, name: change(weights[name])}}, path)
    with pytest.raises(UserError, match=f"its weights {name} are sparse, quantised or absent"):
        read_checkpoint(path)


def test_one_network_of_an_ensemble_is_taken_with_its_weights() -> None:
    settings = {"_target_": "x", "network": {"_target_": "Ensemble", "members": [{"depth": 1}, {"depth": 2}]}}
    weights = {"network.members.0.a": 1, "network.members.1.a": 2, "network.members.10.a": 3, "temperature": 4}
    chosen, own = member_of(settings, weights, 1)
    assert chosen == {"_target_": "x", "network": {"depth": 2}} and own == {"network.a": 2, "temperature": 4}
    assert member_of({"network": {"depth": 1}}, weights, 0) == ({"network": {"depth": 1}}, weights)
    with pytest.raises(UserError, match="member=2: the ensemble has networks 0 to 1"):
        member_of(settings, weights, 2)


def test_answers_are_shifted_in_the_bias_of_the_head(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ckpt")
    before, _ = load_task(path, instantiate)
    shift_answers(path, 1.5)
    after, _ = load_task(path, instantiate)
    pattern = torch.rand(3, 1, 16, 16)
    torch.testing.assert_close(after.network(pattern), before.network(pattern) - 1.5)
