"""A merged intensity of a known density in a file as Dragonfly lays it out."""

from pathlib import Path

import h5py
import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from spi_lightning.io.dragonfly.detector import make_detector, write_detector
from spi_lightning.physics.array import pad
from spi_lightning.physics.fourier import fourier

SIZE, PIXELS, DISTANCE = 49, 33, 400.0  # voxels, an odd number; pixels of the detector and their distance


def body(edge: int = 15, seed: int = 0) -> Tensor:
    """Positive density (edge, edge, edge) without symmetry: an ellipsoid with a dent and five lumps."""
    generator = np.random.default_rng(seed)
    z, y, x = np.indices((edge,) * 3) - edge // 2
    half = edge / 2
    inside = (z / (0.95 * half)) ** 2 + (y / (0.75 * half)) ** 2 + (x / (0.6 * half)) ** 2 < 1
    inside &= (z - half) ** 2 + y**2 + (x - 0.3 * half) ** 2 > (0.7 * half) ** 2
    density = 1.0 * inside
    for _ in range(5):
        centre = generator.uniform(-0.45, 0.45, 3) * half
        density += 1.5 * np.exp(-((z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2) / 3)
    return torch.from_numpy(gaussian_filter(density * inside, 0.7)).float()


def write_merged(path: Path, density: Tensor, hole: float = 0.0, weights: bool = True, size: int = SIZE) -> Path:
    """output_NNN.h5 with the intensity of a density (z, y, x), in Dragonfly's order x, y, z, and its weights.

    Args:
        path: File to write, its folder being made.
        density: Density, smaller than the file's cube.
        hole: Radius of the beam stop, voxel.
        weights: Whether the file has inter_weight.
        size: Edge of the cube.
    """
    intensity = fourier(pad(density, [size] * 3), 3).abs().square().double()
    along = torch.arange(size, dtype=torch.float64) - size // 2
    radius = (along[:, None, None] ** 2 + along[:, None] ** 2 + along**2).sqrt()
    weight = torch.where((radius <= size // 2 - 1) & (radius >= hole), 1 / radius.clamp_min(1), 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["intens"] = torch.where(weight > 0, intensity, 0).permute(2, 1, 0).numpy()[None]
        if weights:
            file["inter_weight"] = weight.permute(2, 1, 0).numpy()[None]
        file["orientations"], file["quaternions"] = np.zeros(3, np.int32), np.array([[1.0, 0, 0, 0, 1]])
    return path


def write_beside(folder: Path, hole: float = 0.0, wavelength: float | None = 2.0) -> float:
    """detector.h5 of a run, and config.ini with a wavelength in angstrom; the edge of a voxel of intensity, 1/m."""
    detector = make_detector((PIXELS, PIXELS), DISTANCE)
    radius = np.linalg.norm(detector.q, axis=-1)
    detector.classes[radius < hole] = 2
    write_detector(folder / "detector.h5", detector)
    if wavelength is not None:
        (folder / "config.ini").write_text(
            f"[parameters]\nlambda = {wavelength}\n[emc]\nin_detector_file = detector.h5\n"
        )
    return 1 / (1e-10 * (wavelength or 1) * detector.ewald_radius)
