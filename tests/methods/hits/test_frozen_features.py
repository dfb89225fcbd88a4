from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor, nn

from spi_lightning.errors import UserError
from spi_lightning.methods import FrozenFeatures
from spi_lightning.optimizers.penalised_lbfgs import PenalisedLBFGS
from spi_lightning.results.hit_answer import TrainingLabels
from tests.hit_runs import answer_of

CONF = Path(__file__).parents[3] / "conf"


class Radial:
    """Photons in four rings."""

    label, width, batch_size, key, weights_sha256, network = "radial", 4, 8, "00", "00" * 32, nn.Identity()

    def __call__(self, photons: Tensor, mask: Tensor) -> Tensor:
        edge = photons.shape[-1]
        line = torch.arange(edge) - (edge - 1) / 2
        radius = torch.hypot(line[:, None], line)
        rings = [(radius >= 3 * i) & (radius < 3 * i + 3) for i in range(4)]
        return torch.stack([torch.where(mask & ring, photons, 0.0).sum((1, 2, 3)) for ring in rings], dim=1).sqrt()

    def weights_loaded(self) -> None:
        pass


def test_it_learns_from_the_labelled_frames_and_answers_all(make_file, tmp_path: Path) -> None:
    file = make_file(60)
    label = file.labels["is_single_hit"]
    labels = TrainingLabels(np.arange(10), label[:10])
    answer = answer_of(FrozenFeatures("vgg16", "cpu", Radial(), cache_dir=tmp_path), file, labels)
    assert FrozenFeatures.needs_labels and answer.name == "vgg16"
    assert (answer.decision[10:] == label[10:]).mean() > 0.95
    assert answer.score.shape == (60,) and answer.score.dtype == np.float32
    assert answer.features is not None and answer.features.shape == (60, 4)


def test_it_agrees_with_the_head_that_lightning_trains(make_file, tmp_path: Path) -> None:
    file = make_file(40)
    label = file.labels["is_single_hit"].copy()
    label[:4] = 1 - label[:4]  # not separable
    answer = answer_of(
        FrozenFeatures(backbone=Radial(), C=0.5, cache_dir=tmp_path), file, TrainingLabels(np.arange(40), label)
    )
    head, features = nn.Linear(4, 1), torch.from_numpy(answer.features)
    optimizer = PenalisedLBFGS(head.parameters(), C=0.5)
    optimizer.patterns = 40

    def closure() -> Tensor:
        optimizer.zero_grad()
        logits = head(features)[:, 0]
        loss = nn.functional.binary_cross_entropy_with_logits(logits, torch.from_numpy(label).float())
        loss.backward()
        return loss

    optimizer.step(closure)
    assert np.abs(torch.sigmoid(head(features)[:, 0]).detach().numpy() - answer.score).max() < 1e-3


def test_it_needs_a_backbone_and_frames_of_both_sorts(make_file, tmp_path: Path) -> None:
    method = FrozenFeatures("vgg16", backbone=Radial(), cache_dir=tmp_path)
    with pytest.raises(UserError, match=r"vgg16 learns from a few labelled frames.*training_labels\.frames"):
        answer_of(method, make_file())
    with pytest.raises(UserError, match="0 labelled other hits"):
        answer_of(method, make_file(name="b.h5"), TrainingLabels(np.array([1, 3]), np.array([1, 1])))
    with pytest.raises(UserError, match="method=frozen_resnet10"):
        FrozenFeatures()
    with pytest.raises(UserError, match="C=0"):
        FrozenFeatures(backbone=Radial(), C=0)


def test_the_stand_in_is_made_from_its_configuration(make_run, make_file, tmp_path: Path) -> None:
    make_run("han/one")
    config = OmegaConf.load(CONF / "method/frozen_resnet10.yaml")
    config.backbone.checkpoint, config.cache_dir = str(tmp_path / "runs/han"), str(tmp_path / "cache")
    file = make_file()
    method = instantiate(config, _partial_=True)(name="frozen_resnet10")
    answer = answer_of(method, file, TrainingLabels(np.arange(8), file.labels["is_single_hit"][:8]))
    assert answer.features.shape == (30, 2) and np.isfinite(answer.probability).all()


def test_vgg16_is_made_from_its_configuration(make_file, tmp_path: Path) -> None:
    config = OmegaConf.load(CONF / "method/vgg16.yaml")
    config.cache_dir = str(tmp_path / "cache")
    config.backbone.update({"weights": "random:1", "size": 32, "widths": [2, 2, 2, 2, 2], "hidden": 5})
    file = make_file(12)
    method = instantiate(config, _partial_=True)(name="vgg16")
    answer = answer_of(method, file, TrainingLabels(np.arange(4), file.labels["is_single_hit"][:4]))
    assert answer.features.shape == (12, 10) and answer.name == "vgg16 (random weights)"
    assert method.backbone.label.startswith("VGG16 with random weights")
