"""Prior of a density: a particle fills little of its box, and its density is positive."""

import torch
from torch import Tensor

from spi_lightning.errors import UserError


def filled_share(density: Tensor) -> Tensor:
    """Filled share of the box, (sum |rho|)^2 / (n sum |rho|^2): (B, z, y, x) -> (B,), 1/n to 1.

    Independent of scale, phases and positions: 1 for a uniform density, 1/n for a single voxel.
    """
    square = density.abs().square().flatten(1).clamp_min(torch.finfo(density.real.dtype).tiny)
    share: Tensor = square.sqrt().sum(1).square() / (square.shape[1] * square.sum(1))
    return share


def negative_share(density: Tensor) -> Tensor:
    """Share of sum |rho|^2 in negative real parts of densities (B, z, y, x) complex, (B,), 0 to 1.

    The phase of the sum is removed first, as a pattern does not determine it.
    """
    total = density.flatten(1).sum(1)
    turned = density * (total.conj() / total.abs().clamp_min(1e-30))[:, None, None, None]
    power = density.abs().square().flatten(1).sum(1).clamp_min(torch.finfo(density.real.dtype).tiny)
    share: Tensor = turned.real.clamp_max(0).square().flatten(1).sum(1) / power
    return share


class DensityPrior:
    """Prior ``support`` * filled_share + ``positivity`` * negative_share, (B,), added to a loss on the pattern.

    Args:
        support, positivity: Weights, 0 or more; with both 0 the prior is false and unused. Strained crystals have
            negative parts where their phases are more than half a turn apart.

    Raises:
        UserError: A weight is negative.
    """

    def __init__(self, support: float = 0.0, positivity: float = 0.0) -> None:
        if min(support, positivity) < 0:
            raise UserError(f"task.prior: support={support:g}, positivity={positivity:g}: give weights of 0 or more")
        self.support, self.positivity = support, positivity

    def __bool__(self) -> bool:
        return self.support > 0 or self.positivity > 0

    def __call__(self, density: Tensor) -> Tensor:
        """Prior of densities, (B, z, y, x) complex -> (B,)."""
        return self.support * filled_share(density) + self.positivity * negative_share(density)
