"""Macromolecules as atoms: tables of atoms, X-ray form factors, and splatting of points onto grids.

Form factors are sums of Gaussians from the International Tables, through gemmi. The FFT of splatted points gives
structure factors once it is divided by the transform of the Kaiser-Bessel kernel.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import gemmi
import numpy as np
import torch
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist
from torch import Tensor

from spi_lightning.errors import UserError


@dataclass(frozen=True)
class Atoms:
    """Atoms of one structure.

    Attributes:
        name: Identifier of the structure.
        position: (N, 3) float32 coordinates, z, y, x; m.
        atomic_number: (N,) int64 atomic numbers.
        sequences: One-letter sequences of its polymers, as far as known; they decide which structures are the same.
        chains: Polymers it consists of, 0 if unknown.
        residues: Residues of all its polymers, 0 if unknown.
    """

    name: str
    position: Tensor
    atomic_number: Tensor
    sequences: tuple[str, ...] = ()
    chains: int = 0
    residues: int = 0

    def __len__(self) -> int:
        return len(self.position)

    @property
    def electrons(self) -> int:
        """Electrons of the neutral atoms."""
        return int(self.atomic_number.sum())

    @cached_property
    def extent(self) -> float:
        """Largest distance between two atoms; m."""
        points = self.position.double().numpy()
        if len(points) > 500:
            try:
                points = points[ConvexHull(points).vertices]
            except QhullError:  # all atoms in one plane
                return float(2 * np.linalg.norm(points - points.mean(0), axis=1).max())
        return float(pdist(points).max()) if len(points) > 1 else 0.0

    def centred(self) -> "Atoms":
        """The same structure with its centre of electrons at the origin."""
        weight = self.atomic_number[:, None] / self.atomic_number.sum()
        middle = (self.position.double() * weight.double()).sum(0)
        position = (self.position.double() - middle).float()
        return Atoms(self.name, position, self.atomic_number, self.sequences, self.chains, self.residues)


@dataclass(frozen=True)
class AtomBatch:
    """The atoms of B structures in one flat table; structure b owns the rows where ``owner`` is b.

    Attributes:
        position: (A, 3) float32 coordinates, z, y, x; m.
        atomic_number: (A,) int64 atomic numbers.
        owner: (A,) int64 index of the structure of each atom.
        structures: Number of structures B.
    """

    position: Tensor
    atomic_number: Tensor
    owner: Tensor
    structures: int

    def turned(self, rotation: Tensor) -> "AtomBatch":
        """Structures rotated by one matrix each, (B, 3, 3) acting on z, y, x."""
        turned = (rotation[self.owner] @ self.position[:, :, None])[:, :, 0]
        return AtomBatch(turned, self.atomic_number, self.owner, self.structures)

    def select(self, structures: Tensor) -> "AtomBatch":
        """Some of the structures, (n,) int64, in that order."""
        row = torch.full((self.structures,), -1, device=self.owner.device)
        row[structures.to(row.device)] = torch.arange(len(structures), device=row.device)
        owner = row[self.owner]
        kept = (owner >= 0).nonzero()[:, 0]
        return AtomBatch(self.position[kept], self.atomic_number[kept], owner[kept], len(structures))


def batch_atoms(structures: Sequence[Atoms], device: torch.device | str = "cpu") -> AtomBatch:
    """Put structures, each with its centre of electrons at the origin, into one table on a device."""
    centred = [structure.centred() for structure in structures]
    sizes = torch.tensor([len(structure) for structure in centred])
    return AtomBatch(
        torch.cat([structure.position for structure in centred]).to(device),
        torch.cat([structure.atomic_number for structure in centred]).to(device),
        torch.arange(len(centred)).repeat_interleave(sizes).to(device),
        len(centred),
    )


ANGSTROM = 1e-10


@cache
def form_factor_coefficients(atomic_number: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Five amplitudes (electrons) and five widths b (m^2) of a neutral atom.

    Four Gaussians and a constant, which is a fifth of width 0; scaled by less than 0.2 % so that the amplitudes add up
    to the atomic number. gemmi's C4322 coefficients are those of electron scattering (Mott-Bethe) and not used.

    Raises:
        UserError: The atomic number is outside 1 to 98.

    Source: International Tables for Crystallography C (1992), Table 6.1.1.4.
    """
    element = gemmi.Element(atomic_number)
    if not 1 <= atomic_number <= 98 or element.it92 is None:
        raise UserError(f"atomic number {atomic_number}: form factors are known for 1 (H) to 98 (Cf) only")
    amplitude = [*element.it92.a, element.it92.c]
    scale = atomic_number / sum(amplitude)
    return tuple(a * scale for a in amplitude), tuple(b * ANGSTROM**2 for b in (*element.it92.b, 0.0))


def form_factor(atomic_number: int, q: Tensor) -> Tensor:
    """X-ray form factor f(q) = sum a exp(-b (q / 2)^2) of a neutral atom.

    Args:
        atomic_number: Atomic number, 1 to 98.
        q: Scattering vector lengths 2 sin(theta) / wavelength, any shape; 1/m. Tabulated up to 4 / Angstrom.

    Returns:
        Electrons, of the shape and dtype of ``q``; f(0) is the atomic number.
    """
    amplitude, width = form_factor_coefficients(atomic_number)
    quarter = (q * ANGSTROM).square() / 4  # in Angstrom, so that float32 neither over- nor underflows
    total = torch.full_like(quarter, amplitude[4])
    for a, b in zip(amplitude[:4], width[:4], strict=True):
        total += a * torch.exp(-b / ANGSTROM**2 * quarter)
    return total


def resolution_width(resolution: float) -> float:
    """Gaussian width that blurs a map to a resolution, resolution / (pi sqrt 2) = 0.225 resolution; m.

    The transform falls to 1/e at q = 1 / resolution. Source: the default of ChimeraX's molmap, used by
    Bellisario & Ekeberg (2024).
    """
    return resolution * 2**-0.5 / torch.pi


@dataclass(frozen=True)
class KaiserBessel:
    """Kaiser-Bessel kernel I0(beta sqrt(1 - (2 x / width)^2)), x in grid cells.

    Attributes:
        width: Number of cells that the kernel covers along each axis.
        beta: Shape parameter; 0 is 0.75 pi width, best for frequencies up to a quarter of the sampling rate, where the
            error of a structure factor is about 10^-(width - 1) of the number of points.
    """

    width: int = 4
    beta: float = 0.0

    @property
    def shape(self) -> float:
        """Shape parameter in use: beta, or 0.75 pi width."""
        return self.beta or 0.75 * math.pi * self.width

    def weights(self, distance: Tensor) -> Tensor:
        """Kernel at distances (..., d) from its centre, cells; its integral is 1."""
        inside = (1 - (2 * distance / self.width).square()).clamp_min(0).sqrt()
        value: Tensor = torch.special.i0(self.shape * inside)
        return value * (self.shape / (self.width * math.sinh(self.shape)))

    def transform(self, frequency: Tensor) -> Tensor:
        """Fourier transform of the kernel at frequencies (..., d), cycles per cell; 1 at 0."""
        argument = self.shape**2 - (math.pi * self.width * frequency).square()
        root = argument.abs().sqrt().clamp_min(1e-6)
        value = torch.where(argument > 0, root.sinh() / root, root.sin() / root)
        return value * (self.shape / math.sinh(self.shape))


def splat(position: Tensor, grid: Tensor, grids: int, shape: tuple[int, ...], kernel: KaiserBessel) -> Tensor:
    """Spread unit points over grids; the origin is index n // 2, and grids are periodic.

    Args:
        position: (A, d) float32, cells from the origin, axes ordered as in ``shape``.
        grid: (A,) int64 index of the grid of each point.
        grids: Number of grids G.
        shape: d edges of a grid, cells.
        kernel: Kernel that spreads each point over width^d cells.

    Returns:
        (G, *shape) float32; each point adds about 1, exactly so after division by the transform of the kernel.
    """
    width = kernel.width
    first = torch.floor(position - width / 2).long() + 1
    steps = torch.arange(width, device=position.device)
    cell = first[:, :, None] + steps  # (A, d, width)
    weight = kernel.weights(cell - position[:, :, None])
    index, value = grid[:, None], torch.ones_like(position[:, :1])
    for axis, edge in enumerate(shape):
        along = (cell[:, axis] + edge // 2) % edge
        index = (index[:, :, None] * edge + along[:, None, :]).flatten(1)
        value = (value[:, :, None] * weight[:, axis, None, :]).flatten(1)
    total = torch.zeros(grids * math.prod(shape), dtype=value.dtype, device=value.device)
    return total.index_add_(0, index.flatten(), value.flatten()).view(grids, *shape)
