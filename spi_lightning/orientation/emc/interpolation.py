"""Trilinear interpolation between a cubic grid of intensity and detector pixels in many orientations, and its adjoint.

A pixel at scattering vector q lies at R^T q of the body in orientation R. ``expand`` reads the intensity there,
``compress`` spreads values there over the eight voxels around, with the same weights.
Source: Loh & Elser (2009), Phys. Rev. E 80, 026705, Eqs. 5 and 13.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor

_POINTS: Final = {"cpu": 1 << 17, "cuda": 1 << 24}  # interpolated at once: what fits into the cache of a core, or a GPU


class Interpolation:
    """Trilinear interpolation of a cube at the pixels of one detector.

    Args:
        q: (P, 3) scattering vectors of the pixels, voxel, ordered z, y, x; their length is below size / 2 - 1.
        size: Edge M of the cube, voxel, odd; q = 0 is voxel M // 2.
    """

    def __init__(self, q: Tensor, size: int) -> None:
        self.q, self.size = q.T.contiguous(), size
        corners = torch.cartesian_prod(*[torch.arange(2, device=q.device)] * 3)
        self.offsets: list[int] = (corners @ torch.tensor([size * size, size, 1], device=q.device)).tolist()

    def expand(self, intensity: Tensor, rotation: Tensor, pixels: int | None = None) -> Tensor:
        """Intensity at the pixels in each orientation.

        Args:
            intensity: (M, M, M) ordered z, y, x.
            rotation: (c, 3, 3) matrices, body to laboratory, acting on columns ordered z, y, x.
            pixels: Number of pixels, the first of all; None: all.

        Returns:
            (c, pixels), of the type of the intensity.
        """
        q = self.q[:, :pixels]
        out = intensity.new_zeros(len(rotation), q.shape[1])
        shifted = [intensity.flatten().roll(-offset) for offset in self.offsets]
        for rows, voxel, weights in self._pieces(rotation, q):
            part = out[rows].view(-1)
            for values, weight in zip(shifted, weights, strict=True):
                part.addcmul_(weight, values.index_select(0, voxel))
        return out

    def compress(self, sums: tuple[Tensor, Tensor], rotation: Tensor, values: Tensor, weights: Tensor) -> None:
        """Add values and weights at the pixels of each orientation to the voxels around them.

        Args:
            sums: Two tensors (8, M^3) to which values and weights are added, see folded.
            rotation: (c, 3, 3) matrices, body to laboratory.
            values, weights: (c, P) each.
        """
        for rows, voxel, trilinear in self._pieces(rotation, self.q):
            index = voxel.long()
            for corner, weight in enumerate(trilinear):
                for total, added in zip(sums, (values, weights), strict=True):
                    total[corner].scatter_add_(0, index, (added[rows].flatten() * weight).double())

    def zeros(self) -> Tensor:
        """(8, M^3) float64 zeros for compress to add to: a row for each corner of the cell in which a pixel lies."""
        return torch.zeros(len(self.offsets), self.size**3, dtype=torch.float64, device=self.q.device)

    def folded(self, total: Tensor) -> Tensor:
        """(M, M, M) sum over the corners: (8, M^3) of compress, each row moved to its corner."""
        moved = [row.roll(offset) for row, offset in zip(total, self.offsets, strict=True)]
        return torch.stack(moved).sum(dim=0).view(self.size, self.size, self.size)

    def _pieces(self, rotation: Tensor, q: Tensor) -> Iterator[tuple[slice, Tensor, list[Tensor]]]:
        """Rows of orientations, the voxel below each of their pixels (n,) int32, and eight trilinear weights (n,)."""
        at_once = max(1, _POINTS.get(q.device.type, 1 << 20) // q.shape[1])
        for start in range(0, len(rotation), at_once):
            matrices = rotation[start : start + at_once].transpose(1, 2).reshape(-1, 3)
            position = (matrices @ q).view(-1, 3, q.shape[1]) + self.size // 2
            corner = position.floor()
            z, y, x = (position - corner).unbind(1)
            low_z, low_y, low_x = 1 - z, 1 - y, 1 - x
            near = (low_z * low_y, low_z * y, z * low_y, z * y)
            weights = [(pair * along).view(-1) for pair in near for along in (low_x, x)]
            voxel = (corner[:, 0] * self.size + corner[:, 1]) * self.size + corner[:, 2]
            yield slice(start, start + len(position)), voxel.view(-1).to(torch.int32), weights
