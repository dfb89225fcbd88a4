"""What a support or density is trained with: which answers cost more, and whether the gradient is right."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from spi_lightning.losses import soft_support_penalty, squared_error, support_cross_entropy, support_penalty


def square(low: int, high: int) -> Tensor:
    support = torch.zeros(16, 16, dtype=torch.bool)
    support[low:high, low:high] = True
    return support


TRUTH = square(4, 10)


def hard(predicted: Tensor, gamma: float = 5.0) -> float:
    return float(support_penalty(predicted, TRUTH, predicted.float(), TRUTH.float(), gamma))


def test_the_hard_penalty_counts_pixels() -> None:
    assert hard(TRUTH) == 0
    assert hard(square(4, 11)) == pytest.approx(13 / 49)
    assert hard(square(4, 9)) == pytest.approx(5 * 11 / 25)


def test_values_weigh_the_pixels() -> None:
    predicted, value = square(4, 11), torch.full((16, 16), 0.5)
    value[10] = 2.0  # seven of the thirteen loose pixels
    expected = (7 * 2.0 + 6 * 0.5) / (7 * 2.0 + 42 * 0.5)
    assert float(support_penalty(predicted, TRUTH, value, TRUTH.float(), 5.0)) == pytest.approx(expected)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 5.0])
def test_nothing_is_the_worst_answer(gamma: float) -> None:
    nothing, everything = torch.zeros(16, 16, dtype=torch.bool), torch.ones(16, 16, dtype=torch.bool)
    assert hard(nothing, gamma) == torch.inf > hard(everything, gamma)
    if gamma > 0:
        answers = [TRUTH, square(5, 9), square(10, 16), everything, nothing]
        soft = [float(soft_support_penalty(12.0 * (2.0 * a - 1), TRUTH, gamma)) for a in answers]
        assert max(soft) == soft[-1] and min(soft) == soft[0]


def test_where_the_prediction_is_sure_soft_and_hard_agree() -> None:
    for predicted in (square(4, 11), square(3, 8)):
        soft = soft_support_penalty(40.0 * (2.0 * predicted - 1), TRUTH, 3.0)
        assert float(soft) == pytest.approx(hard(predicted, 3.0), rel=1e-3)
        density = predicted * torch.linspace(0.5, 1, 16)
        soft = soft_support_penalty(density, TRUTH.float(), 3.0, logits=False, width=0.005)
        exact = support_penalty(predicted, TRUTH, density, TRUTH.float(), 3.0)
        assert float(soft) == pytest.approx(float(exact), rel=1e-3)


def test_a_larger_gamma_gives_fewer_false_negatives() -> None:
    """Pixels whose truth is uncertain: the best answer to all of them takes in more, the dearer a miss is."""
    torch.manual_seed(0)
    chance = torch.linspace(0.02, 0.98, 16).expand(16, 16)
    truths = torch.bernoulli(chance.expand(64, 16, 16))
    missed = []
    for gamma in (0.5, 2.0, 8.0):
        logits = torch.zeros(16, 16, requires_grad=True)
        optimizer = torch.optim.Adam([logits], lr=0.2)
        for _ in range(150):
            optimizer.zero_grad()
            soft_support_penalty(logits.expand(64, 16, 16), truths, gamma).mean().backward()
            optimizer.step()
        missed.append(float((truths * (logits.detach() < 0)).sum((1, 2)).mean()))
    assert missed[0] > 1.5 * missed[1] > 2 * missed[2]


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": lambda p, t: support_cross_entropy(p, t > 0.3, 5.0),
    "relative": squared_error,
    "plain": lambda p, t: squared_error(p, t, relative=False, logits=True),
    "soft_logits": lambda p, t: soft_support_penalty(p, t > 0.3, 5.0),
    "soft_density": lambda p, t: soft_support_penalty(p, t, 5.0, logits=False, width=0.1),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(2, 4, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    target = torch.rand(2, 4, 4, dtype=torch.float64, generator=generator)
    assert LOSSES[name](output, target).shape == (2,)
    assert torch.autograd.gradcheck(lambda p: LOSSES[name](p, target), output)


def test_a_relative_error_does_not_depend_on_the_size_of_the_object() -> None:
    for low, high in ((4, 6), (1, 15)):
        truth = square(low, high).float()
        assert float(squared_error(torch.zeros(16, 16), truth)) == pytest.approx(1)
        assert float(squared_error(truth / 2, truth)) == pytest.approx(0.25)
    assert float(squared_error(torch.zeros(16, 16), torch.zeros(16, 16))) == 0
    assert float(squared_error(torch.zeros(16, 16), TRUTH, relative=False)) == pytest.approx(36 / 256)


def test_a_missed_pixel_costs_the_positive_weight() -> None:
    sure = torch.full((16, 16), -20.0)
    once, five = support_cross_entropy(sure, TRUTH), support_cross_entropy(sure, TRUTH, 5.0)
    assert float(five / once) == pytest.approx(5, rel=1e-4)
