"""Simulator of Han & Li (2017), Sect. 3, as printed: voxels, a padded 3D transform, trilinear Ewald slices.

Slow, with errors of some per cent (the slices), but the training set of the paper; it has bodies that the fast
generator lacks (sheared, twisted). One block is one model: one scene, one fluence, one detector, many orientations.
"""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from spi_lightning import fields
from spi_lightning.errors import UserError
from spi_lightning.fields import Kind
from spi_lightning.physics.ewald import scattering_vectors
from spi_lightning.physics.fourier import fourier_unshifted
from spi_lightning.physics.photons import count_photons, photons_per_fluence
from spi_lightning.physics.rotations.orientations import multiply_quaternions, random_quaternions, rotation_matrices
from spi_lightning.simulate.particles.voxels import VoxelParticle, gaussian_blur, random_affine, voxel_model, voxelise

from .draws import Range, recipe, uniform
from .hits import Brightness, GeometryRecipe, block_seed_of
from .optics import BadPixels, Optics
from .scattering import Geometry, Particles
from .scenes import SceneRecipe

_TRIES = 20  # scenes drawn before giving up on the detector


def scattered_intensity(density: Tensor, padding: int) -> Tensor:
    """Squared modulus of the transform of a zero-padded density.

    Args:
        density: (n, n, n) real samples; their position does not change the modulus.
        padding: Edge of the padded cube, n or more and even; 256 for n = 128 in the paper.

    Returns:
        (padding, padding, padding) float32 squared sums of density * exp(-2 pi i q.r), origin at padding // 2.
    """
    n = density.shape[0]
    sign = 1.0 - 2.0 * (torch.arange(n, device=density.device) % 2)  # moves the origin of q to padding // 2, no shift
    alternating = density * (sign[:, None, None] * sign[:, None] * sign) * padding**1.5
    spectrum = fourier_unshifted(F.pad(alternating, (0, padding - n) * 3), ndim=3)
    return (spectrum.real * spectrum.real).addcmul_(spectrum.imag, spectrum.imag)


def slice_intensity(intensity: Tensor, q: Tensor) -> Tensor:
    """Intensities at scattering vectors by trilinear interpolation of a cube, as in the paper.

    Args:
        intensity: (n, n, n) intensities, origin at n // 2.
        q: (B, H, W, 3) scattering vectors z, y, x; cycles per voxel of the density, less than 1/2 each.

    Returns:
        (B, H, W) interpolated intensities.
    """
    n = intensity.shape[0]
    index = q * n + n // 2
    grid = (index * (2 / (n - 1)) - 1).flip(-1)  # grid_sample wants x, y, z from -1 to 1
    return F.grid_sample(intensity[None, None], grid[None], align_corners=True)[0, 0]


def electrons_squared(
    density: Tensor, voxel_size: float, orientation: Tensor, geometry: Geometry, shape: tuple[int, int], padding: int
) -> Tensor:
    """Squared transform of one voxel model at the detector pixels, for many orientations.

    Args:
        density: (n, n, n) electron density, electrons/m^3.
        voxel_size: Edge of a voxel; m.
        orientation: (B, 4) unit quaternions, model to laboratory.
        geometry: Detector geometries of B patterns.
        shape: Detector height and width, pixel.
        padding: Edge of the padded cube, voxel.

    Returns:
        (B, H, W) float32; electrons^2.

    Raises:
        ValueError: The detector reaches beyond the Nyquist frequency of the voxels.
    """
    if not resolves(voxel_size, geometry, shape):
        raise ValueError(f"voxels of {voxel_size} m are too coarse for this detector")
    q = scattering_vectors(shape, geometry.pixel_size, geometry.distance, geometry.wavelength, geometry.beam_centre)
    cycles = q.flatten(1, 2) @ rotation_matrices(orientation).to(q) * voxel_size  # rows: the inverse rotation
    intensity = scattered_intensity(density * voxel_size**3, padding)
    return slice_intensity(intensity, cycles.view(q.shape))


def resolves(voxel_size: float, geometry: Geometry, shape: tuple[int, int]) -> bool:
    """Whether voxels of an edge (m) resolve all frequencies of the detector: |q| below 1 / (2 voxel_size)."""
    corner = torch.maximum(geometry.beam_centre, torch.tensor(shape).to(geometry.beam_centre) - geometry.beam_centre)
    q = corner.norm(dim=1) * geometry.pixel_size / (geometry.distance * geometry.wavelength)
    return float(q.max()) * voxel_size < 0.49  # a little less than 1/2, for the interpolation


@recipe
class LiteralHitSimulator:
    """Han & Li's simulator behind the interface of HitSimulator: ``simulator(block, seed) -> dict of tensors``.

    Attributes:
        scene: Recipe of the scenes as in HitSimulator, with bodies without cores.
        shape: Detector height and width, pixel.
        block_size: Number of patterns per model.
        voxels, padding: Edges of the cube of the particle and of its transform, voxel.
        radius: Range of the radius of a particle, voxel, uniform; smaller where a cluster would not fit.
        affine: Strength of the random stretch and shear of the bodies of a model (logarithm).
        twist: Largest twist of a body, rad per diameter, uniform in both senses.
        geometry, brightness: Recipes drawn once per model.
        optics, bad_pixels: Recipes drawn per pattern; none in the paper.
        usable_photons: Least photons of a usable single hit, as in HitSimulator.
    """

    scene: SceneRecipe
    shape: tuple[int, int] = (128, 128)
    block_size: int = 100
    voxels: int = 128
    padding: int = 256
    radius: Range = (15.0, 30.0)
    affine: float = 0.0
    twist: float = 0.0
    geometry: GeometryRecipe = field(default_factory=GeometryRecipe)
    brightness: Brightness = field(default_factory=Brightness)
    optics: Optics = field(default_factory=Optics)
    bad_pixels: BadPixels = field(default_factory=BadPixels)
    usable_photons: float = 0.0

    def __post_init__(self) -> None:
        self.shape = (int(self.shape[0]), int(self.shape[1]))
        if self.block_size < 1 or self.voxels < 16 or min(self.radius) <= 0:
            raise UserError("simulate: block_size must be at least 1, voxels at least 16 and radius positive")
        if self.padding < self.voxels or self.padding % 2:
            raise UserError(
                f"simulate.padding={self.padding} must be even and not less than simulate.voxels={self.voxels}"
            )
        if self.scene.particle.core_probability > 0:
            raise UserError("simulate.scene.particle.core_probability: voxel bodies have no core; set it to 0")

    def __call__(self, block: int, seed: int, device: torch.device | str = "cpu") -> dict[str, Tensor]:
        """Draw one block: ``block_size`` patterns of one model.

        Args:
            block: Index of the block, from 0; also the particle_id of all its patterns.
            seed: Seed of the whole set.
            device: Device of the computation. Labels do not depend on it; counts come from its generator.

        Returns:
            The names of fields.py, as HitSimulator returns them.
        """
        block_seed = block_seed_of(seed, block)
        generator = torch.Generator().manual_seed(block_seed)
        model = self._model(generator)
        particles, kind, count = model.particles, model.kind, model.count
        density = gaussian_blur(
            voxelise(model.placed, self.voxels, device), float(particles.edge_blur[0]) / model.voxel_size
        ) * float(particles.density[0])
        one = vars(model.geometry)
        geometry = Geometry(**{name: value.repeat_interleave(self.block_size, dim=0) for name, value in one.items()})
        on_device = Geometry(**{name: value.to(device) for name, value in vars(geometry).items()})
        turn = random_quaternions(self.block_size, generator)
        mask = self.bad_pixels(self.block_size, self.shape, generator).to(device)
        squared = electrons_squared(density, model.voxel_size, turn.to(device), on_device, self.shape, self.padding)
        unit = photons_per_fluence(squared, on_device.solid_angle)
        fluence = self.brightness.fluence((unit * mask).sum((1, 2)).mean()[None], generator)
        signal = unit * fluence
        expected = self.optics(signal, on_device.beam_centre, mask, generator) * mask
        photon_generator = torch.Generator(device).manual_seed(block_seed + 1)
        photon_count = (signal * mask).sum((1, 2)).cpu()
        usable = (kind == Kind.SINGLE) & (photon_count >= self.usable_photons)
        per_model = {
            fields.KIND: kind,
            fields.PARTICLE_COUNT: count,
            fields.PARTICLE_ID: torch.tensor([block]),
            fields.BODY: particles.body[:1],
            fields.DIAMETER: particles.diameter[:1],
            fields.FLUENCE: fluence.cpu(),
            fields.SEED: torch.tensor([block_seed]),
        }
        return {
            fields.PHOTONS: count_photons(expected, photon_generator),
            fields.MASK: mask,
            fields.IS_SINGLE_HIT: usable.long(),
            fields.ORIENTATION: multiply_quaternions(turn, particles.orientation[:1]),
            fields.PHOTON_COUNT: photon_count,
            fields.PHOTON_ENERGY: geometry.photon_energy,
            fields.DISTANCE: geometry.distance,
            fields.PIXEL_SIZE: geometry.pixel_size,
            fields.BEAM_CENTRE: geometry.beam_centre,
            **{name: value.repeat(self.block_size) for name, value in per_model.items()},
        }

    def _model(self, generator: torch.Generator) -> "_Model":
        """Draw scene, shape and detector of one model; redraw if the voxels are too coarse for the detector."""
        for _ in range(_TRIES):
            particles, kind, count = self.scene.draw(1, generator)
            geometry = self.geometry.draw(1, self.shape, generator)
            affine = random_affine(self.affine, generator)
            twist = float(uniform((-self.twist, self.twist), (1,), generator))
            radius = float(uniform(self.radius, (1,), generator))
            placed, voxel_size = voxel_model(particles, radius, self.voxels, affine, twist)
            if resolves(voxel_size, geometry, self.shape):
                return _Model(particles, kind, count, geometry, placed, voxel_size)
        raise UserError(
            f"simulate: {_TRIES} scenes in a row need voxels too coarse for the detector, the last of"
            f" {voxel_size * 1e9:.1f} nm; take smaller particles or clusters, a larger simulate.radius, more"
            " simulate.voxels, or a detector that reaches less far"
        )


@dataclass
class _Model:
    """Common properties of the patterns of one block."""

    particles: Particles
    kind: Tensor
    count: Tensor
    geometry: Geometry
    placed: list[VoxelParticle]
    voxel_size: float
