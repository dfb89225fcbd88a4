import pytest
import torch
from torch import Tensor

from spi_lightning.metrics import SupportMetrics, SupportThreshold, trade_off
from spi_lightning.metrics.supports.support_overlap import (
    aligned,
    centrosymmetry,
    choose_level,
    dilated,
    free_asymmetry,
    phase_agreement,
    support_overlap,
    twin_agreement,
)
from spi_lightning.physics.twin import invert, twin

AXES = (-2, -1)


def shapes(count: int = 6, size: int = 32) -> Tensor:
    """Compact random supports without symmetry, (count, size, size) bool."""
    generator = torch.Generator().manual_seed(3)
    support = torch.zeros(count, size, size, dtype=torch.bool)
    for i in range(count):
        for _ in range(3):
            y, x = torch.randint(10, 16, (2,), generator=generator).tolist()
            height, width = torch.randint(3, 9, (2,), generator=generator).tolist()
            support[i, y : y + height, x : x + width] = True
    return support


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("size", [32, 33])
def test_shift_and_twin_are_found(inverted: bool, size: int) -> None:
    truth = torch.nn.functional.pad(shapes(), (0, size - 32, 0, size - 32))
    moved = truth.flip(AXES) if inverted else truth
    moved = torch.stack([image.roll((5 * i - 7, 3 - 4 * i), AXES) for i, image in enumerate(moved)])
    found = support_overlap(moved, truth)
    assert found.false_negatives.tolist() == found.false_positives.tolist() == [0] * 6
    assert found.iou.tolist() == found.area_ratio.tolist() == [1] * 6
    assert torch.equal(aligned(moved, truth), truth)


def test_errors_are_counted_after_alignment() -> None:
    truth = shapes()
    predicted = truth.clone()
    predicted[:, 2, 2:5] = True  # far away: three false positives
    inside = truth.flatten(1).float().argmax(dim=1)
    predicted.view(6, -1)[torch.arange(6), inside] = False
    found = support_overlap(predicted.roll((4, 9), AXES), truth)
    assert found.false_negatives.tolist() == [1] * 6 and found.false_positives.tolist() == [3] * 6


def test_a_union_of_object_and_twin_does_not_pass_unnoticed() -> None:
    truth = shapes()
    union = truth | invert(truth, 2)
    found = support_overlap(union, truth)
    assert found.false_negatives.max() == 0  # it looks complete
    assert (found.centrosymmetry > 0.9999).all() and (found.true_centrosymmetry < 1).all()
    assert (found.area_ratio > 1).all() and (found.iou < 1).all()


def symmetrised(density: torch.Tensor) -> torch.Tensor:
    """What an undecided answer looks like."""
    return (density + twin(density, 2)) / 2


def test_asymmetry_is_that_about_the_best_centre() -> None:
    density = shapes().float() * torch.rand(6, 32, 32, generator=torch.Generator().manual_seed(0))
    about_origin = (density - invert(density, 2)).norm(dim=AXES) / (2 * density.norm(dim=AXES))
    assert (free_asymmetry(density) <= about_origin + 1e-6).all() and (free_asymmetry(density) > 0.1).all()
    symmetric = symmetrised(density).roll((3, 5), AXES)
    assert free_asymmetry(symmetric).max() < 2e-3
    assert centrosymmetry(torch.zeros(2, 4, 4)).tolist() == [0, 0]


def test_an_undecided_answer_is_as_far_from_both_twins() -> None:
    density = shapes().float()
    right, wrong = twin_agreement(density.roll((3, 1), AXES), density)
    torch.testing.assert_close(right, torch.ones(6))
    assert (wrong < 0.99).all()
    same, other = twin_agreement(symmetrised(density), density)
    torch.testing.assert_close(same, other, atol=1e-5, rtol=0)


def test_phases_are_judged_whatever_the_amplitudes() -> None:
    density = shapes().float()
    spectrum = torch.fft.rfft2(density)
    window = torch.exp(-8 * (torch.fft.fftfreq(32)[:, None] ** 2 + torch.fft.rfftfreq(32) ** 2))
    blurred = torch.fft.irfft2(spectrum * window, s=(32, 32))
    torch.testing.assert_close(phase_agreement(blurred.flip(AXES).roll((3, 4), AXES), density), torch.ones(6))
    assert (phase_agreement(symmetrised(density), density) < 0.999).all()


def test_lower_levels_and_dilation_trade_misses_for_loose_pixels() -> None:
    truth = shapes()
    smooth = torch.nn.functional.avg_pool2d(truth.float()[:, None], 5, 1, 2)[:, 0]
    missed, loose = trade_off(smooth, truth)
    assert missed.shape == (6, 37)
    assert (missed.diff(dim=1) >= 0).all() and (loose.diff(dim=1) <= 0).all()
    grown = trade_off(smooth, truth, dilation=1)
    assert (grown[0] <= missed).all() and (grown[1] >= loose).all()
    point = torch.zeros(1, 9, 9, dtype=torch.bool)
    point[0, 4, 4] = True
    assert int(dilated(point, 2).sum()) == 25


def test_the_level_is_the_tightest_that_covers_enough() -> None:
    levels = torch.tensor([0.1, 0.2, 0.3, 0.4])
    missed = torch.tensor([[0.0, 0, 1, 5], [0, 1, 1, 5], [0, 0, 9, 9], [0, 0, 0, 9]])
    loose = torch.tensor([[40.0, 30, 20, 10]]).expand(4, 4)
    assert choose_level(missed, loose, levels, coverage=0.9) == pytest.approx(0.2)
    assert choose_level(missed, loose, levels, coverage=0.7) == pytest.approx(0.3)
    assert choose_level(missed + torch.tensor([3.0, 0, 0, 0])[:, None], loose, levels) == pytest.approx(0.2)


def test_batches_do_not_show_in_the_numbers() -> None:
    truth = shapes(12)
    density = truth.float() * torch.rand(12, 32, 32, generator=torch.Generator().manual_seed(0)).clamp(min=0.2)
    score = (torch.nn.functional.avg_pool2d(density[:, None], 3, 1, 1)[:, 0]).clamp(max=1)
    structure = torch.arange(12) // 3
    whole, parts, threshold = SupportMetrics(), SupportMetrics(), SupportThreshold()
    whole.update(score > 0.1, score, density, structure)
    for rows in torch.randperm(12).split(5):
        parts.update(score[rows] > 0.1, score[rows], density[rows], structure[rows])
        threshold.update(score[rows], density[rows])
    assert {k: float(v) for k, v in whole.compute().items()} == {k: float(v) for k, v in parts.compute().items()}
    numbers = whole.compute()
    assert numbers["patterns"] == 12 and 0 <= numbers["worst_structure"] <= numbers["covered"] <= 1
    assert 0 < float(threshold.compute()) < 1
