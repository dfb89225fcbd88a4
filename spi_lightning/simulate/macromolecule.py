"""Projected electron density of macromolecules and its diffraction in the flat limit: the first route of P2.

Bellisario & Ekeberg (2024) blur atoms to 3.5 Angstrom, project them and square the Fourier transform. Here the atoms
of all structures of a block are splatted, one grid for each element of each structure, and one FFT gives the lot.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Protocol

import torch
from torch import Tensor

from .. import fields
from ..fields import UserError
from ..physics.ambiguity import invert, is_canonical
from ..physics.atomic_form_factor import form_factor, resolution_width
from ..physics.atoms import AtomBatch, Atoms, batch_atoms
from ..physics.constants import wavelength_from_energy
from ..physics.fourier import fourier
from ..physics.rotation import multiply_quaternions, random_quaternions, rotation_matrices
from ..physics.splatting import KaiserBessel, splat
from .hits import block_seed_of
from .measurement import Measurement, disc_diameter

OVERSAMPLING = 2.0  # least ratio of frame to particle along each axis that phasing needs
_LONGEST_ATTRIBUTE = 60_000  # bytes
_MARGIN = 8  # pixels around half the frame for the tails of the atoms
_PHOTON_ENERGY, _DISTANCE = 8000.0, 0.3  # eV, m: a detector whose small-angle pattern is the FFT of the map


class Structures(Protocol):
    """Where a simulator finds structures: data.StructureSource, or a list in tests."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Atoms: ...

    def of_part(self, part: str) -> "Structures":
        """Those of one split: train, val or test."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """Ids of the whole collection, by number."""
        ...

    @property
    def numbers(self) -> Sequence[int]:
        """Their numbers in the whole collection, of which this may be a part."""
        ...


@dataclass
class Projection:
    """Atoms to a projected map.

    size: edge of the map, pixel. pixel_size: m. resolution: of the blur, m (physics.resolution_width), raised to half a
    pixel where it is finer. samples: fine cells per pixel in which atoms are splatted; None takes a quarter of the
    resolution or finer, which leaves a relative error of 1.4e-4 of the map at 3.5 Angstrom (against the sum over all
    atoms of a protein of 5,300; P2's pixels). kernel: splatting.
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
        """Largest extent that leaves an oversampling of 2; m."""
        return self.size * self.pixel_size / OVERSAMPLING

    def __call__(self, atoms: AtomBatch) -> Tensor:
        """Project along z.

        Args:
            atoms: B structures around the origin, no larger than ``longest``.

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
        before = self.size // 2 - field_pixels // 2
        after = self.size - field_pixels - before
        return torch.nn.functional.pad(density, (before, after, before, after))

    def _window(self, grid: int, cell: float, device: torch.device) -> Tensor:
        """Blur to the resolution, integral over a pixel, and the kernel taken out again; (grid, grid // 2 + 1)."""
        sigma, factors = resolution_width(self.resolution), []
        for frequency in _frequencies(grid, cell, device):
            blur = torch.exp(-2 * (math.pi * sigma * frequency).square()) * torch.sinc(self.pixel_size * frequency)
            factors.append(blur / self.kernel.transform(frequency * cell))
        return factors[0][:, None] * factors[1]


def _frequencies(grid: int, cell: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """Frequencies of the rows and columns of a real FFT; 1/m."""
    return torch.fft.fftfreq(grid, cell, device=device), torch.fft.rfftfreq(grid, cell, device=device)


@dataclass
class MacromoleculeSimulator:
    """Projected maps of macromolecules with their diffraction patterns, in blocks fixed by (config, seed, block).

    structures: the atoms. projection: map and resolution. block_size: patterns per block. repeat: False gives one
    pattern per structure (P2: "no repetitions of patterns and proteins"), True as many as asked for, every structure
    equally often. oversized: what becomes of structures too large for an oversampling of 2: ``error`` or ``skip``.
    measurement: photons, background, missing pixels.

    The intensity is |fourier(density)|^2 of the density with maximum 1, times photons if the measurement counts them.
    """

    structures: Structures
    projection: Projection = field(default_factory=Projection)
    block_size: int = 32
    repeat: bool = True
    oversized: str = "error"
    measurement: Measurement = field(default_factory=Measurement)

    def __post_init__(self) -> None:
        self._usable = fitting(self.structures, self.projection.longest, self.oversized)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.projection.size, self.projection.size

    @property
    def most_patterns(self) -> int | None:
        """How many patterns there are at most; None: no limit."""
        return None if self.repeat else len(self._usable)

    @property
    def attributes(self) -> dict[str, str]:
        """Ids of the whole collection by number, for the file of a set."""
        return names_of(self.structures)

    def of_part(self, part: str) -> "MacromoleculeSimulator":
        """The same with the structures of one split; see data.StructureSource."""
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
        """A far, small detector on which the FFT of the map is the pattern."""
        one = torch.ones(self.block_size)
        edge = self.projection.size * self.projection.pixel_size
        pixel_size = wavelength_from_energy(_PHOTON_ENERGY) * _DISTANCE / edge
        return {
            fields.PHOTON_ENERGY: _PHOTON_ENERGY * one,
            fields.DISTANCE: _DISTANCE * one,
            fields.PIXEL_SIZE: pixel_size * one,
            fields.BEAM_CENTRE: torch.tensor([n // 2 for n in self.shape], dtype=torch.float32).repeat(len(one), 1),
        }


def names_of(structures: Structures) -> dict[str, str]:
    """The attribute ``structures`` of a file: ids by number; left out where HDF5's 64 kB would not hold them."""
    names = ",".join(structures.names)
    return {"structures": names} if len(names) < _LONGEST_ATTRIBUTE else {}


def make_canonical(density: Tensor, orientation: Tensor) -> tuple[Tensor, Tensor]:
    """Turn half a turn around the beam where that is the canonical twin; (B, H, W) and (B, 4)."""
    keep = is_canonical(density, ndim=2)
    half_turn = orientation.new_tensor([0.0, 0.0, 0.0, 1.0]).expand_as(orientation)
    turned = multiply_quaternions(half_turn, orientation)
    density = torch.where(keep[:, None, None], density, invert(density, ndim=2))
    return density, torch.where(keep.cpu()[:, None], orientation, turned)


def fitting(structures: Structures, longest: float, oversized: str) -> list[int]:
    """Numbers of the structures that leave an oversampling of 2.

    Raises:
        UserError: One is larger and ``oversized`` is ``error``; none is left; an unknown option.
    """
    if oversized not in ("error", "skip"):
        raise UserError(f"simulate.oversized={oversized} is unknown: choose error or skip")
    usable, skipped = [], []
    for i in range(len(structures)):
        atoms = structures[i]
        if atoms.extent <= longest:
            usable.append(i)
        elif oversized == "error":
            ratio = OVERSAMPLING * longest / atoms.extent
            raise UserError(
                f"structure {atoms.name}: {atoms.extent * 1e9:.1f} nm give an oversampling of {ratio:.2f}, below 2; the"
                f" frame takes up to {longest * 1e9:.1f} nm: enlarge it, or simulate.oversized=skip"
            )
        else:
            skipped.append(atoms.name)
    if not usable:
        raise UserError(
            f"none of the {len(structures)} structures is smaller than {longest * 1e9:.1f} nm, half of the frame;"
            " enlarge simulate.projection.size or .pixel_size"
        )
    if skipped:
        counts = f"{len(skipped)} of {len(structures)} structures are"
        _say_once(f"{counts} larger than {longest * 1e9:.1f} nm and left out: {', '.join(skipped)}")
    return usable


@cache
def _say_once(line: str) -> None:
    """Training makes several simulators of the same structures."""
    logging.getLogger(__name__).warning(line)


def deal_structures(usable: Sequence[int], block: int, block_size: int, seed: int) -> list[int]:
    """Which structure each pattern of a block shows: all in random order, then all in another; (block_size,)."""
    first, count = block * block_size, len(usable)
    rounds = range(first // count, (first + block_size - 1) // count + 1)
    order = torch.cat([_shuffled(count, seed, number) for number in rounds])
    start = first - rounds[0] * count
    return [usable[i] for i in order[start : start + block_size].tolist()]


def _shuffled(count: int, seed: int, number: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(block_seed_of(seed + 1, number)))
