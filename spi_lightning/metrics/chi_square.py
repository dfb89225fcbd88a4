"""Chi square and r_p of Fourier amplitudes over many patterns."""

from torch import Tensor
from torchmetrics import Metric

from spi_lightning.physics.agreement import AMPLITUDE_ERRORS, amplitude_errors

from .pattern_mean import PatternMean


class ChiSquare(Metric):
    """Mean chi square, and mean r_p signed and as printed, over all patterns of all processes, however batched."""

    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        for name in AMPLITUDE_ERRORS:
            setattr(self, name, PatternMean())

    def update(self, predicted: Tensor, measured: Tensor, mask: Tensor) -> None:
        """Add Fourier amplitudes (B, ...) and masks (B, ...) bool, True = to compare."""
        for name, value in amplitude_errors(predicted, measured, mask).items():
            getattr(self, name).update(value)

    def compute(self) -> dict[str, Tensor]:
        """Means: see physics.agreement.amplitude_errors."""
        return {name: getattr(self, name).compute() for name in AMPLITUDE_ERRORS}

    def reset(self) -> None:
        """Forget all patterns."""
        super().reset()
        for name in AMPLITUDE_ERRORS:
            getattr(self, name).reset()
