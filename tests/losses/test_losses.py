import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from spi_lightning.errors import UserError
from spi_lightning.losses import binary_cross_entropy, cross_entropy, generalised_cross_entropy

LOGITS = torch.tensor([2.0, -1.0, 0.5])
HIT = torch.tensor([1, 0, 0])


def test_one_value_per_pattern() -> None:
    expected = torch.log1p(torch.exp(torch.tensor([-2.0, -1.0, 0.5])))
    torch.testing.assert_close(binary_cross_entropy(LOGITS, HIT), expected)
    logits, kind = torch.randn(3, 5), torch.tensor([0, 4, 2])
    torch.testing.assert_close(cross_entropy(logits, kind), -logits.log_softmax(1)[range(3), kind])


def test_weights_multiply_their_class() -> None:
    plain, weighted = binary_cross_entropy(LOGITS, HIT), binary_cross_entropy(LOGITS, HIT, positive_weight=3.0)
    torch.testing.assert_close(weighted, plain * torch.tensor([3.0, 1.0, 1.0]))
    logits, kind = torch.randn(2, 3), torch.tensor([0, 2])
    expected = cross_entropy(logits, kind) * torch.tensor([2.0, 5.0])
    torch.testing.assert_close(cross_entropy(logits, kind, class_weight=[2, 1, 5]), expected)


def test_smoothing_moves_the_best_logit_from_infinity_to_the_smoothed_label() -> None:
    best = math.log(0.95 / 0.05)
    losses = binary_cross_entropy(torch.tensor([best - 0.1, best, best + 0.1]), torch.ones(3), smoothing=0.1)
    assert losses[1] < losses[0] and losses[1] < losses[2]
    expected = binary_cross_entropy_with_logits(LOGITS, HIT * 0.9 + 0.05, reduction="none")
    torch.testing.assert_close(binary_cross_entropy(LOGITS, HIT, smoothing=0.1), expected)


@pytest.mark.parametrize("q", [1e-4, 0.7, 1.0])
def test_generalised_cross_entropy_is_its_formula_and_its_limits(q: float) -> None:
    probability = torch.where(HIT == 1, LOGITS.sigmoid(), 1 - LOGITS.sigmoid()).double()
    torch.testing.assert_close(
        generalised_cross_entropy(LOGITS.double(), HIT, q), (1 - probability**q) / q, rtol=1e-6, atol=1e-9
    )
    two = torch.stack([torch.zeros(3), LOGITS], dim=1).double()
    torch.testing.assert_close(
        generalised_cross_entropy(two, HIT, q), generalised_cross_entropy(LOGITS.double(), HIT, q)
    )


def test_a_hopeless_label_hardly_pulls_on_the_robust_loss() -> None:
    logits = torch.tensor([-8.0, -8.0], requires_grad=True)
    generalised_cross_entropy(logits, torch.ones(2))[0].backward()
    binary_cross_entropy(logits, torch.ones(2))[1].backward()
    assert logits.grad is not None
    assert logits.grad[0].abs() < 0.01 < 0.99 < logits.grad[1].abs()


def test_the_wrong_loss_is_named() -> None:
    with pytest.raises(UserError, match="loss=cross_entropy"):
        binary_cross_entropy(torch.zeros(2, 5), torch.zeros(2))
    with pytest.raises(UserError, match="loss=binary_cross_entropy"):
        cross_entropy(torch.zeros(2), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(UserError, match="3 values for 5 classes"):
        cross_entropy(torch.zeros(2, 5), torch.zeros(2, dtype=torch.int64), class_weight=[1, 1, 1])
