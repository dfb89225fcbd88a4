"""Chi square and r_p of Fourier amplitudes over many patterns."""

import torch
from torch import Tensor
from torchmetrics import Metric

from spi_lightning.losses import chi_square, pearson
from spi_lightning.metrics.pattern_mean import PatternMean


class ChiSquare(Metric):
    """Mean chi square, and mean r_p signed and as printed, over all patterns of all processes, however batched."""

    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        for name in NAMES:
            setattr(self, name, PatternMean())

    def update(self, predicted: Tensor, measured: Tensor, mask: Tensor) -> None:
        """Add Fourier amplitudes (B, ...) and masks (B, ...) bool, True = to compare."""
        for name, value in fourier_errors(predicted, measured, mask).items():
            getattr(self, name).update(value)

    def compute(self) -> dict[str, Tensor]:
        """Means: see fourier_errors."""
        return {name: getattr(self, name).compute() for name in NAMES}

    def reset(self) -> None:
        """Forget all patterns."""
        super().reset()
        for name in NAMES:
            getattr(self, name).reset()


NAMES = ("chi_square", "correlation", "correlation_modified")


def fourier_errors(predicted: Tensor, measured: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """Chi square after the closed-form scale, r_p signed and with the paper's absolute values: (B, ...) -> (B,) each.

    Computed in float64: chi square below 1e-6 is lost in float32.
    """
    predicted, measured = predicted.double(), measured.double()
    values = (
        chi_square(predicted, measured, mask),
        pearson(predicted, measured, mask),
        pearson(predicted, measured, mask, "modified"),
    )
    return dict(zip(NAMES, values, strict=True))


def held_out_chi_square(predicted: Tensor, measured: Tensor, fitted: Tensor, held_out: Tensor) -> Tensor:
    """Chi square over held-out voxels, the scale being that of the fitted ones: (B, ...) -> (B,), in float64.

    Args:
        predicted, measured: Fourier amplitudes (B, ...).
        fitted, held_out: Masks (B, ...) bool without a common voxel.
    """
    predicted, measured = predicted.double(), measured.double()
    product = (fitted * predicted * measured).flatten(1).sum(1)
    power = (fitted * predicted.square()).flatten(1).sum(1).clamp_min(torch.finfo(torch.float64).tiny)
    predicted = predicted * (product / power).view(-1, *[1] * (predicted.ndim - 1))
    return chi_square(predicted, measured, held_out, scaled=False)
