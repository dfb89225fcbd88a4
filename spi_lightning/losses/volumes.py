"""Losses of 3D densities: terms in real and reciprocal space and the weighted sums of Wu et al. (2021), Eq. 6 and 7."""

from collections.abc import Callable

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.physics.agreement import Kind, chi_square, pearson


def relative_rms(predicted: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Relative error sqrt(sum (p - t)^2) / sqrt(sum t^2) over the voxels of ``mask``: (B, ...) -> (B,).

    Args:
        predicted, target: (B, ...) amplitudes (1) or phases (any unit common to both).
        mask: (B, ...) bool, True in the voxels to compare; None: all.

    Returns:
        (B,); 0 for a perfect prediction, 1 for an empty one. The gradient at 0 is 0.

    Source: Wu et al. (2021), Eq. 6, terms L1 (amplitude) and L2 (phase).
    """
    difference = predicted - target
    if mask is not None:
        difference, target = mask * difference, mask * target
    tiny = torch.finfo(target.dtype).tiny
    error, norm = difference.flatten(1).square().sum(1), target.flatten(1).square().sum(1)
    return (error.clamp_min(tiny) / norm.clamp_min(tiny)).sqrt()


def correlation_loss(predicted: Tensor, measured: Tensor, mask: Tensor, kind: Kind = "pearson") -> Tensor:
    """Correlation loss 1 - r_p, (B, ...) -> (B,), see physics.agreement.pearson.

    Source: Wu et al. (2021), Eqs. 6 and 7, term L3.
    """
    return 1 - pearson(predicted, measured, mask, kind)


def log_chi_square(predicted: Tensor, measured: Tensor, mask: Tensor, floor: float = 1e-12) -> Tensor:
    """log10 of chi_square with the scale fitted: (B, ...) -> (B,).

    Args:
        predicted, measured, mask: Fourier amplitudes and mask, (B, ...), see physics.agreement.chi_square.
        floor: Constant added to chi square, so that a perfect fit is log10(floor) and not minus infinity.
    """
    return (chi_square(predicted, measured, mask) + floor).log10()


def poisson_deviance(
    predicted: Tensor, measured: Tensor, mask: Tensor, background: float = 1e-2, scaled: bool = True
) -> Tensor:
    """Mean Poisson deviance per measured voxel, (B, ...) -> (B,); 0 if the expected intensity equals the counts.

    With I = predicted^2 the expected photons and n = measured^2 the counted ones, the deviance is
    2 [I - n + n log(n / I)], twice the distance of the log-likelihood from its maximum.

    Args:
        predicted, measured: (B, ...) Fourier amplitudes, sqrt(photons).
        mask: (B, ...) bool, True where the detector measured.
        background: Photons per voxel added to both, so that dark voxels have a finite likelihood.
        scaled: Whether to scale the total intensity to the measured one, which maximises the likelihood over the scale.
    """
    intensity, counts = predicted.square(), measured.square()
    if scaled:
        total = (mask * counts).flatten(1).sum(1)
        tiny = torch.finfo(total.dtype).tiny
        scale = total / (mask * intensity).flatten(1).sum(1).clamp_min(1e-20 * total + tiny)
        intensity = intensity * scale.view(-1, *[1] * (intensity.ndim - 1))
    intensity, counts = intensity + background, counts + background
    deviance = 2 * (intensity - counts + counts * (counts / intensity).log())
    return (mask * deviance).flatten(1).sum(1) / mask.flatten(1).sum(1).clamp_min(1)


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
