import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from spi_lightning.api.patterns import as_patterns
from spi_lightning.data import ScaleFree
from spi_lightning.fields import PHOTONS, Batch
from spi_lightning.tasks.informative_width import mutual_information, take_informative_width
from tests.data.scale.test_file_scale import file_of

WIDTH = 12.0
SURE, HALF = torch.tensor([1e-3, 1 - 1e-3]), torch.tensor([0.3, 0.7])


@pytest.fixture
def preprocess() -> ScaleFree:
    made = ScaleFree()
    made.fit_to(file_of((130, 110), (64.5, 54.5), [WIDTH] * 16, 3e3))
    assert made.scale is not None and made.scale.width_from == "sphere fit" and len(made.hits) == 16
    return made


def answers(preprocess: ScaleFree, at: Callable[[float], Tensor]) -> Callable[[Batch], Tensor]:
    """Probabilities that repeat what is wanted at the width of the moment over the fitted one."""
    fitted = preprocess.scale.speckle_width

    def probability(batch: Batch) -> Tensor:
        wanted = at(preprocess.scale.speckle_width / fitted)
        return wanted.repeat(len(batch[PHOTONS]))[: len(batch[PHOTONS])]

    return probability


def changed(preprocess: ScaleFree, at: Callable[[float], Tensor]) -> tuple[float, str, list[str]]:
    """Width taken over the fitted one, what it comes from, and the notes."""
    fitted, file = preprocess.scale.speckle_width, file_of((130, 110), (64.5, 54.5), [WIDTH] * 16, 3e3)
    notes = take_informative_width(preprocess, file, answers(preprocess, at), "cpu")
    return preprocess.scale.speckle_width / fitted, preprocess.scale.width_from, [str(note) for note in notes]


def test_the_width_that_tells_hits_apart_is_taken(preprocess: ScaleFree) -> None:
    factor, source, (summary, change) = changed(preprocess, lambda over: SURE if abs(over - 0.63) < 0.01 else HALF)
    assert factor == pytest.approx(0.63) and source == "network"
    assert "(network)" in summary and "best at 7.55" in change and "preprocess.speckle=" in change


def test_a_width_at_which_all_hits_are_alike_or_hardly_told_better_is_left(preprocess: ScaleFree) -> None:
    nothing = torch.tensor([1e-6])
    assert changed(preprocess, lambda over: nothing if over < 0.9 else HALF) == (1.0, "sphere fit", [])
    hardly = torch.tensor([0.22, 0.78])
    assert changed(preprocess, lambda over: hardly if over < 0.9 else HALF) == (1.0, "sphere fit", [])


@pytest.mark.parametrize(("speckle", "frames"), [(WIDTH, 16), (None, 6)])
def test_a_stated_width_and_one_of_few_hits_are_left(speckle: float | None, frames: int) -> None:
    file, one = file_of((130, 110), (64.5, 54.5), [WIDTH] * frames, 3e3), ScaleFree()
    one.speckle = speckle
    one.fit_to(file)
    scale = one.scale
    assert take_informative_width(one, file, lambda batch: SURE.repeat(50)[: len(batch[PHOTONS])], "cpu") == []
    assert one.scale == scale


def test_no_width_below_two_pixels_is_tried() -> None:
    file, one, tried = file_of((64, 64), (31.5, 31.5), [3.0] * 14, 3e4), ScaleFree(), []
    one.fit_to(file)

    def probability(batch: Batch) -> Tensor:
        tried.append(one.scale.speckle_width)
        return HALF.repeat(len(batch[PHOTONS]))[: len(batch[PHOTONS])]

    take_informative_width(one, file, probability, "cpu")
    assert len(tried) == 5 and min(tried) >= 2.0


def test_hits_with_masks_of_their_own_are_read(preprocess: ScaleFree) -> None:
    file = file_of((130, 110), (64.5, 54.5), [WIDTH] * 16, 3e3)
    masks = np.broadcast_to(file.mask, file.shape).copy()
    masks[3, :5] = False
    every = as_patterns(file.read(range(16)), masks)
    seen: list[Tensor] = []

    def probability(batch: Batch) -> Tensor:
        seen.append(preprocess(batch))
        return HALF.repeat(len(batch[PHOTONS]))[: len(batch[PHOTONS])]

    take_informative_width(preprocess, every, probability, "cpu")
    assert all(found.shape == (16, 2, 64, 64) for found in seen)


def test_information_of_answers() -> None:
    assert float(mutual_information(torch.full((4,), 0.5))) == pytest.approx(0, abs=1e-7)
    assert float(mutual_information(torch.tensor([0.0, 1.0, 1.0, 0.0]))) == pytest.approx(math.log(2))
    assert float(mutual_information(torch.zeros(5))) == 0
    both = -0.25 * math.log(0.25) - 0.75 * math.log(0.75)  # of either answer
    assert float(mutual_information(torch.tensor([0.25, 0.75]))) == pytest.approx(math.log(2) - both)
