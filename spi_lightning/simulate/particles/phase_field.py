"""Random phases with a Gaussian correlation, by one pair of FFTs."""

import math

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.simulate.draws import Range, recipe, uniform


def gaussian_field(noise: Tensor, lengths: Tensor, turn: Tensor, size: int) -> Tensor:
    """Random field of mean 0, variance 1 and correlation exp(-d^2 / 4 L^2): white noise smoothed by a Gaussian.

    The kernel is multiplied in reciprocal space, exp(-2 pi^2 q^T R diag(L^2) R^T q), so that its rotation needs
    no interpolation. The noise fills a larger box than is kept, so that opposite faces are uncorrelated.

    Args:
        noise: (B, m, m, m) real uncorrelated normal numbers.
        lengths: (B, 3) correlation lengths L along z, y, x before the rotation, voxel.
        turn: (B, 3, 3) rotation matrices R.
        size: Edge of the cube that is kept, up to m.

    Returns:
        (B, size, size, size) float32.

    Source: Wu et al. (2021), Eq. 5. Its prefactor (Lx Ly Lz)^(1/2) is replaced by that of unit variance; the phase is
    scaled afterwards anyway.
    """
    m = noise.shape[-1]
    full, half = (torch.fft.fftfreq(m, device=noise.device), torch.fft.rfftfreq(m, device=noise.device))
    q = torch.stack(torch.meshgrid(full, full, half, indexing="ij"), dim=-1)
    along = torch.einsum("zyxi,bij->bzyxj", q, turn * lengths[:, None, :])
    kernel = torch.exp(-2 * math.pi**2 * (along**2).sum(-1))
    field = torch.fft.irfftn(torch.fft.rfftn(noise, dim=(1, 2, 3)) * kernel, s=(m, m, m), dim=(1, 2, 3))
    spread = (8 * math.pi**1.5 * lengths.prod(1)).sqrt()  # the sum of the squared kernel is 1 / (8 pi^1.5 Lx Ly Lz)
    smooth: Tensor = field[:, :size, :size, :size] * spread[:, None, None, None]
    return smooth


def scale_phase(field: Tensor, inside: Tensor, phase_range: Tensor) -> Tensor:
    """Stretch and shift a field so that its values inside the particle run from 0 to ``phase_range``; 0 outside.

    Args:
        field: (B, z, y, x) float field.
        inside: (B, z, y, x) bool, at least one voxel True.
        phase_range: (B,) largest phases, rad; 1 in Wu et al. (2021), Methods.
    """
    flat = (-1, 1, 1, 1)
    lowest = field.masked_fill(~inside, torch.inf).flatten(1).amin(1).view(flat)
    highest = field.masked_fill(~inside, -torch.inf).flatten(1).amax(1).view(flat)
    share = (field - lowest) / (highest - lowest).clamp_min(1e-12)
    return torch.where(inside, share * phase_range.view(flat), 0.0)


@recipe
class PhaseRecipe:
    """Random Gaussian-correlated phases.

    Attributes:
        correlation: Range of Lx, Ly, Lz as shares of the edge of the box.
        phase_range: Range of the span of the phase inside the particle, rad; [1, 1] gives [0, 1] as in the paper.
    """

    correlation: Range = (0.0625, 0.5)
    phase_range: Range = (1.0, 1.0)

    def __post_init__(self) -> None:
        if not 0 < self.correlation[0] <= self.correlation[1]:
            raise UserError(f"simulate.phase.correlation={list(self.correlation)}: give a range above 0")
        if not 0 <= self.phase_range[0] <= self.phase_range[1]:
            raise UserError(f"simulate.phase.phase_range={list(self.phase_range)}: give a range from 0 on, rad")

    def __call__(self, inside: Tensor, turn: Tensor, generator: torch.Generator, noise: torch.Generator) -> Tensor:
        """Phases (B, z, y, x), rad, for bodies ``inside`` (B, z, y, x) bool rotated by (B, 3, 3).

        ``generator`` (CPU) draws the settings, ``noise``, which lives on the device of the bodies, the field.
        """
        count, size = len(inside), inside.shape[-1]
        lengths = uniform(self.correlation, (count, 3), generator).to(turn) * size
        span = uniform(self.phase_range, (count,), generator).to(turn)
        white = torch.randn((count, *[2 * size] * 3), generator=noise, device=inside.device)
        return scale_phase(gaussian_field(white, lengths, turn, size), inside, span)
