"""Simulator of hits of any experiment in the canonical frame, for classifiers that serve every detector."""

from collections.abc import Mapping, Sequence
from dataclasses import field

import torch
from torch import Tensor

from spi_lightning import fields
from spi_lightning.errors import UserError
from spi_lightning.fields import Kind
from spi_lightning.physics.photons import photons_per_fluence
from spi_lightning.physics.rotations.orientations import multiply_quaternions, random_quaternions, rotation_matrices
from spi_lightning.simulate.draws import Range, chance, log_quantiles, recipe, uniform
from spi_lightning.simulate.hits import block_labels, block_seed_of, first_particle
from spi_lightning.simulate.projection import BODIES
from spi_lightning.simulate.scattering import Particles, amplitudes
from spi_lightning.simulate.scenes import SceneRecipe

from .counting import CountingRecipe
from .detectors import DetectorRecipe
from .experiment import CanonicalGeometry
from .light import BackgroundRecipe


@recipe
class CanonicalHitSimulator:
    """Patterns in the canonical frame with their labels, each of another experiment, in blocks fixed by (seed, block).

    Attributes:
        scene: Distribution of scenes, with lengths in diameters of the usual particle.
        shape: Height and width of the frame, cells.
        block_size: Number of patterns per block.
        photons: Photons scattered into the measured cells: their range, log-uniform; or quantiles of equal distance.
        blanks: Share of frames in which nothing was hit.
        apparent: Diameter of the sphere fitted to patterns of a body, median over orientations, over that of its
            volume, where not 1: the width of the speckle is estimated by that fit, or by one that errs less.
        samples, curvature_order: Accuracy of the transform, see scattering.amplitudes.
    """

    scene: SceneRecipe
    shape: tuple[int, int] = (64, 64)
    block_size: int = 256
    geometry: CanonicalGeometry = field(default_factory=CanonicalGeometry)
    photons: Range | Sequence[float] = (50.0, 1e6)
    blanks: float = 0.02
    apparent: Mapping[str, float] = field(default_factory=dict)
    detector: DetectorRecipe = field(default_factory=DetectorRecipe)
    background: BackgroundRecipe = field(default_factory=BackgroundRecipe)
    counting: CountingRecipe = field(default_factory=CountingRecipe)
    samples: int = 48
    curvature_order: int = 2

    def __post_init__(self) -> None:
        self.shape = (int(self.shape[0]), int(self.shape[1]))
        bodies = (*BODIES, *self.scene.particle.shapes)
        if unknown := set(self.apparent) - set(bodies):
            raise UserError(f"simulate.apparent: unknown body {sorted(unknown)}; choose from {', '.join(bodies)}")
        self._apparent = torch.tensor([float(self.apparent.get(body, 1.0)) for body in bodies])

    def __call__(self, block: int, seed: int, device: torch.device | str = "cpu") -> dict[str, Tensor]:
        """Draw one block.

        Args:
            block: Index of the block, from 0.
            seed: Seed of the whole set.
            device: Device on which the patterns are returned; they are drawn on the CPU.

        Returns:
            The names of fields.py for ``block_size`` patterns: photons (N, H, W) float32, mask (N, H, W) bool and the
            per-pattern labels.
        """
        block_seed = block_seed_of(seed, block)
        generator = torch.Generator().manual_seed(block_seed)
        experiment = self.geometry.draw(self.block_size, self.shape, generator)
        particles, kind, count = self._scenes(experiment.diameter, generator)
        geometry = experiment.geometry
        share = self.detector(self.shape, geometry.beam_centre, generator)
        bodies = self.scene.particle.unit_shapes
        electrons = amplitudes(
            particles, geometry, self.shape, self.samples, self.curvature_order, bodies, bounded=True
        )
        unit = photons_per_fluence(electrons.real.square() + electrons.imag.square(), geometry.solid_angle)
        wanted = log_quantiles(self.photons, (self.block_size,), generator)
        fluence = wanted / (unit * share).sum((1, 2)).clamp_min(_LEAST_SHARE * unit.sum((1, 2)))
        signal = unit * fluence[:, None, None]
        blank = chance(self.blanks, (self.block_size,), generator)
        here = signal * ~blank[:, None, None]
        expected = self.background(here, signal.sum((1, 2)), geometry.beam_centre, generator)
        photons, mask = self.counting(expected, share, experiment.pixel, generator)
        kind, count = torch.where(blank, int(Kind.CONTAMINANT), kind), torch.where(blank, 0, count)
        return {
            fields.PHOTONS: photons.to(device),
            fields.MASK: mask.to(device),
            fields.IS_SINGLE_HIT: (kind == Kind.SINGLE).long(),
            fields.PARTICLE_ID: block * self.block_size + torch.arange(self.block_size),
            fields.FLUENCE: fluence,
            fields.PHOTON_COUNT: (here * share).sum((1, 2)),
            **block_labels(kind, count, particles, geometry, block_seed),
        }

    def _scenes(self, diameter: Tensor, generator: torch.Generator) -> tuple[Particles, Tensor, Tensor]:
        """Particles of every pattern in m, randomly turned, with the kind and particle count of each pattern."""
        particles, kind, count = self.scene.draw(self.block_size, generator)
        turn = random_quaternions(self.block_size, generator)[particles.pattern]
        first = first_particle(particles, self.block_size)[fields.BODY]
        fitted = self._apparent[first] ** uniform((0.0, 1.0), (self.block_size,), generator)
        scale = (diameter / fitted)[particles.pattern]
        particles.orientation = multiply_quaternions(turn, particles.orientation)
        particles.centre = (rotation_matrices(turn) @ particles.centre[:, :, None])[:, :, 0] * scale[:, None]
        particles.diameter, particles.edge_blur = particles.diameter * scale, particles.edge_blur * scale
        return particles, kind, count


_LEAST_SHARE = 0.02  # of the scattered photons in measured cells; masks that leave less do not make a pattern brighter
