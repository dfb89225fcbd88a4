"""Simulator of complex 3D particles and their patterns, in blocks fixed by settings, seed and block."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from spi_lightning import fields
from spi_lightning.errors import UserError
from spi_lightning.physics.array import pad
from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.partial_coherence import LARGEST_SPREAD, blurred_intensity, point_spread_envelope
from spi_lightning.physics.rotations.orientations import random_quaternions, rotation_matrices
from spi_lightning.physics.twin import RULE, canonical_amplitude_phase
from spi_lightning.simulate.particles.phase_field import PhaseRecipe
from spi_lightning.simulate.particles.superellipsoid import SuperellipsoidRecipe

from .draws import Range, log_uniform, recipe, uniform
from .hits import block_seed_of

Body = Callable[[int, Tensor, torch.Generator], Tensor]
Phase = Callable[[Tensor, Tensor, torch.Generator, torch.Generator], Tensor]


def embed(volume: Tensor, size: int) -> Tensor:
    """Zero-pad (..., z, y, x) to a cube of ``size``; voxel n // 2 of the small one becomes size // 2."""
    if max(volume.shape[-3:]) > size:
        raise UserError(f"particles of {tuple(volume.shape[-3:])} voxels do not fit into patterns of {size}")
    return pad(volume, (size,) * 3)


def pattern_of(amplitude: Tensor, phase: Tensor, size: int) -> Tensor:
    """Fourier amplitudes (..., size, size, size) of particles (..., z, y, x), phase in rad; origin at n // 2.

    Orthonormal, so that the squares of amplitude and Fourier amplitude have the same sum. Near a Bragg peak q is
    counted from the peak, in forward scattering from 0: the transform is the same.

    Source: Wu et al. (2021), Eq. 1, with this project's sign exp(-2 pi i q.r).
    """
    density = torch.polar(embed(amplitude, size), embed(phase, size))
    if not len(density):  # a process without a share of the last batch; MKL refuses an empty transform
        return density.real
    return fourier(density, ndim=3).abs()


@recipe
class VolumeNoise:
    """Counting noise and detector of 3D patterns; ``peak_photons=None`` is noise-free.

    Attributes:
        peak_photons: Range of the maximum count, photons, log-uniform.
        background: Range of the photons per voxel, uniform.
        parasitic_peaks: Range of the number of peaks of other crystals.
        parasitic_share: Range of their height as a share of the maximum, log-uniform.
        parasitic_width: Range of their standard deviation, voxel.
        gap: Range of the width of two crossed detector gaps, voxel (0: none), through all frames z, at most a quarter
            of the edge from the centre.
        point_spread: Range of the root mean square width of the blur by partial coherence along each axis, voxel.
    """

    peak_photons: Range | None = None
    background: Range = (0.0, 0.0)
    parasitic_peaks: Range = (0, 0)
    parasitic_share: Range = (1e-4, 1e-2)
    parasitic_width: Range = (0.7, 2.0)
    gap: Range = (0.0, 0.0)
    point_spread: Range = (0.0, 0.0)

    def __post_init__(self) -> None:
        if not 0 <= self.point_spread[0] <= self.point_spread[1] <= LARGEST_SPREAD:
            stated = list(self.point_spread)
            raise UserError(
                f"simulate.noise.point_spread={stated}: give a range within 0 to {LARGEST_SPREAD:.2f} voxels"
            )
        if self.peak_photons is not None and not 0 < self.peak_photons[0] <= self.peak_photons[1]:
            raise UserError(f"simulate.noise.peak_photons={list(self.peak_photons)}: give a range above 0, or null")
        if self.peak_photons is None and (max(self.background) > 0 or max(self.parasitic_peaks) > 0):
            raise UserError("simulate.noise: background and parasitic_peaks are photons; give peak_photons")

    def blurred(self, intensity: Tensor, generator: torch.Generator) -> Tensor:
        """Intensities (B, Z, Y, X) blurred by partial coherence, see physics.partial_coherence."""
        if not max(self.point_spread):
            return intensity
        widths = uniform(self.point_spread, (len(intensity), 3), generator).to(intensity)
        return blurred_intensity(intensity, point_spread_envelope(widths, intensity.shape[1:])).clamp_min(0)

    def scale(self, intensity: Tensor, generator: torch.Generator) -> Tensor:
        """Expected photons (B, Z, Y, X) of noise-free intensities, whose maximum is the drawn peak."""
        peak = log_uniform(self.peak_photons or (1.0, 1.0), (len(intensity),), generator).to(intensity)
        return intensity * (peak / intensity.flatten(1).amax(1))[:, None, None, None]

    def spoil(self, expected: Tensor, generator: torch.Generator) -> Tensor:
        """Add background and peaks of other crystals to expected photons (B, Z, Y, X)."""
        count = len(expected)
        spoilt = expected + uniform(self.background, (count,), generator).to(expected)[:, None, None, None]
        most = int(self.parasitic_peaks[1])
        peaks = uniform((self.parasitic_peaks[0], most + 1), (count,), generator).floor().clamp_max(most)
        for number in range(most):
            present = (peaks > number).to(expected)
            spoilt += present[:, None, None, None] * self._parasitic_peak(expected, generator)
        return spoilt

    def _parasitic_peak(self, expected: Tensor, generator: torch.Generator) -> Tensor:
        """One Gaussian peak for every pattern, at least an eighth of the edge from the centre: (B, Z, Y, X)."""
        count, edges = len(expected), expected.shape[1:]
        away = 0.125 + 0.375 * torch.rand(count, 3, generator=generator)
        side = torch.where(torch.rand(count, 3, generator=generator) < 0.5, -1.0, 1.0)
        width = uniform(self.parasitic_width, (count,), generator).to(expected)[:, None]
        height = log_uniform(self.parasitic_share, (count,), generator).to(expected) * expected.flatten(1).amax(1)
        lines = []
        for axis, n in enumerate(edges):
            position = (torch.arange(n) - n // 2).to(expected) - (away * side)[:, axis, None].to(expected) * n
            lines.append(torch.exp(-0.5 * (position / width) ** 2))
        return torch.einsum("b,bz,by,bx->bzyx", height, *lines)

    def measured(self, count: int, size: int, generator: torch.Generator) -> Tensor:
        """Masks (count, size, size, size) bool, False in the gaps."""
        width = uniform(self.gap, (count,), generator)[:, None]
        centres = (0.25 * size * (2 * torch.rand(count, 2, generator=generator) - 1)).unbind(1)
        axis = torch.arange(size) - size // 2
        rows, columns = ((axis - centre[:, None]).abs() >= width / 2 for centre in centres)
        plane = torch.where(width[:, :, None] > 0, rows[:, :, None] & columns[:, None, :], True)
        return plane[:, None].expand(count, size, size, size)


@dataclass
class VolumeSimulator:
    """Simulator of particles with amplitude and phase, and of their patterns.

    Attributes:
        body: Function of size, rotations and generator to amplitudes.
        phase: Function of bodies, rotations and generators to phases (rad).
        size: Edge of the pattern, voxel.
        object_size: Edge of the box of the particle, voxel; half of ``size`` in the paper.
        block_size: Number of particles per block.
        phase_range: Phase range of the twin, rad, see physics.twin; None: the span of each phase.
        twin: Whether targets are canonical twins, centred; with False both twins occur, as in the paper, whose loss
            then has a lower bound.

    Source: Wu et al. (2021), Methods, 3D Training Dataset.
    """

    body: Body = field(default_factory=SuperellipsoidRecipe)
    phase: Phase = field(default_factory=PhaseRecipe)
    noise: VolumeNoise = field(default_factory=VolumeNoise)
    size: int = 64
    object_size: int = 32
    block_size: int = 32
    twin: bool = True

    def __post_init__(self) -> None:
        if self.object_size > self.size:
            raise UserError(f"simulate.object_size={self.object_size} is larger than simulate.size={self.size}")
        if min(self.object_size, self.block_size) < 1:
            raise UserError(f"simulate.object_size={self.object_size} and block_size={self.block_size}: 1 or more")

    @property
    def rule(self) -> str:
        """Rule of the canonical targets, as stored in files."""
        return RULE if self.twin else "none: either twin, as drawn"

    @property
    def noise_free(self) -> bool:
        """Whether patterns follow from the particles alone, so that files omit them."""
        return self.noise.peak_photons is None and max(*self.noise.gap, *self.noise.point_spread) == 0

    def particles(self, block: int, seed: int, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
        """Amplitudes, largest value 1, and phases (rad) of one block, (N, z, y, x) float32 each."""
        generator, field_generator = self._generators(block, seed, device)
        return self._particles(generator, field_generator, device)

    def _particles(
        self, generator: torch.Generator, field_generator: torch.Generator, device: torch.device | str
    ) -> tuple[Tensor, Tensor]:
        turn = rotation_matrices(random_quaternions(self.block_size, generator)).to(device)
        amplitude = self.body(self.object_size, turn, generator)
        amplitude = amplitude / amplitude.flatten(1).amax(1)[:, None, None, None]
        phase = self.phase(amplitude > 0, turn, generator, field_generator)
        if not self.twin:
            return amplitude, phase
        return canonical_amplitude_phase(amplitude, phase, phase.flatten(1).amax(1))

    def __call__(self, block: int, seed: int, device: torch.device | str = "cpu") -> dict[str, Tensor]:
        """Draw one block of N particles.

        Returns:
            amplitude, phase (N, z, y, x) float32 and, unless noise_free, intensity (N, Z, Y, X) float32 photons, 0
            where mask, bool of the same shape, is False.
        """
        generator, field_generator = self._generators(block, seed, device)
        amplitude, phase = self._particles(generator, field_generator, device)
        drawn = {fields.AMPLITUDE: amplitude, fields.PHASE: phase}
        if self.noise_free:
            return drawn
        mask = self.noise.measured(self.block_size, self.size, generator).to(device)
        intensity = self.noise.blurred(pattern_of(amplitude, phase, self.size) ** 2, generator)
        if self.noise.peak_photons is not None:
            expected = self.noise.spoil(self.noise.scale(intensity, generator), generator)
            intensity = torch.poisson(expected, generator=field_generator)
        return drawn | {fields.INTENSITY: torch.where(mask, intensity, 0.0), fields.MASK: mask}

    def _generators(self, block: int, seed: int, device: torch.device | str) -> tuple[torch.Generator, torch.Generator]:
        """Generators of settings on the CPU and of fields and photons on the device."""
        block_seed = block_seed_of(seed, block)
        return torch.Generator().manual_seed(block_seed), torch.Generator(device).manual_seed(block_seed + 1)
