import os
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import instantiate

from spi_lightning.errors import UserError
from spi_lightning.fields import MASK, PHOTONS
from spi_lightning.tasks.frozen.backbone import FrozenCheckpoint
from spi_lightning.tasks.frozen.transfer_classification import logistic_head

TASK = {
    "_target_": "spi_lightning.tasks.HitClassification",
    "network": {"_target_": "spi_lightning.networks.ResNet10", "depths": [1, 2], "widths": [4, 8]},
    "preprocess": {"_target_": "spi_lightning.data.transforms.Preprocess", "bin": 2, "standardise": "pixel"},
    "loss": {"_target_": "spi_lightning.losses.binary_cross_entropy", "_partial_": True},
    "metrics": {"_target_": "spi_lightning.metrics.HitMetrics"},
    "optimizer": {"_target_": "torch.optim.Adam", "_partial_": True},
}


def write(run: Path, seed: int = 0, **changes: Any) -> Any:
    """A run folder with a checkpoint of random weights and a mean image; gives its task."""
    torch.manual_seed(seed)
    config = TASK | changes
    task = instantiate(config)
    task.preprocess.mean, task.preprocess.fitted = torch.rand(16, 16), torch.tensor(True)
    path = run / "checkpoints/best.ckpt"
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": task.state_dict(), "config": {"task": config}}, path)
    return task.eval()


def batch() -> dict[str, torch.Tensor]:
    mask = torch.ones(5, 1, 32, 32, dtype=torch.bool)
    mask[..., 10:13] = False
    return {PHOTONS: torch.poisson(torch.rand(5, 1, 32, 32) * 6), MASK: mask}


def test_features_are_what_the_task_itself_sees(tmp_path: Path) -> None:
    task, configured = write(tmp_path / "run"), batch()
    backbone = FrozenCheckpoint(tmp_path / "run", batch_size=2)
    with torch.no_grad():
        torch.testing.assert_close(
            backbone(configured[PHOTONS], configured[MASK]), task.network.features(task.preprocess(configured))
        )
    assert backbone.width == 8 and backbone.label.startswith("ResNet10 of ") and not backbone.network.training


def test_inner_layers_are_averaged_over_pixels_and_joined(tmp_path: Path) -> None:
    write(tmp_path / "run")
    configured = batch()
    backbone = FrozenCheckpoint(tmp_path / "run", layers=["stem", "penultimate"])
    features = backbone(configured[PHOTONS], configured[MASK])
    assert features.shape == (5, backbone.width) == (5, 12)
    maps = backbone.maps(configured[PHOTONS], configured[MASK], ["stem"])["stem"]
    torch.testing.assert_close(maps.mean((2, 3)), features[:, :4])


def test_a_network_of_fixed_size_and_a_mask_channel_serve_too(tmp_path: Path) -> None:
    network = {"_target_": "spi_lightning.networks.TinyCNN", "size": 24, "in_channels": 2}
    preprocess = {"_target_": "spi_lightning.data.transforms.Preprocess", "crop": 24, "mask_channel": True}
    write(tmp_path / "run", network=network, preprocess=preprocess)
    backbone = FrozenCheckpoint(tmp_path / "run")
    assert backbone(*batch().values()).shape == (5, 2) == (5, backbone.width)


def test_a_folder_of_runs_means_its_newest(tmp_path: Path) -> None:
    for seed, name in enumerate(("b", "a")):
        write(tmp_path / "runs" / name, seed)
        os.utime(tmp_path / "runs" / name / "checkpoints/best.ckpt", (seed, seed))
    backbone = FrozenCheckpoint(tmp_path / "runs")
    assert backbone.path == tmp_path / "runs/a/checkpoints/best.ckpt"
    other = FrozenCheckpoint(tmp_path / "runs/b")
    assert other.key != backbone.key and other.key == FrozenCheckpoint(other.path).key


def test_what_cannot_serve_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"network\.backbone=.*none: no such file.*experiment=han_resnet10"):
        FrozenCheckpoint(tmp_path / "none")
    write(tmp_path / "run")
    with pytest.raises(UserError, match="no layer stalk"):
        FrozenCheckpoint(tmp_path / "run", layers=["stalk"])
    path = tmp_path / "run/checkpoints/best.ckpt"
    stored = torch.load(path, weights_only=True)
    stored["config"]["task"]["network"] = {
        "_target_": "spi_lightning.tasks.frozen.transfer_classification.logistic_head"
    }
    torch.save(stored, path)
    with pytest.raises(UserError, match="cannot serve as a backbone: it holds logistic_head"):
        FrozenCheckpoint(path)
    stored["config"]["task"]["network"] = TASK["network"] | {"widths": [4, 4]}
    torch.save(stored, path)
    with pytest.raises(UserError, match="do not fit its network"):
        FrozenCheckpoint(path)
    stored["config"]["task"]["network"] = {"_target_": "os.system"}
    torch.save(stored, path)
    with pytest.raises(UserError, match=r"refused, its configuration calls os\.system"):
        FrozenCheckpoint(path)


def test_a_head_stands_on_one_backbone(tmp_path: Path) -> None:
    write(tmp_path / "run")
    head = logistic_head(None, str(tmp_path / "run"), ["stem"], classes=5)
    assert head.head.weight.shape == (5, 4)
    for weights, backbone in ((None, None), ("random", str(tmp_path / "run"))):
        with pytest.raises(UserError, match=r"network\.weights.*network\.backbone.*choose one; a stand-in"):
            logistic_head(weights, backbone)
