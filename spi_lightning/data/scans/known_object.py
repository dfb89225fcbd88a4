"""Known complex object as ground truth, e.g. a published reconstruction, with simulated counts of its pattern."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.io.hdf5.file import dataset, opened
from spi_lightning.io.volumes.cxi_image import read_cxi_image
from spi_lightning.notes import Note
from spi_lightning.physics.array import crop
from spi_lightning.physics.bragg.preparation import PreparedPattern
from spi_lightning.physics.fourier import fourier, inverse_fourier
from spi_lightning.simulate.volumes import embed


@dataclass
class KnownObject:
    """True density and its simulated pattern.

    Attributes:
        density: (Z, Y, X) complex64 at the resolution of the pattern, largest |value| 1, origin at n // 2.
        pattern: Counts and mask, with notes on their origin.
    """

    density: Tensor
    pattern: PreparedPattern


def read_object(path: str | Path) -> Tensor:
    """Read a density (z, y, x) complex64: HDF5 with amplitude and phase (rad), or a CXI image.

    Raises:
        UserError: The file or a key is missing, shapes differ, or values are not finite.
    """
    path = Path(path)
    if path.suffix.lower() == ".cxi":
        values = read_cxi_image(path).density
    else:
        with opened(path) as file:
            amplitude, phase = (dataset(file, name, "path")[()].astype(np.float32) for name in ("amplitude", "phase"))
        if amplitude.shape != phase.shape:
            raise UserError(f"{path}: amplitude {amplitude.shape} and phase {phase.shape} differ in shape")
        values = amplitude * np.exp(1j * phase)
    if values.ndim != 3 or not np.isfinite(values).all() or not np.abs(values).any():
        raise UserError(f"{path}: a density (z, y, x) of finite values is needed, not {values.shape}")
    return torch.from_numpy(values.astype(np.complex64))


def coarsen(density: Tensor, factor: int, size: int) -> Tensor:
    """Density at the resolution of a smaller pattern: inverse transform of the middle of its transform.

    Args:
        density: (z, y, x) complex, up to factor * size voxels along each axis.
        factor: Ratio of the new to the old voxel edge.
        size: Edge of the result, voxel.

    Returns:
        (size, size, size) complex, blurred to its voxels; largest |value| 1.
    """
    wide = fourier(embed(density, factor * size), ndim=3)
    coarse = inverse_fourier(crop(wide, (size,) * 3), ndim=3)
    return coarse / coarse.abs().max()


def count_known_object(
    path: str | Path, size: int = 64, factor: int = 4, peak_photons: float | None = None, seed: int = 0
) -> KnownObject:
    """Read an object, coarsen it, and simulate the counts of its pattern.

    Args:
        path: File of the object, see read_object.
        size: Edge of the pattern, voxel.
        factor: Ratio of the new voxel edge to that of the file; 4 makes 23 x 29 x 28 of the 91 x 116 x 113 voxels of a
            crystal of ESRF ID01.
        peak_photons: Expected maximum count; None: noise-free, the maximum is 1.
        seed: Seed of the counts.

    Raises:
        UserError: The object does not fit, or peak_photons is not positive.
    """
    density = coarsen(read_object(path), factor, size)
    intensity = fourier(density, ndim=3).abs() ** 2
    expected = intensity / intensity.max() * (1.0 if peak_photons is None else peak_photons)
    photons, what = expected, "noise-free"
    if peak_photons is not None:
        if peak_photons <= 0:
            raise UserError(f"peak_photons={peak_photons}: must be positive, or null for no noise")
        photons = torch.poisson(expected, generator=torch.Generator().manual_seed(seed))
        what = f"Poisson counts with an expected maximum of {peak_photons:g}, {float(photons.sum()):,.0f} in all"
    index = torch.unravel_index(photons.argmax(), photons.shape)
    peak = (int(index[0]), int(index[1]), int(index[2]))
    mask = torch.ones(photons.shape, dtype=torch.bool)
    return KnownObject(
        density, PreparedPattern(photons, mask, (1, 1, 1), peak, [Note.of(f"a known object, {what}", str(path))])
    )
