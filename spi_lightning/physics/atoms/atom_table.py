"""Tables of atoms of macromolecules, as read from structure files and used by simulators."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist
from torch import Tensor


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
