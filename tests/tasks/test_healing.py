from functools import partial

import pytest
import torch

from spi_lightning.data import PatternInput
from spi_lightning.fields import DENSITY, INTENSITY, MASK, Batch
from spi_lightning.losses import squared_error
from spi_lightning.networks import HealingUNet
from spi_lightning.tasks import Healing
from spi_lightning.tasks.healing import peak, true_amplitude
from tests.tasks.test_support_prediction import batch


def task() -> Healing:
    torch.manual_seed(0)
    preprocess = PatternInput(("intensity",), "sqrt", mask_channel=True)
    return Healing(HealingUNet((4, 6)), preprocess, squared_error, partial(torch.optim.Adam, lr=1e-2))


def measured(scale: float = 100.0) -> Batch:
    """Bright patterns with a beamstop whose centre is gone on both sides."""
    patterns = batch()
    mask = patterns[MASK].clone()
    mask[:, :, 7:10, 7:10] = False
    return patterns | {INTENSITY: scale * patterns[INTENSITY] * mask, MASK: mask}


def test_the_truth_is_in_units_of_what_was_measured() -> None:
    patterns = measured()
    truth, mask = true_amplitude(patterns), patterns[MASK]
    torch.testing.assert_close((truth * mask).square() * peak(patterns), patterns[INTENSITY], rtol=1e-4, atol=1e-3)
    assert (truth[:, :, 8, 8] > 1).all()  # brighter than anything measured


def test_it_learns_to_fill_the_centre() -> None:
    healing, patterns = task(), measured()
    healing.log_dict = lambda *a, **k: None  # type: ignore[method-assign]
    optimizer = healing.configure_optimizers()
    for _ in range(60):
        optimizer.zero_grad()
        healing.training_step(patterns, 0).backward()
        optimizer.step()
    healing.eval()
    with torch.inference_mode():
        healing.validation_step(patterns, 0)
        healing.on_validation_epoch_end()
        healed = healing.predict_step(patterns)
    results = healing.results
    assert results["val/measured_gap_error"] == pytest.approx(1)
    assert results["val/gap_error"] < 0.5 and results["val/error"] < 0.5 * results["val/measured_error"]
    truth = true_amplitude(patterns).square() * peak(patterns)
    assert healed[MASK].all() and healed[INTENSITY].shape == truth.shape
    assert (healed[INTENSITY][:, :, 8, 8] / truth[:, :, 8, 8] - 1).abs().max() < 0.5


def test_patterns_without_gaps_have_no_gap_error() -> None:
    healing = task().eval()
    healing.log_dict = lambda *a, **k: None  # type: ignore[method-assign]
    with torch.inference_mode():
        healing.test_step(batch(), 0)
        healing.on_test_epoch_end()
    assert "test/gap_error" not in healing.results and healing.results["test/measured_error"] < 1e-3
    assert DENSITY in batch()
