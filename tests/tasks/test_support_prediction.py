from functools import partial
from typing import Any

import pytest
import torch

from spi_lightning.data import PatternInput
from spi_lightning.errors import UserError
from spi_lightning.fields import DENSITY, FRAME, INTENSITY, KNOWN_SUPPORT, MASK, STRUCTURE, SUPPORT, Batch
from spi_lightning.losses import squared_error, support_cross_entropy
from spi_lightning.metrics import SupportMetrics
from spi_lightning.networks import ProjectedUNet, SupportEncoderDecoder
from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.support import ideal_support
from spi_lightning.physics.twin import twin
from spi_lightning.tasks import SupportPrediction
from spi_lightning.tasks.support_prediction import best_candidate, half_hidden


def batch(patterns: int = 6, size: int = 16) -> Batch:
    """L-shaped densities without symmetry, and their patterns."""
    generator = torch.Generator().manual_seed(1)
    density = torch.zeros(patterns, 1, size, size)
    density[..., 6:11, 6:8] = density[..., 9:11, 6:11] = 1
    density *= 0.3 + 0.7 * torch.rand(density.shape, generator=generator)
    density /= density.amax((-2, -1), keepdim=True)
    return {
        INTENSITY: fourier(density, 2).abs().square(),
        MASK: torch.ones_like(density, dtype=torch.bool),
        DENSITY: density,
        STRUCTURE: torch.arange(patterns) // 2,
        FRAME: 10 + torch.arange(patterns),
    }


def task(logits: bool = True, candidates: int = 1, **options: Any) -> SupportPrediction:
    torch.manual_seed(0)
    activation = "none" if logits else "tanh"
    network = SupportEncoderDecoder(16, (4, 6, 8), 8, candidates=candidates, activation=activation)
    loss = support_cross_entropy if logits else squared_error
    optimizer = partial(torch.optim.Adam, lr=1e-3)
    return SupportPrediction(network, PatternInput(), loss, SupportMetrics(), optimizer, logits=logits, **options)


@pytest.mark.parametrize("logits", [True, False])
def test_answers_are_scores_and_supports_at_the_threshold(logits: bool) -> None:
    support_task, patterns = task(logits, threshold=0.4).eval(), batch()
    with torch.inference_mode():
        answer = support_task.predict_step(patterns)
    assert answer[DENSITY].shape == answer[SUPPORT].shape == (6, 16, 16) and answer[SUPPORT].dtype == torch.bool
    assert answer[DENSITY].min() >= 0 and answer[DENSITY].max() <= 1
    assert torch.equal(answer[SUPPORT], answer[DENSITY] > 0.4) and answer[FRAME].tolist() == list(range(10, 16))


def test_the_target_is_the_support_or_the_density() -> None:
    patterns = batch()
    output = torch.randn(6, 1, 16, 16)
    for target, truth in (("support", ideal_support(patterns[DENSITY]).float()), ("density", patterns[DENSITY])):
        losses = task(False, target=target).losses_of(output, patterns)
        torch.testing.assert_close(losses, squared_error(output, truth)[:, 0])


def test_either_twin_counts_as_right() -> None:
    patterns = batch()
    answer = twin(patterns[DENSITY], 2)
    canonical, either = (
        task(False, target="density", twin=t).losses_of(answer, patterns) for t in ("canonical", "either")
    )
    assert (canonical > 0.1).all() and either.max() < 1e-6


def test_the_best_candidate_counts_and_is_the_one_that_fits_the_pattern() -> None:
    patterns = batch()
    wrong = torch.rand(6, 1, 16, 16, generator=torch.Generator().manual_seed(2))
    output = torch.cat([wrong, twin(patterns[DENSITY], 2).roll((1, 2), (-2, -1)), wrong.flip(0)], dim=1)
    torch.testing.assert_close(best_candidate(output, patterns), output[:, 1])
    right = torch.cat([wrong, patterns[DENSITY], wrong.flip(0)], dim=1)
    spared = task(False, candidates=3, target="density").losses_of(right, patterns)
    alone = task(False, target="density").losses_of(wrong, patterns)
    assert (spared < 0.1 * alone).all() and (spared > 0).all()
    assert task(candidates=3)(patterns).shape == (6, 3, 16, 16)


def test_a_validation_finds_the_threshold_and_is_scored_at_it() -> None:
    support_task, patterns = task().eval(), batch(12)
    support_task.log_dict = lambda *a, **k: None  # type: ignore[method-assign]
    with torch.inference_mode():
        for rows in (slice(0, 5), slice(5, 12)):
            support_task.validation_step({name: values[rows] for name, values in patterns.items()}, 0)
        support_task.on_validation_epoch_end()
    results = support_task.results
    assert results["val/covered"] >= 0.97 and results["val/threshold"] == pytest.approx(float(support_task.threshold))
    again = task()
    again.load_state_dict(support_task.state_dict())
    assert again.threshold == support_task.threshold and results["val/patterns"] == 12


def test_a_fixed_threshold_stays() -> None:
    support_task = task(threshold=0.1).eval()
    support_task.log_dict = lambda *a, **k: None  # type: ignore[method-assign]
    with torch.inference_mode():
        support_task.validation_step(batch(), 0)
        support_task.on_validation_epoch_end()
    assert float(support_task.threshold) == pytest.approx(0.1)


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match=r"task\.target=shape"):
        task(target="shape")
    with pytest.raises(UserError, match=r"task\.twin=left"):
        task(twin="left")
    patterns = batch()
    del patterns[DENSITY]
    with pytest.raises(UserError, match="without their densities"):
        task().training_step(patterns, 0)


def test_starts_are_half_hidden_truths_for_some_patterns() -> None:
    density = batch(40)[DENSITY]
    start = half_hidden(density, 0.5)
    assert start.min() >= 0 and start[:20].abs().max() == 0 and (start[20:].amax((1, 2, 3)) > 0).all()
    near = torch.nn.functional.cosine_similarity(start[20:].flatten(1), density[20:].flatten(1))
    far = torch.nn.functional.cosine_similarity(start[20:].flatten(1), twin(density, 2)[20:].flatten(1))
    assert near.mean() > far.mean() > 0.3 and near.min() < 0.3  # some phases tell next to nothing
    assert half_hidden(density, 0.0).abs().max() == 0 and half_hidden(density, 1.0)[0].max() > 0


def test_a_known_support_chooses_the_twin_that_fits_into_it() -> None:
    patterns = batch()
    patterns[KNOWN_SUPPORT] = patterns[DENSITY] > 0
    both = torch.cat([twin(patterns[DENSITY], 2), patterns[DENSITY]], dim=1)
    torch.testing.assert_close(best_candidate(both, patterns), patterns[DENSITY][:, 0], atol=1e-4, rtol=0)


def test_a_network_of_rounds_learns_from_every_round() -> None:
    patterns, options = batch(), {"target": "density", "twin": "either", "candidates": "every", "half_hidden": 0.5}
    network = ProjectedUNet(16, (4, 6), (4, 6, 8), 8, rounds=2, answer_rounds=3)
    preprocess = PatternInput(("autocorrelation", "intensity"), mask_channel=True)
    optimizer = partial(torch.optim.Adam, lr=1e-3)
    rounds = SupportPrediction(network, preprocess, squared_error, SupportMetrics(), optimizer, logits=False, **options)
    output = rounds.training_output(patterns)
    assert output.shape == (6, 3, 16, 16)
    density = patterns[DENSITY].expand_as(output)
    each = torch.minimum(squared_error(output, density), squared_error(output, twin(density, 2)))
    torch.testing.assert_close(rounds.losses_of(output, patterns), each.mean(dim=1))
    assert rounds.eval().predict_step(patterns)[DENSITY].shape == (6, 16, 16)
    rounds.samples = 3
    assert rounds.answer(patterns).shape == (6, 3, 16, 16)
    assert rounds.predict_step(patterns)[DENSITY].shape == (6, 16, 16)
    known = patterns | {KNOWN_SUPPORT: patterns[DENSITY] > 0.05}
    for samples in (1, 3):
        rounds.samples = samples
        inside = rounds.predict_step(known)[DENSITY]
        assert not inside[~known[KNOWN_SUPPORT][:, 0]].any()
    with pytest.raises(UserError, match=r"task\.samples=2"):
        task(samples=2)
    with pytest.raises(UserError, match="takes no start"):
        task(half_hidden=0.5)
