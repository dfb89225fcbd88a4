"""3D patterns of files and arrays as one type, data.scans.volume_patterns.VolumePatterns."""

from __future__ import annotations

import os
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from spi_lightning.data.measurement import Measurement
from spi_lightning.data.scans.volume_patterns import VolumePatterns, of_measurements, open_volume_patterns
from spi_lightning.errors import UserError

Volumes = VolumePatterns | Measurement | ArrayLike | Tensor | str | os.PathLike[str]
"""What functions of this room take as 3D patterns: those that were opened, one measurement, a path, or an array."""


def as_volumes(patterns: Any, mask: ArrayLike | Tensor | None = None, truth: Any = None) -> VolumePatterns:
    """3D patterns of any kind as VolumePatterns.

    Args:
        patterns: Photons or intensities (N, z, y, x) or (z, y, x) of NumPy or torch, origin at n // 2; a Measurement,
            such as measure_scan gives; or the path of a rocking scan or of a set of particles.
        mask: Bool, of an array's shape or of one of its patterns, True where measured; None: all that is finite.
        truth: Complex true densities of an array's shape; None where unknown.

    Raises:
        UserError: A shape of another number of axes, negative intensities, a path that cannot be read, or a mask or
            truth beside patterns that hold their own.
    """
    held = isinstance(patterns, VolumePatterns | Measurement | str | os.PathLike)
    if held and (mask is not None or truth is not None):
        name = "truth" if mask is None else "mask"
        raise UserError(f"{name}: give it beside an array; a file or a measurement has its own")
    if isinstance(patterns, VolumePatterns):
        return patterns
    if isinstance(patterns, Measurement):
        return of_measurements(["array"], [patterns])
    if isinstance(patterns, str | os.PathLike):
        return open_volume_patterns(os.fspath(patterns))
    volumes = torch.as_tensor(patterns)
    volumes = volumes[None] if volumes.ndim == 3 else volumes
    if volumes.ndim != 4 or len(volumes) == 0:
        raise UserError(f"patterns: shape {tuple(volumes.shape)}; give 3D patterns, (N, z, y, x) or (z, y, x)")
    masks = [None] * len(volumes) if mask is None else torch.as_tensor(mask).expand(volumes.shape)
    made = [Measurement.from_intensity(one, known) for one, known in zip(volumes, masks, strict=True)]
    return VolumePatterns(
        "",
        "array",
        tuple(f"pattern {number}" for number in range(len(made))),
        torch.stack([one.fourier_amplitude for one in made]),
        torch.stack([one.mask for one in made]),
        None if truth is None else torch.as_tensor(truth).to(torch.complex64).reshape(volumes.shape),
        counted=all(one.whole for one in made),
    )
