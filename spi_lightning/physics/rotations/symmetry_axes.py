"""Symmetry axes of a merged intensity, whose frame is arbitrary."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .orientations import multiply_quaternions, random_quaternions, rotation_matrices, sphere_points, symmetry_group

_POINTS, _PROPOSALS, _AT_ONCE = 800, 3000, 200
_ORBITS = 200
_GOLDEN = (1 + math.sqrt(5)) / 2
_AXES = [(0, s, _GOLDEN) for s in (1, -1)] + [(_GOLDEN, 0, s) for s in (1, -1)] + [(s, _GOLDEN, 0) for s in (1, -1)]


@dataclass(frozen=True)
class SymmetryAxes:
    """Frame in which an intensity is most nearly icosahedral.

    Attributes:
        rotation: (4,) quaternion from the frame of the intensity to that of symmetry_group("icosahedral").
        share: Share of the variance on its shells that is icosahedral: 1 for a perfect icosahedron, 1/60 by chance.
    """

    rotation: Tensor
    share: float


def icosahedral_axes(intensity: Tensor, shells: Tensor, seed: int = 0) -> SymmetryAxes:
    """Find the icosahedral axes of a merged intensity.

    On each shell the intensity's deviation from its mean, over the square root of that mean (counting noise), is
    projected on the icosahedron's invariants of degrees 6 and 10; the frame in which the summed squares are largest is
    sought among random ones and refined by ever smaller random steps.

    Args:
        intensity: (M, M, M) float64 ordered z, y, x, q = 0 at M // 2; not negative.
        shells: (S,) radii, voxel, inside the cube.
        seed: Seed of the random frames.
    """
    generator = torch.Generator().manual_seed(seed)
    points = sphere_points(_POINTS).to(intensity)
    contrast = _contrast(intensity, points, shells)
    frames = random_quaternions(_PROPOSALS, generator).to(intensity)
    best = frames[_scores(frames, points, contrast).argmax()]
    for step in (0.06, 0.03, 0.015, 0.008, 0.004, 0.002):
        nudge = step * torch.randn(_AT_ONCE, 3, generator=generator).to(intensity)
        nudge = torch.cat([torch.ones(_AT_ONCE, 1).to(intensity), nudge], dim=1)
        nudge[0, 1:] = 0
        frames = multiply_quaternions(nudge / nudge.norm(dim=1, keepdim=True), best.expand(_AT_ONCE, 4))
        best = frames[_scores(frames, points, contrast).argmax()]
    return SymmetryAxes(best, _share(intensity, best, shells))


def _contrast(intensity: Tensor, direction: Tensor, shells: Tensor) -> Tensor:
    """Deviation from the mean of each shell, (..., 3) unit vectors -> (..., S), in standard deviations of counting."""
    position = direction[..., None, :] * shells.to(intensity)[:, None]
    size = intensity.shape[-1]
    grid = ((position + size // 2) * (2 / (size - 1)) - 1).flip(-1).reshape(1, 1, 1, -1, 3)
    value = torch.nn.functional.grid_sample(intensity[None, None], grid, align_corners=True).reshape(
        position.shape[:-1]
    )
    mean = value.mean(dim=tuple(range(value.ndim - 1)))
    return (value - mean) / mean.clamp_min(1e-12).sqrt()


def _scores(frames: Tensor, points: Tensor, contrast: Tensor) -> Tensor:
    """Squared projections on the invariants, summed over degrees and shells; (F, 4) -> (F,)."""
    axes = torch.nn.functional.normalize(torch.tensor(_AXES).to(points), dim=1)
    scores = []
    for block in torch.split(frames, _AT_ONCE):
        turned = torch.einsum("fji,aj->fai", rotation_matrices(block), axes)
        cosine = turned @ points.T
        sums = [_legendre(degree, cosine).sum(dim=1) @ contrast for degree in (6, 10)]
        scores.append(sum((each.square().sum(dim=1) for each in sums), torch.zeros(len(block)).to(points)))
    return torch.cat(scores)


def _legendre(degree: int, x: Tensor) -> Tensor:
    """P_degree(x) by Bonnet's recursion."""
    before, now = torch.ones_like(x), x
    for n in range(1, degree):
        before, now = now, ((2 * n + 1) * x * now - n * before) / (n + 1)
    return now


def _share(intensity: Tensor, rotation: Tensor, shells: Tensor) -> float:
    """Variance of the mean over the 60 equivalents of a direction, over the variance of all."""
    group = rotation_matrices(symmetry_group("icosahedral").to(intensity))
    frame = rotation_matrices(rotation)
    orbit = torch.einsum("kij,nj->nki", group, sphere_points(_ORBITS).to(intensity)) @ frame
    contrast = _contrast(intensity, orbit, shells)
    return float(
        (contrast.mean(dim=1).square().sum() / contrast.square().mean(dim=1).sum().clamp_min(1e-300)).clamp_max(1)
    )
