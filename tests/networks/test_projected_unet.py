import pytest
import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.networks import ProjectedUNet
from spi_lightning.networks.projected_unet import coordinates, project, within
from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.twin import twin


def objects(size: int = 16) -> Tensor:
    density = torch.zeros(2, 1, size, size)
    density[:, :, 6:11, 6:8] = density[:, :, 9:11, 6:11] = 1
    density = density * torch.rand(density.shape, generator=torch.Generator().manual_seed(0))
    return density / density.amax((-2, -1), keepdim=True)


def seen(density: Tensor) -> Tensor:
    amplitude = fourier(density, 2).abs()
    autocorrelation = fourier(amplitude.square(), 2).real.clamp(min=0).sqrt()
    return torch.cat([autocorrelation, amplitude, torch.ones_like(amplitude)], dim=1)


def test_a_projection_has_the_measured_amplitudes_and_leaves_the_truth_alone() -> None:
    density = objects()
    amplitude, mask = fourier(density, 2).abs(), torch.ones(2, 1, 16, 16)
    mask[..., 3, :] = 0
    torch.testing.assert_close(project(density, 7 * amplitude, mask), density, atol=1e-5, rtol=0)
    guess = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    found = fourier(project(guess, amplitude, torch.ones_like(mask)), 2).abs()
    ratio = (found / amplitude)[:, 0, 5:12, 5:12]
    torch.testing.assert_close(ratio, ratio.mean((-2, -1), keepdim=True).expand_as(ratio), rtol=1e-3, atol=0)
    assert project(torch.zeros_like(density), amplitude, mask).abs().max() == 0


def network(**options: float) -> ProjectedUNet:
    torch.manual_seed(0)
    return ProjectedUNet(16, (4, 6), (4, 6, 8), 8, **options)


def test_training_returns_every_round_and_evaluation_the_last() -> None:
    rounds_of, pattern = network(rounds=2, warm_rounds=0, answer_rounds=4, answer_field=0.5), seen(objects())
    torch.nn.init.normal_(rounds_of.unet.output.weight)
    rounds = rounds_of(pattern)
    assert rounds.shape == (2, 3, 16, 16)
    torch.testing.assert_close(rounds[:, :1], rounds_of.first(pattern[:, :1]))
    assert rounds[:, 1:, :4].abs().max() == rounds[:, 1:, :, :4].abs().max() == 0  # outside the field
    rounds_of.eval()
    answer = rounds_of(pattern)
    assert answer.shape == (2, 1, 16, 16) and not torch.allclose(answer, rounds[:, -1:])
    rounds_of.answer_rounds = 2
    assert rounds_of(pattern).min() == 0 and rounds[:, 1:].min() < 0
    rounds_of.answer_field = 0.75
    assert rounds_of(pattern)[:, :, 2:4].abs().max() > 0


def test_warm_rounds_without_gradient_precede_those_with_gradient() -> None:
    warm, pattern = network(rounds=1, warm_rounds=2), seen(objects())
    calls: list[bool] = []
    warm.unet.register_forward_hook(lambda *_: calls.append(torch.is_grad_enabled()))
    counts = set()
    for _ in range(30):
        calls.clear()
        warm(pattern)
        assert calls[-1] and not any(calls[:-1])
        counts.add(len(calls))
    assert counts == {1, 2, 3}


def test_the_truth_is_where_rounds_come_to_rest_before_training() -> None:
    density = objects()
    untrained = network(answer_rounds=3).eval()
    torch.testing.assert_close(untrained(seen(density), density), density, atol=1e-4, rtol=0)


def test_a_start_is_taken_up_where_there_is_one() -> None:
    density, start = objects(), objects()
    one_round = network(answer_rounds=1).eval()
    start[1] = 0
    answer, without = one_round(seen(density), start), one_round(seen(density))
    torch.testing.assert_close(answer[0], density[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(answer[1], without[1])
    assert not torch.allclose(answer[0], without[0])


def test_samples_differ_but_the_first_and_do_not_hang_on_the_batch() -> None:
    patterns, samples_of = seen(objects()), network(answer_rounds=4).eval()
    torch.nn.init.normal_(samples_of.unet.output.weight, std=0.1)
    answers = samples_of.sample(patterns, 3)
    assert answers.shape == (2, 3, 16, 16) and answers.min() >= 0
    torch.testing.assert_close(answers[:, :1], samples_of(patterns), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(answers[:, 1], answers[:, 2], atol=1e-3)
    torch.testing.assert_close(samples_of.sample(patterns[1:], 3)[0], answers[1], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(samples_of.sample(patterns, 3, seed=0), answers)


def test_the_origin_is_at_zero_and_other_inputs_are_refused() -> None:
    assert coordinates(torch.zeros(1, 1, 16, 17))[0, :, 8, 8].tolist() == [0, 0]
    with pytest.raises(UserError, match="preprocess"):
        network()(torch.zeros(1, 1, 16, 16))
    with pytest.raises(UserError, match=r"network\.field=0\.4 must lie"):
        network(field=0.4)


def test_samples_inside_a_support_stay_there_and_take_its_side() -> None:
    truth = objects()
    support = truth > 0.05 * truth.amax(dim=(-2, -1), keepdim=True)
    samples_of = network(answer_rounds=4).eval()
    answers = samples_of.sample(seen(truth), 3, support=support)
    assert not answers[(~support).expand_as(answers)].any()
    for begun in (truth, twin(truth, 2)):
        torch.testing.assert_close(within(begun, support), truth * support)
