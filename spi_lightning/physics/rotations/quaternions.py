"""Rotations as unit quaternions w, x, y, z and as matrices acting on vectors ordered z, y, x."""

import torch
from torch import Tensor


def random_quaternions(count: int, generator: torch.Generator) -> Tensor:
    """Orientations uniform over all rotations (normalised Gaussian vectors): (count, 4), float32, w >= 0."""
    quaternion = torch.randn(count, 4, generator=generator, device=generator.device)
    quaternion = quaternion / quaternion.norm(dim=1, keepdim=True)
    return torch.where(quaternion[:, :1] < 0, -quaternion, quaternion)


def rotation_matrices(quaternion: Tensor) -> Tensor:
    """Rotation matrices of unit quaternions, (..., 4) -> (..., 3, 3), acting on columns ordered z, y, x."""
    w, x, y, z = quaternion.unbind(-1)
    rows = [
        [1 - 2 * (x * x + y * y), 2 * (y * z + x * w), 2 * (x * z - y * w)],
        [2 * (y * z - x * w), 1 - 2 * (x * x + z * z), 2 * (x * y + z * w)],
        [2 * (x * z + y * w), 2 * (x * y - z * w), 1 - 2 * (y * y + z * z)],
    ]
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def multiply_quaternions(left: Tensor, right: Tensor) -> Tensor:
    """Hamilton product of quaternions, (..., 4) each: the rotation ``right`` followed by ``left``."""
    w1, x1, y1, z1 = left.unbind(-1)
    w2, x2, y2, z2 = right.unbind(-1)
    return torch.stack(
        [
            w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
            w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
            w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
            w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
        ],
        dim=-1,
    )
