"""Simulator of diffraction of macromolecules with detector, Ewald sphere and photons.

This is the second kind of data set of Bellisario & Ekeberg (2024).
"""

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from spi_lightning import fields
from spi_lightning.errors import UserError
from spi_lightning.physics.array import centre_crop
from spi_lightning.physics.atoms import AtomBatch
from spi_lightning.physics.photons import expected_photons
from spi_lightning.physics.rotations.orientations import rotation_matrices
from spi_lightning.simulate.measurement import Measurement, disc_diameter

from .ewald_transform import EwaldTransform, Experiment
from .macromolecule import Projection, make_canonical
from .structures import SimulatorOfStructures, Structures, fitting


@dataclass
class MacromoleculeDiffractionSimulator(SimulatorOfStructures):
    """Diffraction patterns of macromolecules at a detector, in blocks fixed by (config, seed, block).

    The density is that of the small-angle limit, with pixels of wavelength x distance / detector edge; at high angles
    its FFT is not the pattern, which has no Friedel symmetry there.

    Attributes:
        structures: Structures as tables of atoms.
        experiment: Detector and pulse of the experiment.
        bin, crop: Edge of the summed squares of pixels, and central pixels of the detector in use. The 512 x 512 pixels
            of Bellisario & Ekeberg (2024) binned by 4 to 128 x 128 keep their 4.7 Angstrom, cropped only 18.
        resolution: Resolution of the density, m.
        photons: Whether to draw Poisson counts; False: expected photons.
        block_size, repeat, oversized, measurement: As in MacromoleculeSimulator; photons_per_speckle of the measurement
            replaces the brightness of the pulse.
        at_once: Number of patterns computed together.
    """

    structures: Structures
    experiment: Experiment = field(default_factory=Experiment)
    bin: int = 4
    crop: int | None = None
    resolution: float = 3.5e-10
    photons: bool = True
    block_size: int = 16
    repeat: bool = True
    oversized: str = "skip"
    measurement: Measurement = field(default_factory=Measurement)
    at_once: int = 4

    def __post_init__(self) -> None:
        rows, columns = self.experiment.shape
        size = self.crop or min(rows, columns)
        if rows != columns or size > rows or size % self.bin:
            raise UserError(
                f"simulate.crop={self.crop} and simulate.bin={self.bin} do not fit a detector of {rows} x {columns}"
                " pixels: it must be square, and bin must divide what is left"
            )
        edge = self.experiment.wavelength * self.experiment.distance / (self.experiment.pixel_size * self.bin)
        self._projection = Projection(size // self.bin, edge / (size // self.bin), self.resolution)
        self._usable = fitting(self.structures, self._projection.longest, self.oversized)
        middle = rows // 2 + (self.bin - 1) / 2  # so that the beam meets the middle of a binned pixel
        self._transform = EwaldTransform(replace(self.experiment, beam_row=middle, beam_column=middle))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a pattern, pixel."""
        return self._projection.size, self._projection.size

    def __call__(self, block: int, seed: int, device: torch.device | str = "cpu") -> dict[str, Tensor]:
        """Draw one block: intensity, mask, density and the labels of fields.py for ``block_size`` patterns."""
        chosen, atoms, orientation, generator, block_seed = self.drawn(block, seed, device)
        density, orientation = self._density(atoms, orientation)
        expected = self._expected(atoms.turned(rotation_matrices(orientation).to(device)), chosen)
        measured, mask, scale = self.measurement(expected, disc_diameter(density), generator, self.photons)
        return {
            fields.INTENSITY: measured,
            fields.MASK: mask,
            fields.DENSITY: density,
            fields.STRUCTURE: torch.tensor([self.structures.numbers[i] for i in chosen]),
            fields.ORIENTATION: orientation,
            fields.FLUENCE: scale.cpu() * self.experiment.fluence,
            fields.PHOTON_COUNT: (scale * (expected * mask).sum((1, 2))).cpu(),
            fields.SEED: torch.full((self.block_size,), block_seed),
            **self._geometry(),
        }

    def _density(self, atoms: AtomBatch, orientation: Tensor) -> tuple[Tensor, Tensor]:
        """Projected densities, maximum 1, and the orientations that make them canonical twins."""
        turned = atoms.turned(rotation_matrices(orientation).to(atoms.position.device))
        density, orientation = make_canonical(self._projection(turned), orientation)
        return density / density.amax((1, 2), keepdim=True), orientation

    def _expected(self, atoms: AtomBatch, chosen: list[int]) -> Tensor:
        """Expected photons in the pixels of the pattern, (B, n, n); similar sizes are computed together."""
        extent = torch.tensor([self.structures[i].extent for i in chosen])
        acceptance = self._transform.experiment.acceptance().float().to(atoms.position.device)
        expected = torch.empty(len(chosen), *self.shape, device=atoms.position.device)
        for rows in torch.split(extent.argsort(), self.at_once):
            spectrum = self._transform(atoms.select(rows), float(extent[rows].max()))
            photons = expected_photons(
                spectrum.real.square() + spectrum.imag.square(), self.experiment.fluence, acceptance
            )
            expected[rows] = self._to_pattern(photons)
        return expected

    def _to_pattern(self, photons: Tensor) -> Tensor:
        """Photons (B, H, W) cropped and summed over bin x bin pixels."""
        cropped = centre_crop(photons, self.crop)
        size, bin = self.shape[0], self.bin
        return cropped.reshape(-1, size, bin, size, bin).sum((2, 4))

    def _geometry(self) -> dict[str, Tensor]:
        one, experiment = torch.ones(self.block_size), self.experiment
        centre = torch.tensor([n // 2 for n in self.shape], dtype=torch.float32)
        return {
            fields.PHOTON_ENERGY: experiment.photon_energy * one,
            fields.DISTANCE: experiment.distance * one,
            fields.PIXEL_SIZE: experiment.pixel_size * self.bin * one,
            fields.BEAM_CENTRE: centre.repeat(self.block_size, 1),
        }
