"""Losses of the 3D network: gradients by finite differences, and what scale, sign and noise do to them."""

import pytest
import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.losses import (
    FourierLoss,
    SupervisedLoss,
    UnsupervisedLoss,
    correlation_loss,
    log_chi_square,
    poisson_deviance,
    relative_rms,
)
from spi_lightning.physics.agreement import amplitude_scale, chi_square, pearson
from spi_lightning.schedules import WeibullWeight

LOSSES = {
    "chi_square": chi_square,
    "chi_square_unscaled": lambda p, m, mask: chi_square(p, m, mask, scaled=False),
    "log_chi_square": log_chi_square,
    "pearson": correlation_loss,
    "modified": lambda p, m, mask: correlation_loss(p, m, mask, "modified"),
    "poisson": poisson_deviance,
    "poisson_unscaled": lambda p, m, mask: poisson_deviance(p, m, mask, scaled=False),
    "relative_rms": lambda p, m, mask: relative_rms(p, m, mask),
    "eq_7": lambda p, m, mask: UnsupervisedLoss(WeibullWeight())(p, m, mask, 0.97),
    "sum": FourierLoss(log_chi_square=1, chi_square=2, correlation=0.5, poisson=0.1),
}


def drawn(shape: tuple[int, ...] = (2, 1, 4, 5, 3)) -> tuple[Tensor, Tensor, Tensor]:
    predicted, measured = (torch.rand(shape, dtype=torch.float64) + 0.1 for _ in range(2))
    return predicted.requires_grad_(), measured, torch.rand(shape) > 0.2


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_agrees_with_finite_differences(name: str) -> None:
    predicted, measured, mask = drawn()
    loss = LOSSES[name](predicted, measured, mask)
    assert loss.shape == (2,)
    assert torch.autograd.gradcheck(lambda p: LOSSES[name](p, measured, mask), (predicted,))


@pytest.mark.parametrize("name", LOSSES)
def test_unmeasured_voxels_do_not_count(name: str) -> None:
    predicted, measured, mask = drawn()
    changed = torch.where(mask, predicted, 7.0), torch.where(mask, measured, 3.0)
    torch.testing.assert_close(LOSSES[name](*changed, mask), LOSSES[name](predicted, measured, mask))


@pytest.mark.parametrize("name", ["chi_square", "log_chi_square", "pearson", "modified", "poisson", "eq_7", "sum"])
def test_scale_of_the_answer_does_not_matter(name: str) -> None:
    predicted, measured, mask = drawn()
    loss = LOSSES[name]
    torch.testing.assert_close(loss(1e3 * predicted, measured, mask), loss(predicted, measured, mask))


def test_no_other_scale_fits_better() -> None:
    predicted, measured, mask = drawn()
    best = chi_square(predicted, measured, mask)
    scale = amplitude_scale(predicted, measured, mask)[:, None, None, None, None]
    for factor in (0.99, 1.01):
        assert (chi_square(factor * scale * predicted, measured, mask, scaled=False) > best).all()


def test_values_known_by_hand() -> None:
    _, measured, mask = drawn()
    zero = torch.zeros(2, dtype=torch.float64)
    torch.testing.assert_close(chi_square(measured, measured, mask), zero)
    torch.testing.assert_close(
        chi_square(zero[:, None] * measured.flatten(1), measured.flatten(1), mask.flatten(1)), zero + 1
    )
    torch.testing.assert_close(chi_square(1.1 * measured, measured, mask, scaled=False), zero + 0.01)
    torch.testing.assert_close(poisson_deviance(measured, measured, mask), zero)
    torch.testing.assert_close(relative_rms(0.7 * measured, measured, mask), zero + 0.3)


def test_modified_correlation_cannot_tell_opposites() -> None:
    _, measured, mask = drawn()
    torch.testing.assert_close(correlation_loss(2 - measured, measured, mask, "modified"), torch.zeros(2).double())
    torch.testing.assert_close(
        correlation_loss(2 - measured, measured, mask, "pearson"), torch.full((2,), 2.0).double()
    )
    noise, other = torch.rand(2, 1, 100_000)
    everywhere = torch.ones_like(noise, dtype=torch.bool)
    assert pearson(noise, other, everywhere, "modified").item() == pytest.approx(0.75, abs=0.01)
    assert pearson(noise, other, everywhere).item() == pytest.approx(0, abs=0.02)


def test_empty_answers_have_a_loss_and_finite_gradients() -> None:
    _, measured, mask = drawn()
    for name, loss in LOSSES.items():
        predicted = torch.zeros_like(measured, requires_grad=True)
        loss(predicted, measured, mask).sum().backward()
        assert torch.isfinite(predicted.grad).all(), name


def test_eq_7_goes_from_correlation_to_chi_square() -> None:
    predicted, measured, mask = drawn()
    loss = UnsupervisedLoss(WeibullWeight(), kind="pearson")
    first, second = correlation_loss(predicted, measured, mask), chi_square(predicted, measured, mask)
    torch.testing.assert_close(loss(predicted, measured, mask, 0.0), (1e4 * first + second) / 10_001)
    torch.testing.assert_close(loss(predicted, measured, mask, 1.0), (first + second) / 2)


def test_eq_6_weighs_its_three_terms() -> None:
    amplitude, phase, mask = drawn()
    loss = SupervisedLoss(1, 2, 3)
    real = loss.real_space((amplitude, phase), (phase, amplitude))
    torch.testing.assert_close(real, (relative_rms(amplitude, phase) + 2 * relative_rms(phase, amplitude)) / 6)
    reciprocal = loss.reciprocal_space(amplitude, phase, mask)
    torch.testing.assert_close(reciprocal, correlation_loss(amplitude, phase, mask, "modified") / 2)


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match="kind"):
        correlation_loss(*drawn(), kind="spearman")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="every weight is 0"):
        FourierLoss()
