"""Simulator of projected electron densities of macromolecules and their diffraction in the flat limit.

The first kind of data set of Bellisario & Ekeberg (2024): atoms are blurred to 3.5 Angstrom, projected and squared in
Fourier space.
"""

from dataclasses import dataclass, field, replace
from typing import Final

import torch
from torch import Tensor

from spi_lightning import fields
from spi_lightning.physics.atoms.atom_table import batch_atoms
from spi_lightning.physics.constants import wavelength_from_energy
from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.rotations.quaternions import multiply_quaternions, random_quaternions, rotation_matrices
from spi_lightning.physics.twin import invert, is_canonical
from spi_lightning.simulate.hits import block_seed_of
from spi_lightning.simulate.measurement import Measurement, disc_diameter

from .projected_map import Projection
from .structure_choice import Structures, deal_structures, fitting, names_of

_PHOTON_ENERGY: Final = 8000.0  # eV; with the distance, m, a detector whose small-angle pattern is the map's FFT
_DISTANCE: Final = 0.3


@dataclass
class MacromoleculeSimulator:
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

    @property
    def most_patterns(self) -> int | None:
        """Largest number of patterns; None: no limit."""
        return None if self.repeat else len(self._usable)

    @property
    def attributes(self) -> dict[str, str]:
        """Identifiers of the whole collection by index, for the file of a set."""
        return names_of(self.structures)

    def of_part(self, part: str) -> "MacromoleculeSimulator":
        """This simulator with the structures of one split, see data.StructureSource."""
        return replace(self, structures=self.structures.of_part(part))

    def __call__(self, block: int, seed: int, device: torch.device | str = "cpu") -> dict[str, Tensor]:
        """Draw one block: intensity, mask, density and the labels of fields.py for ``block_size`` patterns."""
        block_seed = block_seed_of(seed, block)
        generator = torch.Generator().manual_seed(block_seed)
        chosen = deal_structures(self._usable, block, self.block_size, seed)
        orientation = random_quaternions(self.block_size, generator)
        atoms = batch_atoms([self.structures[i] for i in chosen], device)
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
