"""Logarithm of chi square (loss L4 of Wu et al., 2021), whose gradients do not vanish with the error."""

from torch import Tensor

from spi_lightning.physics.agreement import chi_square


def log_chi_square(predicted: Tensor, measured: Tensor, mask: Tensor, floor: float = 1e-12) -> Tensor:
    """log10 of chi_square with the scale fitted: (B, ...) -> (B,).

    Args:
        predicted, measured, mask: Fourier amplitudes and mask, (B, ...), see physics.agreement.chi_square.
        floor: Constant added to chi square, so that a perfect fit is log10(floor) and not minus infinity.
    """
    return (chi_square(predicted, measured, mask) + floor).log10()
