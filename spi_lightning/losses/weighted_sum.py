"""Weighted sums of losses: Wu et al. (2021) with ground truth (Eq. 6) and without (Eq. 7), and free weights."""

from collections.abc import Callable

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.physics.agreement import Kind, chi_square

from .correlation import correlation_loss
from .log_chi_square import log_chi_square
from .poisson import poisson_deviance
from .relative_rms import relative_rms

Weight = Callable[[float], float]


class SupervisedLoss:
    """Supervised loss, Eq. 6: (a1 L1(amplitude) + a2 L2(phase) + a3 L3(Fourier amplitude)) / (a1 + a2 + a3), (B,).

    Args:
        amplitude, phase, fourier: Weights a1, a2 and a3.
        kind: Kind of the correlation, ``pearson`` or the paper's ``modified``.
        phase_inside: Whether to compare phases inside the true particle only, instead of in the whole box as in the
            paper, whose phases are 0 outside.

    Source: Wu et al. (2021), Eq. 6.
    """

    def __init__(
        self,
        amplitude: float = 1.0,
        phase: float = 1.0,
        fourier: float = 1.0,
        kind: Kind = "modified",
        phase_inside: bool = False,
    ) -> None:
        self.weights, self.kind, self.phase_inside = (amplitude, phase, fourier), kind, phase_inside

    def real_space(self, answer: tuple[Tensor, Tensor], target: tuple[Tensor, Tensor]) -> Tensor:
        """Real-space part (a1 L1 + a2 L2) / (a1 + a2 + a3), (B,), of amplitude and phase (B, 1, z, y, x)."""
        first, second, _ = self.weights
        inside = target[0] > 0 if self.phase_inside else None
        amplitude_error = relative_rms(answer[0], target[0])
        return (first * amplitude_error + second * relative_rms(answer[1], target[1], inside)) / sum(self.weights)

    def reciprocal_space(self, predicted: Tensor, measured: Tensor, mask: Tensor) -> Tensor:
        """Reciprocal-space part a3 L3 / (a1 + a2 + a3), (B,), of Fourier amplitudes (B, ...)."""
        return self.weights[2] * correlation_loss(predicted, measured, mask, self.kind) / sum(self.weights)


class UnsupervisedLoss:
    """Unsupervised loss, Eq. 7: (b1 L3 + b2 L4) / (b1 + b2), (B,), with b1 falling by Eq. 8 and b2 = 1.

    Args:
        weight: Function from the share of the refinement done, 0 to 1, to b1, see schedules.WeibullWeight.
        kind: Kind of the correlation, ``pearson`` or the paper's ``modified``.
        scaled: Whether to fit the scale of the predicted amplitudes in closed form.
        log: Whether to take log10 of chi square.

    Source: Wu et al. (2021), Eq. 7.
    """

    def __init__(self, weight: Weight, kind: Kind = "modified", scaled: bool = True, log: bool = False) -> None:
        self.weight, self.kind, self.scaled, self.log = weight, kind, scaled, log

    def __call__(self, predicted: Tensor, measured: Tensor, mask: Tensor, progress: float = 1.0) -> Tensor:
        """Fourier amplitudes (B, ...), mask (B, ...), share of the refinement done -> (B,)."""
        first = self.weight(progress)
        if self.log:
            error = log_chi_square(predicted, measured, mask)
        else:
            error = chi_square(predicted, measured, mask, self.scaled)
        return (first * correlation_loss(predicted, measured, mask, self.kind) + error) / (first + 1)


class FourierLoss:
    """Weighted sum of losses in reciprocal space with constant weights, (B,).

    Args:
        log_chi_square, chi_square, correlation, poisson: Weights of the terms; those of weight 0 are not computed.
        kind: Kind of the correlation, ``pearson`` or ``modified``.

    Raises:
        UserError: Every weight is 0.
    """

    def __init__(
        self,
        log_chi_square: float = 0.0,
        chi_square: float = 0.0,
        correlation: float = 0.0,
        poisson: float = 0.0,
        kind: Kind = "pearson",
    ) -> None:
        self.weights = (log_chi_square, chi_square, correlation, poisson)
        if not any(self.weights):
            raise UserError("loss: every weight is 0; give one of log_chi_square, chi_square, correlation, poisson")
        self.kind = kind

    def __call__(self, predicted: Tensor, measured: Tensor, mask: Tensor, progress: float = 1.0) -> Tensor:
        """Fourier amplitudes (B, ...), mask (B, ...); progress is ignored -> (B,)."""
        terms: tuple[Callable[[], Tensor], ...] = (
            lambda: log_chi_square(predicted, measured, mask),
            lambda: chi_square(predicted, measured, mask),
            lambda: correlation_loss(predicted, measured, mask, self.kind),
            lambda: poisson_deviance(predicted, measured, mask),
        )
        parts = [weight * term() for weight, term in zip(self.weights, terms, strict=True) if weight]
        return torch.stack(parts).sum(0)
