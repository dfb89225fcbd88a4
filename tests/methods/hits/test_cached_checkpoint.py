from pathlib import Path

import numpy as np
import torch
from hydra.utils import instantiate

from spi_lightning.methods import CheckpointMethod
from spi_lightning.methods.hits.cached_checkpoint import CachedCheckpointMethod
from spi_lightning.tasks.frozen.checkpoint import FrozenCheckpoint
from tests.hit_runs import task_config


def head(make_run, tmp_path: Path) -> Path:
    """A head with random weights on a frozen tiny network."""
    config = task_config(scale="none", mask_channel=True) | {
        "_target_": "spi_lightning.tasks.frozen.transfer_classification.TransferClassification",
        "network": {
            "_target_": "spi_lightning.tasks.frozen.transfer_head.logistic_head",
            "weights": None,
            "backbone": str(make_run("backbone")),
        },
    }
    task = instantiate(config)
    torch.nn.init.normal_(task.network.head.weight)
    torch.save({"state_dict": task.state_dict(), "config": {"task": config}}, tmp_path / "head.ckpt")
    return tmp_path / "head.ckpt"


def test_features_are_computed_once_and_the_answer_stays(make_run, make_file, tmp_path: Path, monkeypatch) -> None:
    path, file = head(make_run, tmp_path), make_file()
    plain = CheckpointMethod("a", path, instantiate, device="cpu").answer(file)
    method = CachedCheckpointMethod("a", path, instantiate, device="cpu", cache_dir=str(tmp_path / "cache"))
    first = method.answer(file)

    def refuse(*arguments: object) -> None:
        raise AssertionError("the backbone was asked again")

    monkeypatch.setattr(FrozenCheckpoint, "__call__", refuse)
    for answer in (first, method.answer(file)):
        np.testing.assert_allclose(answer.probability, plain.probability, atol=1e-6)
        np.testing.assert_allclose(answer.features, plain.features, atol=1e-5)
        assert answer.frame.tolist() == plain.frame.tolist()


def test_other_checkpoints_and_binned_patterns_are_answered_as_ever(make_run, make_file, tmp_path: Path) -> None:
    file, cache = make_file(edge=48), tmp_path / "cache"
    for path in (make_run("plain"), head(make_run, tmp_path)):
        options = {"device": "cpu", "bin": 2}
        plain = CheckpointMethod("a", path, instantiate, **options).answer(file)
        cached = CachedCheckpointMethod("a", path, instantiate, cache_dir=str(cache), **options).answer(file)
        np.testing.assert_array_equal(cached.probability, plain.probability)
    assert not cache.exists()
