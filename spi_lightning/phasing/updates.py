"""Updates of iterative phasing: ER, HIO, RAAR, difference map and charge flipping; in place, for all starts at once.

P_M projects on the measured Fourier amplitudes (FourierConstraint), P_S on support and sign (DensityConstraint).
Iterates are (P, starts, spatial). Every update returns the gap || P_S rho - rho || / || A ||, (P, starts), of a
density rho with the measured amplitudes. By Parseval this bounds the relative Fourier error of P_S rho from above, at
no extra transform; for ER it never increases.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .constraints import DensityConstraint, FourierConstraint


class Constraints:
    """Both constraints of a batch of densities, with the buffers that the updates share.

    Attributes:
        data, density: Constraints in Fourier and in real space.
        rho: (P, starts, spatial) last projection of the iterate by P_M.
        spare: (P, starts, spatial) buffer that any update may overwrite.
    """

    def __init__(self, data: FourierConstraint, density: DensityConstraint, like: Tensor) -> None:
        self.data, self.density = data, density
        self.rho, self.spare = torch.empty_like(like), torch.empty_like(like)
        self._axes = tuple(range(2, like.ndim))

    def size(self, density: Tensor) -> Tensor:
        """Norm of densities (P, starts, spatial) over that of the amplitudes, (P, starts)."""
        norm: Tensor = torch.linalg.vector_norm(density, dim=self._axes)
        return norm.div_(self.data.norm)

    def gap(self, rho: Tensor) -> Tensor:
        """Gap || P_S rho - rho || / || A || of (P, starts, spatial), (P, starts); overwrites ``spare``."""
        return self.size(self.density.project(rho, self.spare).sub_(rho))


def error_reduction(x: Tensor, on: Constraints) -> Tensor:
    """ER: x <- P_S P_M x, x (P, starts, spatial). Source: Fienup (1982), Appl. Opt. 21, 2758."""
    rho = on.data.project(x, on.rho)
    on.density.project(rho, x)
    return on.size(torch.sub(x, rho, out=on.spare))


def hybrid_input_output(x: Tensor, on: Constraints, beta: float) -> Tensor:
    """HIO: x <- P_M x where that obeys the constraint, x - beta P_M x elsewhere; x (P, starts, spatial).

    Source: Fienup (1982), Appl. Opt. 21, 2758.
    """
    rho = on.data.project(x, on.rho)
    violated = on.density.violated(rho)
    gap = on.size(torch.mul(rho, violated, out=on.spare))
    torch.lerp(rho, x.sub_(rho, alpha=beta), violated, out=x)
    return gap


def raar(x: Tensor, on: Constraints, beta: float) -> Tensor:
    """RAAR: x <- beta / 2 (R_S R_M + 1) x + (1 - beta) P_M x, R = 2 P - 1; x (P, starts, spatial).

    Written with one P_S: beta (P_S(2 rho - x) + x) + (1 - 2 beta) rho, rho = P_M x.
    Source: Luke (2005), Inverse Problems 21, 37, Eq. 2.
    """
    rho = on.data.project(x, on.rho)
    gap = on.gap(rho)
    reflected = torch.mul(rho, 2, out=on.spare).sub_(x)
    x.add_(on.density.project(reflected, reflected)).mul_(beta).add_(rho, alpha=1 - 2 * beta)
    return gap


def difference_map(x: Tensor, on: Constraints, beta: float) -> Tensor:
    """Difference map: x <- x + beta (P_S f_M(x) - P_M f_S(x)); x (P, starts, spatial).

    f_M = P_M + (P_M - 1) / beta, f_S = P_S - (P_S - 1) / beta.

    With beta = 1 f_S(x) = x and one P_M does (the Douglas-Rachford iteration); otherwise there are two. The gap
    is that of P_M f_S(x). Source: Elser (2003), J. Opt. Soc. Am. A 20, 40, Eqs. 7-9, with his choice of the gammas.
    """
    rho = on.data.project(x, on.rho)
    forward = torch.lerp(x, rho, 1 + 1 / beta)
    on.density.project(forward, forward)
    if beta != 1:
        rho = on.data.project(_relaxed_density(x, on, beta), on.rho)
    step = forward.sub_(rho)
    x.add_(step, alpha=beta)
    return on.gap(rho)


def charge_flipping(x: Tensor, on: Constraints, threshold: float) -> Tensor:
    """Charge flipping: x <- rho where rho = P_M x exceeds the threshold (and in the support), -rho elsewhere.

    Args:
        x: (P, starts, spatial) iterate, changed in place.
        on: Constraints of the batch; without positivity only the support decides.
        threshold: Threshold in units of the root mean square of rho over the array.

    Source: Oszlanyi & Suto (2004), Acta Cryst. A60, 134; the support is our addition.
    """
    rho = on.data.project(x, on.rho)
    gap = on.gap(rho)
    torch.addcmul(rho, rho, on.density.violated(rho, threshold), value=-2, out=x)
    return gap


def _relaxed_density(x: Tensor, on: Constraints, beta: float) -> Tensor:
    """f_S(x) of an iterate (P, starts, spatial), in ``spare``."""
    return on.density.project(x, on.spare).mul_(1 - 1 / beta).add_(x, alpha=1 / beta)


def solution(x: Tensor, on: Constraints, update: str, options: Mapping[str, float]) -> Tensor:
    """Density of an iterate (P, starts, spatial) of some update, a new tensor; for ER the iterate itself."""
    if update == "ER":
        return x.clone()
    beta = options.get("beta", 1.0)
    source = _relaxed_density(x, on, beta) if update == "difference_map" and beta != 1 else x
    return on.density.project(on.data.project(source, on.rho), torch.empty_like(x))


@dataclass(frozen=True)
class Update:
    """An update, its options with their defaults, and the range of each."""

    run: Callable[..., Tensor]
    defaults: Mapping[str, float] = field(default_factory=dict)
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)


UPDATES: dict[str, Update] = {
    "ER": Update(error_reduction),
    "HIO": Update(hybrid_input_output, {"beta": 0.9}, {"beta": (0.0, 2.0)}),
    "RAAR": Update(raar, {"beta": 0.9}, {"beta": (0.5, 1.0)}),
    "difference_map": Update(difference_map, {"beta": 1.0}, {"beta": (0.1, 2.0)}),
    "charge_flipping": Update(charge_flipping, {"threshold": 0.0}, {"threshold": (0.0, 10.0)}),
}
