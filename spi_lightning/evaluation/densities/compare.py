"""Correlation of two or more densities shell by shell, after their alignment with the first."""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.io.reading import reading
from spi_lightning.metrics.fsc import FSC, fsc, independent_pixels
from spi_lightning.metrics.masked_fsc import mask_oversampling, masked_fsc
from spi_lightning.metrics.shells import resolutions, shells
from spi_lightning.notes import Note
from spi_lightning.phasing.align_rotations import RotationAlignment, align_rotations, align_shift
from spi_lightning.physics.array import pad, surface_level
from spi_lightning.results.densities import AlignedDensity, DensityComparison, DensityPair

from .grid import on_one_grid
from .opening import OpenDensity
from .settings import SOFT, DensitySettings

_AMBIGUOUS: Final = 4.0  # standard deviations of noise, below which another rotation may be the right one
_EQUAL: Final = 1e-6  # 1 - overlap of densities that are one
_SIGMAS: Final = 3.0  # of the correlation of unrelated noise
_SMOOTH: Final = 1.0  # voxel, before the region of a soft mask is found


def compare(densities: Sequence[OpenDensity], settings: DensitySettings | None = None) -> DensityComparison:
    """Compare densities.

    Args:
        densities: Two or more; all are aligned with the first.
        settings: Alignment, mask and voxel sizes; None: the defaults.

    Raises:
        UserError: Fewer than two, densities that cannot be brought to one grid, or a mask of another shape.
    """
    settings = settings or DensitySettings()
    if len(densities) < 2:
        raise UserError(f"{len(densities)} density is too few; name two or more results")
    values, union, edge, notes = on_one_grid(densities, settings)
    values = values / values.flatten(1).norm(dim=1).view(-1, *(1,) * (values.ndim - 1))
    names = _names(densities)
    found = [_aligned(each, values[0], settings.align) for each in values[1:]]
    aligned = torch.stack([values[0], *(each.density for each in found)])
    notes += [note for name, each in zip(names[1:], found, strict=True) for note in _doubts(name, names[0], each)]
    region = _region(aligned) if union is None or settings.align != "none" else union
    mask = _mask(settings, region)
    oversampling = mask_oversampling(region.float() if mask is None else mask)
    rings, real = shells(aligned.shape[1:]), not aligned.is_complex()
    independent = independent_pixels(rings.pixels, aligned.ndim - 1, oversampling, real)
    pairs = [_pair(a, b, aligned, mask, oversampling, settings.seed) for a, b in combinations(range(len(names)), 2)]
    notes += _beyond_chance([pair for pair, _ in pairs], names)
    result = DensityComparison(
        names=names,
        sources=tuple(each.source for each in densities),
        densities=aligned.numpy(),
        mask=None if mask is None else mask.numpy(),
        alignments=tuple(_facts(each) for each in found),
        pairs=tuple(pair for pair, _ in pairs),
        frequency=rings.frequency.numpy(),
        voxels=rings.pixels.numpy(),
        half_bit=pairs[0][1].half_bit.numpy(),
        chance=(_SIGMAS / independent.clamp_min(1).sqrt()).clamp_max(1).numpy(),
        voxel=edge or 1.0,
        known=edge is not None,
        align=settings.align,
        notes=tuple(notes),
    )
    result.metrics.update(_numbers(result))
    return result


def _names(densities: Sequence[OpenDensity]) -> tuple[str, ...]:
    """Names of densities, with a number where one occurs twice."""
    plain = [each.name for each in densities]
    return tuple(f"{name} ({number + 1})" if plain.count(name) > 1 else name for number, name in enumerate(plain))


def _aligned(density: Tensor, first: Tensor, freedom: str) -> RotationAlignment:
    return align_rotations(density, first) if freedom == "rotation" else align_shift(density, first, freedom == "shift")


def _facts(found: RotationAlignment) -> AlignedDensity:
    real = not found.density.is_complex()
    return AlignedDensity(
        quaternion=found.quaternion.numpy(),
        angle=math.degrees(found.angle),
        shift=found.shift.numpy(),
        twin=found.twin,
        sign=int(found.factor.real) if real else 1,
        phase=0.0 if real else cmath.phase(found.factor),
        overlap=found.overlap,
        rival=found.rival,
        margin=found.margin,
        agreed=found.agreed,
        refined=found.refined,
    )


def _doubts(name: str, first: str, found: RotationAlignment) -> list[Note]:
    """Notes on an alignment: a sign, one density twice, another rotation that fits as well."""
    notes = []
    if not found.density.is_complex() and found.factor.real < 0:
        notes.append(Note.of("its contrast is opposite and was inverted", name))
    if 1 - found.overlap < _EQUAL:
        notes.append(Note.warning(f"is the same density as {first}: their correlation is no resolution", name))
    if found.margin < _AMBIGUOUS:
        notes.append(
            Note.warning(
                f"another rotation or twin reaches {min(found.rival, 1):.4f} of the overlap, {found.margin:.1f} "
                "standard deviations of noise less: the body is nearly symmetric or the noise high, and the other may "
                "be right",
                name,
            )
        )
    return notes


def _region(aligned: Tensor) -> Tensor:
    """Where the mean of the aligned densities is above half of its typical amplitude, (spatial) bool."""
    mean = torch.from_numpy(gaussian_filter(aligned.abs().mean(0).numpy(), _SMOOTH))
    return mean > surface_level(mean, torch.ones_like(mean, dtype=torch.bool))


def _mask(settings: DensitySettings, region: Tensor) -> Tensor | None:
    """Mask (spatial) float32, 0 to 1: the region widened by a cosine edge, or that of a file or array."""
    if settings.mask is None:
        return None
    if isinstance(settings.mask, str) and settings.mask == SOFT:
        distance = distance_transform_edt(~region.numpy())
        width = max(settings.mask_edge, 1)
        soft = 0.5 + 0.5 * np.cos(np.pi * np.clip((distance - 1) / width, 0, 1))
        return torch.from_numpy(soft.astype(np.float32))
    name, values = "array", settings.mask
    if isinstance(values, str):
        name = values
        with reading(name, "a NumPy file", "mask="):
            values = torch.from_numpy(np.asarray(np.load(name, allow_pickle=False)).astype(np.float32))
    mask = torch.as_tensor(values).float()
    if mask.ndim == region.ndim and max(mask.shape) <= region.shape[0]:
        mask = pad(mask, region.shape)
    if mask.shape != region.shape or not 0 <= float(mask.min()) < float(mask.max()) <= 1:
        raise UserError(
            f"mask={name}: shape {tuple(mask.shape)}, values {float(mask.min()):.3g} to {float(mask.max()):.3g}; give "
            f"numbers from 0 to 1 in the common grid, {tuple(region.shape)}"
        )
    return mask


def _pair(
    first: int, second: int, aligned: Tensor, mask: Tensor | None, oversampling: float, seed: int
) -> tuple[DensityPair, FSC]:
    """Correlation of two densities, and its thresholds."""
    a, b = aligned[first], aligned[second]
    plain = fsc(a, b, a.ndim, oversampling)
    empty = np.empty(0, dtype=np.float32)
    if mask is None:
        return DensityPair(
            first, second, _numpy(plain), _numpy(plain), empty, empty, math.nan, _crossings(plain)
        ), plain
    masked = masked_fsc(a, b, mask, seed)
    read = masked.corrected
    curves = masked.masked.numpy(), masked.randomised.numpy()
    return DensityPair(first, second, _numpy(read), _numpy(plain), *curves, masked.beyond, _crossings(read)), read


def _numpy(curve: FSC) -> NDArray[np.float32]:
    return curve.curve.numpy()


def _crossings(curve: FSC) -> dict[str, float]:
    fixed = {name: float(curve.falls_below(float(name))) for name in ("0.5", "0.143")}
    return fixed | {"half_bit": float(curve.half_bit_crossing)}


def _beyond_chance(pairs: Sequence[DensityPair], names: Sequence[str]) -> list[Note]:
    """Warning of each pair that does not agree from the first shells on."""
    return [
        Note.warning(f"{names[pair.first]} and {names[pair.second]} do not agree: their correlation begins below 0.5")
        for pair in pairs
        if pair.crossing["0.5"] < 2 / max(2 * len(pair.curve), 1)
    ]


def _numbers(result: DensityComparison) -> dict[str, Any]:
    """Numbers of metrics.json; of more than two densities each name begins with the numbers of its pair, as 1-2/."""
    numbers: dict[str, Any] = {"densities": len(result.names), "voxel_nm": 1e9 * result.voxel if result.known else None}
    for pair in result.pairs:
        prefix = f"{pair.first + 1}-{pair.second + 1}/" if len(result.pairs) > 1 else ""
        for name, frequency in pair.crossing.items():
            crossed = math.isfinite(frequency)
            numbers[f"{prefix}fsc_{name}/crossing"] = frequency if crossed else None
            if crossed and result.known:
                numbers |= resolutions(f"{prefix}fsc_{name}", frequency, [result.voxel])
    for number, each in enumerate(result.alignments, 2):
        prefix = f"1-{number}/" if len(result.pairs) > 1 else ""
        numbers |= {f"{prefix}{name}": getattr(each, name) for name in ("overlap", "angle", "twin", "sign")}
        if math.isfinite(each.rival):
            numbers |= {f"{prefix}rival": each.rival, f"{prefix}margin": each.margin}
    return numbers
