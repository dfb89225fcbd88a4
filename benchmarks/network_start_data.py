"""Patterns of structures that no network was trained on, for benchmarks.network_start and network_calibration."""

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from benchmarks.bellisario_figures.patterns import simulator_of
from spi_lightning.fields import DENSITY, INTENSITY, MASK, STRUCTURE
from spi_lightning.physics.agreement import fourier_error
from spi_lightning.physics.fourier import fourier

PHOTONS: Final = 100.0  # per first speckle, of the noisy patterns
BEAMSTOP: Final = 2.0  # radius of the missing centre, pixel
PHASES: Final = {"complex, 1 rad": 1.0, "complex, 3 rad": 3.0}  # height of the phase bump of complex densities, rad
KINDS: Final[dict[str, dict[str, Any]]] = {  # settings of simulate.Measurement
    "real, noise-free": {},
    **{kind: {} for kind in PHASES},
    f"{PHOTONS:g} photons per speckle": {"photons_per_speckle": (PHOTONS, PHOTONS)},
    f"centre missing, {BEAMSTOP:g} pixels": {"beamstop": (BEAMSTOP, BEAMSTOP)},
}


@dataclass(frozen=True)
class Patterns:
    """P patterns of different structures, float32 or complex64.

    fourier_amplitude, mask, density: (P, H, W), the density in the scale of the amplitudes. noise: (P,) relative
    Fourier error of the true density. structure: (P,) int64.
    """

    fourier_amplitude: Tensor
    mask: Tensor
    density: Tensor
    noise: Tensor
    structure: Tensor


def draw_patterns(kind: str, count: int, size: int, seed: int = 2026) -> Patterns:
    """Patterns of test structures at random orientations; each structure once before any twice.

    The complex kinds multiply the density by a smooth phase, a Gaussian bump beside the middle of the particle.
    """
    simulate = simulator_of("test", size, block_size=32, **KINDS[kind])
    blocks = [simulate(block, seed) for block in range(-(-3 * count // 32))]
    batch = {name: torch.cat([block[name] for block in blocks]) for name in (INTENSITY, MASK, DENSITY, STRUCTURE)}
    chosen = _different(batch[STRUCTURE], count)
    density, mask = batch[DENSITY][chosen].double(), batch[MASK][chosen].reshape(count, size, size)
    amplitude = batch[INTENSITY][chosen].double().reshape(count, size, size).clamp_min(0).sqrt()
    if kind in PHASES:
        density = with_phase(density, PHASES[kind])
        amplitude = fourier(density, 2).abs()
    exact = fourier(density, 2).abs()
    scale = (amplitude * exact * mask).sum((-2, -1)) / (exact.square() * mask).sum((-2, -1))
    amplitude, density = amplitude * mask, density * scale[:, None, None]
    noise = fourier_error(density, amplitude, mask).float()
    density = density.to(torch.complex64 if density.is_complex() else torch.float32)
    return Patterns(amplitude.float(), mask, density, noise, batch[STRUCTURE][chosen])


def _different(structure: Tensor, count: int) -> Tensor:
    """Indices of ``count`` patterns, as many different structures as there are."""
    rank = torch.stack([(structure[:i] == structure[i]).sum() for i in range(len(structure))])
    return torch.argsort(rank, stable=True)[:count].sort().values


def with_phase(density: Tensor, height: float) -> Tensor:
    """Densities times exp(i phi), phi a Gaussian bump of ``height`` rad a quarter of the particle beside its middle."""
    size = density.shape[-1]
    y, x = torch.meshgrid(*(torch.arange(size, dtype=density.dtype) - size // 2,) * 2, indexing="ij")
    total = density.sum((-2, -1), keepdim=True)
    spread = ((density * (y**2 + x**2)).sum((-2, -1), keepdim=True) / total).sqrt()
    phase = height * torch.exp(-((y - spread / 2) ** 2 + (x - spread / 3) ** 2) / (2 * (spread / 2) ** 2))
    return torch.polar(density, phase)
