"""Simulator of hits: scenes, optics and photons, drawn in reproducible blocks."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from spi_lightning import fields
from spi_lightning.errors import UserError
from spi_lightning.fields import Kind
from spi_lightning.physics.photons import count_photons, count_photons_in_lumps, photons_per_fluence
from spi_lightning.physics.rotations.orientations import multiply_quaternions, random_quaternions, rotation_matrices

from .draws import Range, chance, log_normal, log_uniform, recipe, uniform
from .optics import BadPixels, Optics
from .scattering import Geometry, Particles, amplitudes
from .scenes import SceneRecipe, repeat_models


@recipe
class GeometryRecipe:
    """Ranges of the detector geometry, uniform, one draw per pattern.

    Attributes:
        photon_energy: Range of the photon energy, eV.
        distance, pixel_size: Ranges of the detector distance and of the pixel edge, m.
        beam_jitter: Standard deviation of the beam position around the array centre (n - 1) / 2, pixel.
    """

    photon_energy: Range = (1569.4, 1569.4)
    distance: Range = (0.581, 0.581)
    pixel_size: Range = (6e-4, 6e-4)
    beam_jitter: float = 0.0

    def draw(self, count: int, shape: tuple[int, int], generator: torch.Generator) -> Geometry:
        """Random geometries of ``count`` patterns."""
        middle = (torch.tensor(shape, dtype=torch.float32) - 1) / 2
        return Geometry(
            uniform(self.photon_energy, (count,), generator),
            uniform(self.distance, (count,), generator),
            uniform(self.pixel_size, (count,), generator),
            middle + self.beam_jitter * torch.randn(count, 2, generator=generator),
        )


@dataclass
class Brightness:
    """Brightness of the hits.

    Patterns outside [minimum_photons, maximum_photons], which a hit finder would reject or the detector not count, are
    drawn again inside, log-uniform.

    Attributes:
        by: Quantity that is drawn, ``photons`` scattered into the measured pixels or ``fluence``, photons/m^2.
        median, sigma: Parameters of its log-normal distribution.
        minimum_photons, maximum_photons: Range of the photons in the measured pixels.
    """

    by: str = "photons"
    median: float = 2e4
    sigma: float = 0.7
    minimum_photons: float = 5e3
    maximum_photons: float = 2e5

    def __post_init__(self) -> None:
        if self.by not in ("photons", "fluence"):
            raise UserError(f"simulate.brightness.by: {self.by!r} is unknown; choose photons or fluence")

    def fluence(self, photons_at_unit_fluence: Tensor, generator: torch.Generator) -> Tensor:
        """Fluence of each pattern, (B,); photons/m^2. Input: (B,) photons in the mask at 1 photon/m^2."""
        count, device = len(photons_at_unit_fluence), photons_at_unit_fluence.device
        drawn = log_normal(self.median, self.sigma, (count,), generator).to(device)
        again = log_uniform((self.minimum_photons, self.maximum_photons), (count,), generator).to(device)
        photons = drawn if self.by == "photons" else drawn * photons_at_unit_fluence
        inside = (photons >= self.minimum_photons) & (photons <= self.maximum_photons)
        return torch.where(inside, photons, again) / photons_at_unit_fluence


@recipe
class HitSimulator:
    """Simulated single-particle imaging patterns with their labels, in blocks fixed by (config, seed, block).

    Attributes:
        shape: Detector height and width, pixel.
        block_size: Number of patterns per block.
        patterns_per_model: Patterns of one scene in different orientations and fluences (100 in Han & Li 2017).
        blanks: Share of patterns in which nothing was hit: background alone, labelled as contaminants of no particle.
        usable_photons: Least photons of a usable single hit in the measured pixels (0: every single hit is usable).
        photons_per_count: Range of photons per count, uniform per pattern; 1 is an ideal counter, above 1 is a gain set
            too high, with less than Poisson noise (variance over mean is 0.5 in the real development patterns).
        samples, curvature_order: Accuracy of the transform, see scattering.amplitudes.
    """

    scene: SceneRecipe
    shape: tuple[int, int] = (128, 128)
    block_size: int = 100
    patterns_per_model: int = 1
    geometry: GeometryRecipe = field(default_factory=GeometryRecipe)
    brightness: Brightness = field(default_factory=Brightness)
    optics: Optics = field(default_factory=Optics)
    bad_pixels: BadPixels = field(default_factory=BadPixels)
    blanks: float = 0.0
    usable_photons: float = 0.0
    photons_per_count: Range = (1.0, 1.0)
    samples: int = 64
    curvature_order: int = 0

    def __post_init__(self) -> None:
        self.shape = (int(self.shape[0]), int(self.shape[1]))
        if self.block_size % self.patterns_per_model:
            raise UserError(
                f"simulate.block_size={self.block_size} is not a multiple of "
                f"simulate.patterns_per_model={self.patterns_per_model}; make it one"
            )

    def __call__(self, block: int, seed: int, device: torch.device | str = "cpu") -> dict[str, Tensor]:
        """Draw one block.

        Args:
            block: Index of the block, from 0.
            seed: Seed of the whole set.
            device: Device of the computation. Labels do not depend on it; counts come from its generator.

        Returns:
            The names of fields.py for ``block_size`` patterns: photons (N, H, W) float32, mask (N, H, W) bool and the
            per-pattern labels.
        """
        block_seed = block_seed_of(seed, block)
        generator = torch.Generator().manual_seed(block_seed)
        particles, kind, count, models = self._scenes(generator)
        geometry = self.geometry.draw(self.block_size, self.shape, generator)
        mask = self.bad_pixels(self.block_size, self.shape, generator).to(device)
        on_device = Geometry(**{name: value.to(device) for name, value in vars(geometry).items()})
        shapes = self.scene.particle.unit_shapes
        electrons = amplitudes(particles.to(device), on_device, self.shape, self.samples, self.curvature_order, shapes)
        unit = photons_per_fluence(electrons.real**2 + electrons.imag**2, on_device.solid_angle)
        fluence = self.brightness.fluence((unit * mask).sum((1, 2)), generator)
        if self.blanks > 0:
            blank = chance(self.blanks, (self.block_size,), generator)
            fluence = fluence * ~blank.to(device)
            kind, count = torch.where(blank, int(Kind.CONTAMINANT), kind), torch.where(blank, 0, count)
        signal = unit * fluence[:, None, None]
        expected = self.optics(signal, on_device.beam_centre, mask, generator) * mask
        photon_generator = torch.Generator(device).manual_seed(block_seed + 1)
        lumps = uniform(self.photons_per_count, (self.block_size,), generator).to(device)
        if max(self.photons_per_count) > 1:
            counts = count_photons_in_lumps(expected, lumps, photon_generator)
        else:
            counts = count_photons(expected, photon_generator)
        photon_count = (signal * mask).sum((1, 2)).cpu()
        usable = (kind == Kind.SINGLE) & (photon_count >= self.usable_photons)
        return {
            fields.PHOTONS: counts,
            fields.MASK: mask,
            fields.IS_SINGLE_HIT: usable.long(),
            fields.PARTICLE_ID: block * (self.block_size // self.patterns_per_model) + models,
            fields.FLUENCE: fluence.cpu(),
            fields.PHOTON_COUNT: photon_count,
            **block_labels(kind, count, particles, geometry, block_seed),
        }

    def _scenes(self, generator: torch.Generator) -> tuple[Particles, Tensor, Tensor, Tensor]:
        """Particles, kind, particle count and model index of every pattern, each pattern randomly oriented."""
        models = self.block_size // self.patterns_per_model
        particles, kind, count = self.scene.draw(models, generator)
        particles = repeat_models(particles, self.patterns_per_model)
        turn = random_quaternions(self.block_size, generator)[particles.pattern]
        particles.orientation = multiply_quaternions(turn, particles.orientation)
        particles.centre = (rotation_matrices(turn) @ particles.centre[:, :, None])[:, :, 0]
        model = torch.arange(models).repeat_interleave(self.patterns_per_model)
        return particles, kind[model], count[model], model


def block_seed_of(seed: int, block: int) -> int:
    """Hash of (seed, block) to a 62-bit seed: the splitmix64 finaliser."""
    mask = (1 << 64) - 1
    state = (seed * 0x9E3779B97F4A7C15 + (block + 1) * 0xD1B54A32D192ED03) & mask
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
    return (state ^ (state >> 31)) >> 2


def block_labels(
    kind: Tensor, count: Tensor, particles: Particles, geometry: Geometry, block_seed: int
) -> dict[str, Tensor]:
    """Labels of the patterns of a block by their names of fields.py: scene, geometry, seed and first particle.

    Args:
        kind, count: (B,) kind of each pattern, and its number of particles.
        particles: Particles of all patterns.
        geometry: Detector geometries of the patterns.
        block_seed: Seed of the block.
    """
    patterns = len(kind)
    return {
        fields.KIND: kind,
        fields.PARTICLE_COUNT: count,
        fields.PHOTON_ENERGY: geometry.photon_energy,
        fields.DISTANCE: geometry.distance,
        fields.PIXEL_SIZE: geometry.pixel_size,
        fields.BEAM_CENTRE: geometry.beam_centre,
        fields.SEED: torch.full((patterns,), block_seed),
        **first_particle(particles, patterns),
    }


def first_particle(particles: Particles, patterns: int) -> dict[str, Tensor]:
    """Body, diameter and orientation of the first particle of every pattern."""
    first = torch.full((patterns,), len(particles.pattern), dtype=torch.int64)
    first.scatter_reduce_(0, particles.pattern, torch.arange(len(particles.pattern)), "amin")
    return {
        fields.BODY: particles.body[first],
        fields.DIAMETER: particles.diameter[first],
        fields.ORIENTATION: particles.orientation[first],
    }
