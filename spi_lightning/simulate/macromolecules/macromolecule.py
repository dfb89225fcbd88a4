"""Simulator of projected electron densities of macromolecules and their diffraction in the flat limit.

The first kind of data set of Bellisario & Ekeberg (2024): structures that fit into the frame are assigned evenly to
patterns; their atoms are blurred to 3.5 Angstrom, projected and squared in Fourier space.
"""

import math
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor

from spi_lightning import fields
from spi_lightning.physics.array import pad
from spi_lightning.physics.atoms import (
    AtomBatch,
    KaiserBessel,
    form_factor,
    resolution_width,
    splat,
)
from spi_lightning.physics.constants import wavelength_from_energy
from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.rotations.orientations import multiply_quaternions, rotation_matrices
from spi_lightning.physics.twin import invert, is_canonical
from spi_lightning.simulate.measurement import Measurement, disc_diameter

from .structures import OVERSAMPLING, SimulatorOfStructures, Structures, fitting

_MARGIN: Final = 8  # pixels around half the frame for the tails of the atoms


@dataclass
class Projection:
    """Projection of atoms to a map.

    Attributes:
        size: Edge of the map, pixel.
        pixel_size: Edge of a pixel, m.
        resolution: Resolution of the blur, m (physics.resolution_width), at least half a pixel.
        samples: Number of fine cells per pixel for splatting; None: a quarter of the resolution or finer, with a
            relative error of 1.4e-4 of the map at 3.5 Angstrom (against the sum over the 5,300 atoms of a protein, with
            the pixels of Bellisario & Ekeberg 2024).
        kernel: Kernel of the splatting.
    """

    size: int = 128
    pixel_size: float = 2.33e-10
    resolution: float = 3.5e-10
    samples: int | None = None
    kernel: KaiserBessel = field(default_factory=KaiserBessel)

    def __post_init__(self) -> None:
        self.resolution = max(self.resolution, self.pixel_size / 2)

    @property
    def longest(self) -> float:
        """Largest extent with an oversampling of 2; m."""
        return self.size * self.pixel_size / OVERSAMPLING

    def __call__(self, atoms: AtomBatch) -> Tensor:
        """Project atoms along z.

        Args:
            atoms: Atoms of B structures around the origin, no larger than ``longest``.

        Returns:
            (B, size, size) float32 electrons in each pixel, origin at size // 2; never below 0, which cuts ripples of
            less than 0.1 % of the maximum.
        """
        samples = self.samples or math.ceil(4 * self.pixel_size / self.resolution)
        field_pixels = min(self.size, self.size // 2 + _MARGIN)
        grid = field_pixels * samples
        cell = self.pixel_size / samples
        elements, of_atom = torch.unique(atoms.atomic_number, return_inverse=True)
        used, row = torch.unique(atoms.owner * len(elements) + of_atom, return_inverse=True)
        points = splat(atoms.position[:, 1:] / cell, row, len(used), (grid, grid), self.kernel)
        spectra = torch.fft.rfft2(points)
        total = spectra.new_zeros(atoms.structures, *spectra.shape[1:])
        window = self._window(grid, cell, atoms.position.device)
        frequency = _frequencies(grid, cell, atoms.position.device)
        length = torch.hypot(frequency[0][:, None], frequency[1])
        for number, element in enumerate(elements.tolist()):  # elements, ten at most, not patterns
            rows = (used % len(elements) == number).nonzero()[:, 0]
            total.index_add_(0, used[rows] // len(elements), spectra[rows] * (form_factor(element, length) * window))
        fine = torch.fft.irfft2(total, s=(grid, grid))
        density = fine[:, ::samples, ::samples].clamp_min(0) * samples**2
        return pad(density, (self.size, self.size))

    def _window(self, grid: int, cell: float, device: torch.device) -> Tensor:
        """Window of the blur to the resolution and the pixel integral over the kernel; (grid, grid // 2 + 1)."""
        sigma, factors = resolution_width(self.resolution), []
        for frequency in _frequencies(grid, cell, device):
            blur = torch.exp(-2 * (math.pi * sigma * frequency).square()) * torch.sinc(self.pixel_size * frequency)
            factors.append(blur / self.kernel.transform(frequency * cell))
        return factors[0][:, None] * factors[1]


def _frequencies(grid: int, cell: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """Frequencies of the rows and columns of a real FFT; 1/m."""
    return torch.fft.fftfreq(grid, cell, device=device), torch.fft.rfftfreq(grid, cell, device=device)


_PHOTON_ENERGY: Final = 8000.0  # eV; with the distance, m, a detector whose small-angle pattern is the map's FFT
_DISTANCE: Final = 0.3


@dataclass
class MacromoleculeSimulator(SimulatorOfStructures):
    """Projected maps of macromolecules with their diffraction patterns, in blocks fixed by (config, seed, block).

    The intensity is |fourier(density)|^2 of the density with maximum 1, times photons if the measurement counts them.

    Attributes:
        structures: Structures as tables of atoms.
        projection: Size and resolution of the map.
        block_size: Number of patterns per block.
        repeat: Whether structures repeat, equally often; False: one pattern per structure, as in Bellisario & Ekeberg
            (2024), "no repetitions of patterns and proteins".
        oversized: Treatment of structures too large for an oversampling of 2, ``error`` or ``skip``.
        measurement: Photon noise, background and missing pixels.
    """

    structures: Structures
    projection: Projection = field(default_factory=Projection)
    block_size: int = 32
    repeat: bool = True
    oversized: str = "skip"
    measurement: Measurement = field(default_factory=Measurement)

    def __post_init__(self) -> None:
        self._usable = fitting(self.structures, self.projection.longest, self.oversized)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a pattern, pixel."""
        return self.projection.size, self.projection.size

    def __call__(self, block: int, seed: int, device: torch.device | str = "cpu") -> dict[str, Tensor]:
        """Draw one block: intensity, mask, density and the labels of fields.py for ``block_size`` patterns."""
        chosen, atoms, orientation, generator, block_seed = self.drawn(block, seed, device)
        density = self.projection(atoms.turned(rotation_matrices(orientation).to(device)))
        density, orientation = make_canonical(density, orientation)
        density = density / density.amax((1, 2), keepdim=True)
        spectrum = fourier(density, ndim=2)
        intensity = spectrum.real.square() + spectrum.imag.square()
        measured, mask, scale = self.measurement(intensity, disc_diameter(density), generator)
        numbers = torch.tensor([self.structures.numbers[i] for i in chosen])
        return {
            fields.INTENSITY: measured,
            fields.MASK: mask,
            fields.DENSITY: density,
            fields.STRUCTURE: numbers,
            fields.ORIENTATION: orientation,
            fields.PHOTON_COUNT: (scale * (intensity * mask).sum((1, 2))).cpu(),
            fields.SEED: torch.full((self.block_size,), block_seed),
            **self._geometry(),
        }

    def _geometry(self) -> dict[str, Tensor]:
        """Geometry of a distant, small detector whose pattern is the FFT of the map."""
        one = torch.ones(self.block_size)
        edge = self.projection.size * self.projection.pixel_size
        pixel_size = wavelength_from_energy(_PHOTON_ENERGY) * _DISTANCE / edge
        return {
            fields.PHOTON_ENERGY: _PHOTON_ENERGY * one,
            fields.DISTANCE: _DISTANCE * one,
            fields.PIXEL_SIZE: pixel_size * one,
            fields.BEAM_CENTRE: torch.tensor([n // 2 for n in self.shape], dtype=torch.float32).repeat(len(one), 1),
        }


def make_canonical(density: Tensor, orientation: Tensor) -> tuple[Tensor, Tensor]:
    """Rotate by pi about the beam where that is the canonical twin; densities (B, H, W), orientations (B, 4)."""
    keep = is_canonical(density, ndim=2)
    half_turn = orientation.new_tensor([0.0, 0.0, 0.0, 1.0]).expand_as(orientation)
    turned = multiply_quaternions(half_turn, orientation)
    density = torch.where(keep[:, None, None], density, invert(density, ndim=2))
    return density, torch.where(keep.cpu()[:, None], orientation, turned)
