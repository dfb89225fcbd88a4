"""Alignment of one density with another over rotations, shift, twin and global phase, without a guess of any.

A coarse search correlates Fourier amplitudes, which neither shift nor twin changes, over all rotations; the best of
them, apart from one another, are compared as densities with both twins, and refined. Each step can end at a local
optimum: ``rival`` says how nearly another rotation or twin fits as well.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor

from spi_lightning.physics.array import resized
from spi_lightning.physics.fourier import fourier, inverse_fourier, radial_frequency
from spi_lightning.physics.rotations.orientations import rotation_angle
from spi_lightning.physics.twin import centre_of_mass, twin

from .align import Alignment, alignment, translate
from .amplitude_search import APART, rotations_by_amplitude
from .rotated import finer, matrices_of, moved, rotated, turned_by

_WIDE: Final = 20  # voxels of the particle in the search: Fourier components up to 10 periods across it
_REFINED: Final = (8, 128, 0.03)  # candidates that are refined: at least, at most, and how far below the best overlap
_AGAIN: Final = (4, 24, 0.005)  # the same of those refined further
_FINISHED: Final = (2, 8, 0.002)  # the same of those refined at full resolution
_INSIDE: Final = 0.1  # of the largest |density|: where the particle is
_SMOOTH: Final = 0.12  # cycles per voxel, of a Gaussian before the particle is found
_AT_ONCE: Final = 16  # rotated densities held at one time


@dataclass(frozen=True)
class RotationAlignment:
    """Alignment of a density with a reference; the density is conjugated and inverted first where ``twin`` is True.

    Attributes:
        density: (spatial) aligned density: factor * rho(R^T (r - shift)).
        quaternion: (4,) float64 rotation R, w, x, y, z; about z in 2D.
        shift: (ndim,) float64 translation after the rotation, voxel.
        twin: Whether the twin was taken: rho(-r) of a real density, rho*(-r) of a complex one.
        factor: Global phase; of real densities the sign of the contrast, 1 or -1.
        overlap: |<density, reference>| / (norms), 0 to 1.
        rival: Overlap of the best other alignment, by another twin or a rotation 12 degrees away or more, over that of
            this one, both at the resolution of the search; NaN where no other was found or none was sought.
        margin: Difference of those two overlaps in standard deviations of white noise as strong as what the densities
            differ by within the particle; infinite where there is no other.
        agreed: Number of refined candidates that ended at this alignment.
        refined: Number of candidates that were refined; 0 where no rotation was sought.
    """

    density: Tensor
    quaternion: Tensor
    shift: Tensor
    twin: bool
    factor: complex
    overlap: float
    rival: float = math.nan
    margin: float = math.inf
    agreed: int = 0
    refined: int = 0

    @property
    def angle(self) -> float:
        """Angle of the rotation, rad."""
        return float(rotation_angle(self.quaternion, _identity()))


@dataclass(frozen=True)
class _Search:
    """Part of a RotationAlignment about other poses."""

    rival: float = math.nan
    margin: float = math.inf
    agreed: int = 0
    refined: int = 0


@dataclass(frozen=True)
class _Pose:
    """Rotation and twin of a centred density, the shift of the centred reference towards it, and their overlap."""

    quaternion: Tensor
    twin: bool
    shift: Tensor
    overlap: float

    def same_as(self, other: _Pose) -> bool:
        return self.twin == other.twin and float(rotation_angle(self.quaternion, other.quaternion)) < APART


def align_rotations(density: Tensor, reference: Tensor) -> RotationAlignment:
    """Align a density with a reference of the same shape and voxel over rotations, shift, twin and global phase.

    Args:
        density: (spatial) real or complex, in 2D or 3D, within the array: it does not wrap around an edge.
        reference: The same shape.
    """
    ndim = density.ndim
    own, other = (_centre(each) for each in (density, reference))
    moving, fixed = (translate(each[None], -at[None])[0] for each, at in ((density, own), (reference, other)))
    wide = max(_width(moving), _width(fixed))
    small_moving, small_fixed = (_reduced(each, wide) for each in (moving, fixed))
    candidates = torch.cat([_identity()[None], rotations_by_amplitude(small_moving, small_fixed, min(wide, _WIDE))])
    poses = _by_overlap(small_moving, small_fixed, candidates)
    nearer = [_refine(small_moving, small_fixed, pose, 4.0, 2) for pose in _best(poses, *_REFINED)]
    refined = [_refine(small_moving, small_fixed, pose, 0.8, 2) for pose in _best(_distinct(nearer), *_AGAIN)]
    ranked = _distinct(refined)
    edge = min(next_fast_len(math.ceil(1.5 * wide) + 4), *density.shape)
    pair = [resized(each, [edge] * ndim) for each in (moving, fixed)]
    scaled = [replace(pose, shift=pose.shift * (wide / min(wide, _WIDE))) for pose in _best(ranked, *_FINISHED)]
    best = _distinct([_refine(pair[0], pair[1], pose, 0.5, 2) for pose in scaled])[0]
    same, others = ([pose for pose in ranked if pose.same_as(best) is alike] for alike in (True, False))
    search = _Search(agreed=sum(pose.same_as(best) for pose in nearer), refined=len(nearer))
    if same and others:
        inside = int((small_fixed.abs() > _INSIDE * small_fixed.abs().max()).sum())
        rival = others[0].overlap / same[0].overlap
        search = replace(search, rival=rival, margin=_margin(same[0].overlap, rival, inside))
    return _finish(density, reference, best, (own, other), search)


def align_shift(density: Tensor, reference: Tensor, free: bool = True) -> RotationAlignment:
    """Alignment over shift, twin and global phase alone, as of two halves of one merged intensity.

    Args:
        density, reference: (spatial) of one shape.
        free: Whether shift and twin are sought; False: only the global phase.
    """
    if free:
        found = alignment(density[None], reference, subpixel=True)
        return _first(found, found.shift[0], _identity(), bool(found.twin[0]))
    inner = (density.conj() * reference).sum()
    overlap = inner.abs() / (density.norm() * reference.norm()).clamp_min(1e-30)
    still = torch.zeros(density.ndim, dtype=torch.float64)
    sign = inner.sgn()
    return RotationAlignment(density * sign, _identity(), still, False, complex(sign.item()), float(overlap))


def _first(
    found: Alignment, shift: Tensor, quaternion: Tensor, twin: bool, search: _Search | None = None
) -> RotationAlignment:
    """Alignment of one density, after a rotation and twin of its own."""
    factor, overlap = complex(found.factor[0].item()), float(found.overlap[0])
    more = {} if search is None else vars(search)
    return RotationAlignment(found.density[0], quaternion, shift, twin, factor, overlap, **more)


def _margin(overlap: float, rival: float, inside: int) -> float:
    """Difference of two overlaps in standard deviations of noise, for which see RotationAlignment.

    Both densities of norm 1: <a, b - c> of white noise of power 1 - overlap^2 over the voxels inside, with
    |b - c|^2 = 2 (1 - rival), varies by sqrt((1 - overlap^2) 2 (1 - rival) / inside).
    """
    noise = max(1 - overlap**2, 1e-12) * 2 / inside
    return overlap * math.sqrt(max(1 - rival, 0.0) / noise)


def _identity() -> Tensor:
    return torch.tensor([1.0, 0, 0, 0], dtype=torch.float64)


def _centre(density: Tensor) -> Tensor:
    """Centre of mass of what exceeds a tenth of the largest |density|, from n // 2, (ndim,) voxel."""
    amplitude = _smooth(density).abs()
    return centre_of_mass(torch.where(amplitude > _INSIDE * amplitude.max(), amplitude, 0), density.ndim).double()


def _width(density: Tensor) -> float:
    """Twice the largest distance of the particle from n // 2, voxel, 4 or more; specks beyond 99 % of it left out."""
    amplitude = _smooth(density).abs()
    inside = (amplitude > _INSIDE * amplitude.max()).nonzero()
    middle = torch.tensor([n // 2 for n in density.shape])
    return max(4.0, 2 * float(np.quantile((inside - middle).double().norm(dim=1).numpy(), 0.99)))


def _smooth(density: Tensor) -> Tensor:
    """Density without the noise of single voxels: its transform times a Gaussian of _SMOOTH cycles per voxel."""
    passed = torch.exp(-0.5 * (radial_frequency(density.shape) / _SMOOTH).square()).to(density.abs())
    return inverse_fourier(fourier(density, density.ndim) * passed, density.ndim)


def _reduced(density: Tensor, wide: float) -> Tensor:
    """Density at low resolution, so that the particle is at most _WIDE voxels wide, in an array 1.6 times as wide."""
    ndim = density.ndim
    if wide > _WIDE:
        edges = [max(8, round(n * _WIDE / wide)) for n in density.shape]
        spectrum = resized(fourier(density, ndim), edges)
        small = inverse_fourier(spectrum, ndim)
        density = small if density.is_complex() else small.real
    return resized(density, [next_fast_len(math.ceil(1.6 * min(wide, _WIDE)) + 2)] * ndim)


def _by_overlap(moving: Tensor, fixed: Tensor, rotations: Tensor) -> list[_Pose]:
    """Poses at given rotations with each twin, apart from one another, the best first; of a real 2D density one twin.

    There the twin is a rotation by pi. The reference is shifted instead of the density.
    """
    poses = []
    for other in (False, True) if fixed.ndim == 3 or moving.is_complex() else (False,):
        fine = finer(twin(moving, moving.ndim) if other else moving)
        for block in torch.split(rotations, _AT_ONCE):
            found = alignment(rotated(fine, block, 2), fixed, twins=False)
            rows = zip(block, found.shift, found.overlap.tolist(), strict=True)
            poses += [_Pose(quaternion, other, -shift, overlap) for quaternion, shift, overlap in rows]
    return _distinct(poses)


def _best(poses: list[_Pose], least: int, most: int, below: float) -> list[_Pose]:
    """The best poses, ordered: ``least``, and up to ``most`` whose overlap is at most ``below`` less than the best."""
    near = sum(pose.overlap >= poses[0].overlap - below for pose in poses)
    return poses[: min(most, max(least, near))]


def _distinct(poses: list[_Pose]) -> list[_Pose]:
    """Poses apart from one another, the best first."""
    kept: list[_Pose] = []
    for pose in sorted(poses, key=lambda each: -each.overlap):
        if not any(pose.same_as(other) for other in kept):
            kept.append(pose)
    return kept


def _refine(moving: Tensor, fixed: Tensor, pose: _Pose, degrees: float, rounds: int) -> _Pose:
    """Refine a pose: rotations by Newton steps on a fitted quadratic, shifts by the correlation, in turns."""
    fine = finer(twin(moving, moving.ndim) if pose.twin else moving)
    quaternion, step, shift, overlap = pose.quaternion, math.radians(degrees), pose.shift, pose.overlap
    for _ in range(rounds):
        shift = -alignment(rotated(fine, quaternion[None], 2), fixed, subpixel=True, twins=False).shift[0]
        goal = translate(fixed[None], shift[None])[0]
        quaternion, overlap = _newton(fine, goal, quaternion, step)
        step /= 2.5
    return _Pose(quaternion, pose.twin, shift, overlap)


def _newton(fine: Tensor, goal: Tensor, quaternion: Tensor, step: float) -> tuple[Tensor, float]:
    """Best of a rotation, its neighbours at ``step`` rad, and the maximum of the quadratic through them."""
    axes = [2] if goal.ndim == 2 else [0, 1, 2]
    unit = torch.eye(3, dtype=torch.float64)[axes]
    pairs = list(itertools.combinations(range(len(axes)), 2))
    offsets = [torch.zeros(3, dtype=torch.float64), *unit, *-unit, *(unit[i] + unit[j] for i, j in pairs)]
    tried = turned_by(step * torch.stack(offsets), quaternion)
    values = _overlaps(fine, goal, tried)
    n = len(axes)
    up, down, both = values[1 : n + 1], values[n + 1 : 2 * n + 1], values[2 * n + 1 :]
    gradient, curvature = (up - down) / 2, torch.diag(up + down - 2 * values[0])
    for (i, j), value in zip(pairs, both, strict=True):
        curvature[i, j] = curvature[j, i] = value - up[i] - up[j] + values[0]
    highest = torch.linalg.eigvalsh(curvature)[-1]
    if float(highest) < 0:
        best = -torch.linalg.solve(curvature, gradient)
        best = best * min(1.0, 2 / max(float(best.norm()), 1e-12))
        peak = turned_by(step * (best @ unit)[None], quaternion)
        tried, values = torch.cat([tried, peak]), torch.cat([values, _overlaps(fine, goal, peak)])
    first = int(values.argmax())
    return tried[first], float(values[first])


def _overlaps(fine: Tensor, goal: Tensor, quaternion: Tensor) -> Tensor:
    """|<rotated, goal>| / (norms) of rotations (K, 4), (K,) float64; the grid of ``fine`` is twice as fine."""
    found = []
    for block in torch.split(quaternion, _AT_ONCE):
        turned = rotated(fine, block, 2).flatten(1)
        inner = (turned.conj() @ goal.flatten().to(turned.dtype)).abs()
        found.append(inner / (turned.norm(dim=1) * goal.norm()).clamp_min(1e-30))
    return torch.cat(found).double()


def _finish(
    density: Tensor, reference: Tensor, pose: _Pose, centres: tuple[Tensor, Tensor], search: _Search
) -> RotationAlignment:
    """The whole density in its pose, by a spline; without one where no rotation fits better than none.

    Args:
        density, reference: (spatial) as they were given.
        pose: Pose of the centred density.
        centres: (ndim,) centres of both, voxel.
        search: What the search says about other poses.
    """
    turned = twin(density, density.ndim) if pose.twin else density
    own, other = centres
    shift = other - pose.shift - matrices_of(pose.quaternion, density.ndim) @ (-own if pose.twin else own)
    made = alignment(moved(turned, pose.quaternion, shift)[None], reference, subpixel=True, twins=False)
    if float(rotation_angle(pose.quaternion, _identity())) < APART:
        plain = alignment(turned[None], reference, subpixel=True, twins=False)
        if float(plain.overlap[0]) >= float(made.overlap[0]):
            return _first(plain, plain.shift[0], _identity(), pose.twin, search)
    return _first(made, shift + made.shift[0], pose.quaternion, pose.twin, search)
