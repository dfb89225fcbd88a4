"""One minus the correlation of Fourier amplitudes (loss L3 of Wu et al., 2021), signed and as printed."""

from torch import Tensor

from spi_lightning.physics.agreement import Kind, pearson


def correlation_loss(predicted: Tensor, measured: Tensor, mask: Tensor, kind: Kind = "pearson") -> Tensor:
    """Correlation loss 1 - r_p, (B, ...) -> (B,), see physics.agreement.pearson.

    Source: Wu et al. (2021), Eqs. 6 and 7, term L3.
    """
    return 1 - pearson(predicted, measured, mask, kind)
