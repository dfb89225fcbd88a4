"""A small experiment whose truth is known: blobs of intensity, and patterns that lie exactly on their slices."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from spi_lightning.io import make_detector
from spi_lightning.io.dragonfly.detector import Detector
from spi_lightning.orientation.dragonfly import model_size
from spi_lightning.physics.rotations.orientations import rotation_matrices
from spi_lightning.physics.rotations.sampling import RotationSamples, rotation_samples


@dataclass(frozen=True)
class Experiment:
    """Detector, true intensity (M, M, M), sampled orientations, and the numbers of those that the patterns have."""

    detector: Detector
    intensity: Tensor
    samples: RotationSamples
    chosen: Tensor

    def slices(self, quaternion: Tensor) -> Tensor:
        """(N, H, W) true expected photons in orientations (N, 4): the analytic intensity times the correction."""
        q = torch.from_numpy(self.detector.q[..., ::-1].copy())
        body = torch.einsum("nji,hwj->nhwi", rotation_matrices(quaternion), q)
        return blobs(body) * torch.from_numpy(self.detector.correction / self.detector.correction.mean())


def blobs(q: Tensor) -> Tensor:
    """Intensity of Friedel symmetry and no other, features in every slice: pairs of Gaussians on a smooth ground."""
    draw = torch.Generator().manual_seed(8)
    total = 20 * torch.exp(-(q**2).sum(dim=-1) / 40) + 0.5
    for _ in range(20):
        direction, (radius, strength) = torch.randn(3, generator=draw), torch.rand(2, generator=draw).tolist()
        centre = (direction / direction.norm() * (2 + 6 * radius)).to(q)
        for sign in (1, -1):
            total = total + 40 * strength * torch.exp(-((q - sign * centre) ** 2).sum(dim=-1) / 5)
    return total


@pytest.fixture
def experiment() -> Experiment:
    """19 x 19 pixels with a hole in the beam and a gap, a curved Ewald sphere, 150 of 420 orientations."""
    measured = np.ones((19, 19), dtype=bool)
    measured[8:11, 8:11] = False
    measured[:, 14] = False
    detector = make_detector((19, 19), 40.0, measured=measured)
    size = model_size(detector)
    axis = torch.arange(size).double() - size // 2
    intensity = blobs(torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1))
    samples = rotation_samples(2)
    chosen = torch.randperm(len(samples), generator=torch.Generator().manual_seed(0))[:150]
    return Experiment(detector, intensity, samples, chosen)
