"""Densities brought to one grid: one voxel by Fourier resampling, one cube, no constant background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import torch
from scipy.fft import next_fast_len
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.notes import Note
from spi_lightning.physics.array import pad
from spi_lightning.physics.resampling import resampled

from .opening import OpenDensity
from .settings import DensitySettings

_SAME: Final = 1e-4  # relative difference of voxels below which they are one
_BACKGROUND: Final = 1e-3  # of the largest value, from which a constant is subtracted


def on_one_grid(
    densities: Sequence[OpenDensity], settings: DensitySettings
) -> tuple[Tensor, Tensor | None, float | None, list[Note]]:
    """Densities of one shape and voxel.

    Args:
        densities: Two or more, as they were opened.
        settings: Of these, ``voxel_size`` and ``align`` count.

    Returns:
        (N, spatial) densities, origin at n // 2; the union of their supports, None where one lacks it; the edge of a
        voxel, m, None where unknown; notes.

    Raises:
        UserError: Images beside volumes; axes that are not perpendicular; voxels of which one alone is known; unknown
            voxels of different shapes.
    """
    if len({each.values.ndim for each in densities}) > 1:
        listed = ", ".join(f"{each.name} {tuple(each.values.shape)}" for each in densities)
        raise UserError(f"images and volumes are not compared: {listed}; give those of one kind")
    _require_perpendicular(densities, settings)
    notes = [note for each in densities for note in each.notes]
    stated = [_with_stated(each, settings.voxel_of(number, len(densities))) for number, each in enumerate(densities)]
    edge = _common_voxel(stated, notes)
    values, supports = [], []
    for each in stated:
        own = each.voxel or (1.0,) * each.values.ndim
        target = edge or 1.0
        values.append(_without_background(resampled(each.values, own, target), each.name, notes))
        supports.append(None if each.support is None else resampled(each.support.float(), own, target) > 0.5)
    size = next_fast_len(max(max(each.shape) for each in values))
    ndim = values[0].ndim
    kind = torch.complex64 if any(each.is_complex() for each in values) else torch.float32
    cubes = torch.stack([pad(each.to(kind), [size] * ndim) for each in values])
    known = [each for each in supports if each is not None]
    union = torch.stack([pad(each, [size] * ndim) for each in known]).any(0) if len(known) == len(values) else None
    return cubes, union, edge, notes


def _require_perpendicular(densities: Sequence[OpenDensity], settings: DensitySettings) -> None:
    """UserError for the frame of a rocking scan, unless all densities share its grid and none is rotated."""
    oblique = [each for each in densities if each.frame]
    alike = len({(tuple(each.values.shape), each.voxel) for each in densities}) == 1 and len(oblique) == len(densities)
    if oblique and (settings.align == "rotation" or not alike):
        raise UserError(
            f"{oblique[0].source or oblique[0].name}: its axes ({oblique[0].frame}) are not perpendicular; compare "
            "laboratory.npz of each run, or densities of one scan with align=shift"
        )


def _with_stated(density: OpenDensity, stated: float | None) -> OpenDensity:
    return density if stated is None else replace(density, voxel=(stated,) * density.values.ndim)


def _common_voxel(densities: Sequence[OpenDensity], notes: list[Note]) -> float | None:
    """The coarsest edge of a voxel, m, to which others are resampled; None where none is known."""
    unknown = [each for each in densities if each.voxel is None]
    shapes = {tuple(each.values.shape) for each in densities}
    if unknown and (len(unknown) < len(densities) or len(shapes) > 1):
        what = (
            f"of shapes {', '.join(map(str, sorted(shapes)))}" if len(unknown) == len(densities) else "while others do"
        )
        raise UserError(
            f"{unknown[0].source or unknown[0].name}: does not say its voxel size, {what}: state the edge of a voxel "
            f"in m, as voxel_size=2e-9 for all or voxel_size=[{','.join(['2e-9'] * len(densities))}]"
        )
    if unknown:
        notes.append(Note.of("no file says its voxel size: they are taken as alike, and resolutions are in voxels"))
        return None
    edge = max(max(each.voxel or ()) for each in densities)
    for each in densities:
        own = each.voxel or ()
        if any(abs(length / edge - 1) > _SAME for length in own):
            lengths = " x ".join(f"{1e9 * length:.4g}" for length in dict.fromkeys(own))
            notes.append(Note.of(f"{each.name}: resampled from voxels of {lengths} nm to {1e9 * edge:.4g} nm"))
    return edge


def _without_background(values: Tensor, name: str, notes: list[Note]) -> Tensor:
    """A real density less the mean of its outermost layer, where that is not 0."""
    if values.is_complex():
        return values
    inner = torch.zeros_like(values, dtype=torch.bool)
    inner[(slice(1, -1),) * values.ndim] = True
    background = float(values[~inner].double().median())
    if abs(background) <= _BACKGROUND * float(values.abs().max()):
        return values
    notes.append(Note.of(f"{name}: a constant background of {background:.4g} was subtracted"))
    return values - background
