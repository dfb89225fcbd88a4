"""What is believed of a particle before its pattern is seen: it fills little of its box, its density is positive."""

import torch
from torch import Tensor

from spi_lightning.errors import UserError


def filled_share(density: Tensor) -> Tensor:
    """Share of the box that densities (B, z, y, x) fill, (B,): (sum |rho|)^2 / (n sum |rho|^2), 1/n to 1.

    It depends on neither scale, phases nor places: 1 for a density as large everywhere, 1/n for a single voxel.
    """
    square = density.abs().square().flatten(1).clamp_min(torch.finfo(density.real.dtype).tiny)
    share: Tensor = square.sqrt().sum(1).square() / (square.shape[1] * square.sum(1))
    return share


def negative_share(density: Tensor) -> Tensor:
    """Share of sum |rho|^2 in negative real parts of densities (B, z, y, x) complex, (B,), 0 to 1.

    The phase of the sum is taken off first, as a pattern does not tell it.
    """
    total = density.flatten(1).sum(1)
    turned = density * (total.conj() / total.abs().clamp_min(1e-30))[:, None, None, None]
    power = density.abs().square().flatten(1).sum(1).clamp_min(torch.finfo(density.real.dtype).tiny)
    share: Tensor = turned.real.clamp_max(0).square().flatten(1).sum(1) / power
    return share


class DensityPrior:
    """``support`` times filled_share plus ``positivity`` times negative_share, (B,); added to a loss on the pattern.

    Args:
        support, positivity: Weights, 0 or more; with both 0 it is false, and no prior. Strained crystals have negative
            parts where their phases are more than half a turn apart.

    Raises:
        UserError: Negative weights.
    """

    def __init__(self, support: float = 0.0, positivity: float = 0.0) -> None:
        if min(support, positivity) < 0:
            raise UserError(f"task.prior: support={support:g}, positivity={positivity:g}: give weights of 0 or more.")
        self.support, self.positivity = support, positivity

    def __bool__(self) -> bool:
        return self.support > 0 or self.positivity > 0

    def __call__(self, density: Tensor) -> Tensor:
        """Densities (B, z, y, x) complex -> (B,)."""
        return self.support * filled_share(density) + self.positivity * negative_share(density)
