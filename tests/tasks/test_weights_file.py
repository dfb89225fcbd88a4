import json
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from safetensors.torch import load_file, save_file

from spi_lightning.errors import UserError
from spi_lightning.tasks import HitClassification, load_task, read_checkpoint
from spi_lightning.tasks.weights_file import read_weights, write_weights

TASK = {
    "_target_": "spi_lightning.tasks.HitClassification",
    "network": {"_target_": "spi_lightning.networks.ResNet10", "depths": [1, 2], "widths": [4, 8]},
    "preprocess": {"_target_": "spi_lightning.data.transforms.Preprocess"},
    "loss": {"_target_": "spi_lightning.losses.binary_cross_entropy", "_partial_": True},
    "metrics": {"_target_": "spi_lightning.metrics.HitMetrics"},
    "optimizer": {"_target_": "torch.optim.Adam", "_partial_": True},
}


@pytest.fixture
def written(tmp_path: Path) -> tuple[HitClassification, Path]:
    task, path = instantiate(TASK), tmp_path / "small.safetensors"
    task.temperature.fill_(1.5)
    write_weights(path, task.state_dict(), {"task": TASK, "seed": 3})
    return task, path


def test_a_task_comes_back_bit_for_bit(written: tuple[HitClassification, Path]) -> None:
    task, path = written
    found, config = load_task(path, instantiate)
    assert config["seed"] == 3 and not found.training
    for name, value in task.state_dict().items():
        assert torch.equal(found.state_dict()[name], value), name


def test_its_tensors_open_without_this_package(written: tuple[HitClassification, Path]) -> None:
    task, path = written
    assert torch.equal(load_file(path)["network.head.weight"], task.network.head.weight)


def test_half_precision_stores_large_tensors_of_the_network_alone(tmp_path: Path) -> None:
    weights = {"network.large": torch.rand(64, 64), "network.small": torch.rand(8), "domain.large": torch.rand(64, 64)}
    path = tmp_path / "halved.safetensors"
    write_weights(path, weights, {}, half=True)
    assert {name for name, value in load_file(path).items() if value.dtype == torch.float16} == {"network.large"}
    read = read_weights(path)["state_dict"]
    assert read["network.large"].dtype == torch.float32
    assert torch.allclose(read["network.large"], weights["network.large"], atol=5e-4)
    assert torch.equal(read["domain.large"], weights["domain.large"])


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "text"])
def test_damage_is_refused(written: tuple[HitClassification, Path], damage: str) -> None:
    path = written[1]
    content = path.read_bytes()
    changed = content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]
    path.write_bytes({"cut": content[: len(content) // 2], "changed": changed, "empty": b"", "text": b"no"}[damage])
    with pytest.raises(UserError, match="damaged"):
        read_checkpoint(path)


def test_another_version_and_other_programs_are_named(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(2)}, path, {"version": "spi_lightning weights 7"})
    with pytest.raises(UserError, match="spi_lightning weights 7"):
        read_checkpoint(path)
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(UserError, match="no version"):
        read_checkpoint(path)


def test_a_configuration_that_names_foreign_classes_is_not_built(tmp_path: Path) -> None:
    task, path = instantiate(TASK), tmp_path / "foreign.safetensors"
    harmful = json.loads(json.dumps(TASK))
    harmful["network"] = {"_target_": "os.system", "command": "echo harm"}
    write_weights(path, task.state_dict(), {"task": harmful})
    with pytest.raises(UserError, match=r"os\.system"):
        load_task(path, instantiate)
