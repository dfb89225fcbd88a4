"""Patterns of another size than a network's are refused before it is trained on them, with settings that pass."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from spi_lightning.data import Preprocess
from spi_lightning.data.hits import HitDataset
from spi_lightning.errors import UserError
from spi_lightning.io import ArrayFrames, PatternFile
from spi_lightning.networks import ResNet10, TinyCNN
from spi_lightning.tasks.input_size import require_input


def dataset(*shape: int) -> HitDataset:
    return HitDataset(PatternFile(Path("mine.h5"), "array", ArrayFrames(np.zeros((2, *shape), np.float32))))


def of_40_pixels() -> nn.Module:
    """A network of somebody else's, of which nothing says the size that it takes."""
    return nn.Sequential(nn.Flatten(), nn.Linear(40 * 40, 1), nn.Flatten(0))


NETWORKS = {
    "tiny": (TinyCNN, 64),
    "tiny of 24": (lambda: TinyCNN(size=24), 24),
    "any size": (lambda: ResNet10((1, 2), (4, 8)), 64),
    "foreign": (of_40_pixels, 40),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("preprocess", [Preprocess(bin=2), Preprocess(crop=300), Preprocess(crop=90, bin=4)])
def test_the_named_settings_pass(name: str, preprocess: Preprocess) -> None:
    make, size = NETWORKS[name]
    patterns, network = dataset(203, 251), make().train()
    with pytest.raises(UserError, match=r"^mine.h5: patterns of 203 x 251 pixels do not become ") as raised:
        require_input(network, preprocess, patterns, torch.device("cpu"))
    bin, crop = map(int, re.findall(r"set preprocess.bin=(\d+) preprocess.crop=(\d+)", str(raised.value))[0])
    assert crop == size * bin == 203 // size * size
    require_input(network, Preprocess(crop, bin), patterns, torch.device("cpu"))
    assert network.training


def test_smaller_patterns_are_reported_as_smaller() -> None:
    with pytest.raises(UserError, match=r"the 64 x 64 pixels of TinyCNN .*: the patterns are smaller"):
        require_input(TinyCNN(), Preprocess(), dataset(40, 40), torch.device("cpu"))


def test_mistakes_of_another_kind_are_left_to_the_training() -> None:
    require_input(nn.Linear(7, 1), Preprocess(), dataset(64, 64), torch.device("cpu"))
    with pytest.raises(
        UserError, match=r"do not become an input of Linear .*: set preprocess.bin=1 preprocess.crop=64"
    ):
        require_input(nn.Linear(7, 1), Preprocess(bin=2), dataset(65, 65), torch.device("cpu"))
