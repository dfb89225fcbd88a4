"""Rotations at which the Fourier amplitudes of two densities agree, which neither shift nor twin changes."""

import itertools
import math
from typing import Final

import torch
from scipy.fft import next_fast_len
from torch import Tensor

from spi_lightning.physics.array import resized
from spi_lightning.physics.fourier import fourier, radial_frequency
from spi_lightning.physics.rotations.orientations import rotation_angle, sphere_points

from .rotated import even_rotations, matrices_of, sampled, turned_by

APART: Final = math.radians(12)  # between two candidates
_OVER: Final = 3  # of the array in which amplitudes are interpolated over the particle
_COARSE: Final = {2: 720, 3: 12_000}  # rotations of the first search, 0.5 degrees and about 9 degrees apart
_PERIODS: Final = (5.0, 8.0)  # across the particle, up to which amplitudes are compared: first search, then refinement
_KEPT: Final = 96  # candidates


def rotations_by_amplitude(moving: Tensor, fixed: Tensor, wide: float) -> Tensor:
    """Rotations (K, 4) at which the Fourier amplitudes agree best, apart from one another, the best first.

    Args:
        moving, fixed: (spatial) densities of one shape, of which the first is rotated.
        wide: Width of the particle, voxel.
    """
    ndim = moving.ndim
    edge = next_fast_len(math.ceil(_OVER * wide))
    turned, goal = (_flat_amplitude(resized(each, [max(edge, n) for n in each.shape])) for each in (moving, fixed))
    speckle = goal.shape[0] / wide
    rotations = even_rotations(_COARSE[ndim], ndim)
    real = not (moving.is_complex() or fixed.is_complex())
    first = _scores(rotations, turned, goal, _points(_PERIODS[0], speckle, ndim, real))
    chosen = _apart(rotations, first, APART if ndim == 3 else APART / 4)
    points = _points(_PERIODS[1], speckle, ndim, real)
    for degrees in (5.0, 2.5):
        offsets = _offsets(ndim, math.radians(degrees if ndim == 3 else degrees / 5))
        near = turned_by(offsets, chosen)
        scores = _scores(near.flatten(0, 1), turned, goal, points).view(near.shape[:2])
        chosen = near[torch.arange(len(near)), scores.argmax(1)]
    return chosen[_scores(chosen, turned, goal, points).argsort(descending=True)]


def _flat_amplitude(density: Tensor) -> Tensor:
    """|F| less its mean over each shell, over its standard deviation there, float32; 0 beyond the last shell."""
    amplitude = fourier(density, density.ndim).abs().float()
    index = (radial_frequency(amplitude.shape) * max(amplitude.shape)).round().long().flatten()
    count = torch.bincount(index).clamp_min(1)
    mean = torch.bincount(index, amplitude.flatten()) / count
    flat = amplitude.flatten() - mean[index].float()
    spread = (torch.bincount(index, flat.square()) / count).sqrt().clamp_min(1e-20)
    return (flat / spread[index].float()).view(amplitude.shape)


def _points(periods: float, speckle: float, ndim: int, real: bool) -> Tensor:
    """Points of shells half a speckle apart, (P, ndim) voxel, up to so many periods across the particle.

    Args:
        periods: Periods across the particle at the last shell.
        speckle: Voxels of a speckle, array over particle.
        ndim: Number of axes.
        real: Whether amplitudes are symmetric about q = 0, so that half of each shell suffices.
    """
    found = []
    for half in range(2, math.floor(2 * periods) + 1):
        number = half / 2
        if ndim == 3:
            points = sphere_points(math.ceil(16 * number**2))
        else:
            angle = 2 * math.pi * torch.arange(math.ceil(16 * number), dtype=torch.float64) / math.ceil(16 * number)
            points = torch.stack([angle.sin(), angle.cos()], dim=-1)
        found.append(number * speckle * (points[: len(points) // 2] if real else points))
    return torch.cat(found)


def _scores(rotations: Tensor, moving: Tensor, fixed: Tensor, points: Tensor) -> Tensor:
    """Mean product of two flattened amplitudes over points, the moving one rotated; (K, 4) -> (K,)."""
    goal = sampled(fixed, points)
    blocks = [
        (sampled(moving, (points @ matrices_of(block, moving.ndim)).float()) * goal).mean(-1)
        for block in torch.split(rotations, 500)
    ]
    return torch.cat(blocks)


def _apart(rotations: Tensor, scores: Tensor, angle: float) -> Tensor:
    """The best _KEPT rotations, each so far from the better ones, rad; (K, 4)."""
    order = scores.argsort(descending=True)[: 40 * _KEPT]
    kept: list[int] = []
    free = torch.ones(len(order), dtype=torch.bool)
    for position, index in enumerate(order.tolist()):
        if free[position]:
            kept.append(index)
            free &= rotation_angle(rotations[order], rotations[index]) > angle
        if len(kept) == _KEPT:
            break
    return rotations[kept]


def _offsets(ndim: int, step: float) -> Tensor:
    """Rotation vectors x, y, z around none: the axes and the corners of a cube, (N, 3) rad; about z alone in 2D."""
    if ndim == 2:
        return torch.tensor([[0.0, 0.0, turn * step] for turn in (0, -2, -1, 1, 2)], dtype=torch.float64)
    corners = [list(signs) for signs in itertools.product((-0.6, 0.6), repeat=3)]
    axes = [[sign * (axis == k) for k in range(3)] for axis in range(3) for sign in (-1.0, 1.0)]
    return step * torch.tensor([[0.0, 0.0, 0.0], *axes, *corners], dtype=torch.float64)
