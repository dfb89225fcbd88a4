"""Test experiments from the package's own simulator, at the pixels of the detector instead of canonical cells."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.fields import KIND, PHOTONS
from spi_lightning.physics.photons import count_photons
from spi_lightning.simulate import Brightness, GeometryRecipe, HitSimulator, Optics, ParticleRecipe, SceneRecipe
from spi_lightning.simulate.optics import BadPixels
from spi_lightning.simulate.projection import outer_radius
from spi_lightning.simulate.scattering import Geometry

from .experiments import Experiment
from .frames import BLANK, Frames, kinds_of_blanks

KINDS: Final = {"single": 0.5, "double": 0.15, "triple": 0.07, "quadruple": 0.04, "many": 0.06, "contaminant": 0.18}
_PIXELS_AT_ONCE: Final = 1 << 23
_LARGE: Final = (1.6, 2.5)  # diameters of too large particles


class Rod:
    """Cylinder with round ends, four diameters long."""

    radius = 4.0

    def depth(self, z: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """Distance of points to the surface, positive inside, in radii of the rod."""
        return 1 - torch.stack([(z.abs() - 3).clamp_min(0), y, x]).norm(dim=0)


@dataclass
class PlacedBeam(GeometryRecipe):
    """Geometry whose beam meets the detector anywhere: ``beam``, row and column, pixel."""

    beam: tuple[float, float] = (0.0, 0.0)

    def draw(self, count: int, shape: tuple[int, int], generator: torch.Generator) -> Geometry:
        """Random geometries of ``count`` patterns."""
        drawn = super().draw(count, shape, generator)
        drawn.beam_centre += torch.tensor(self.beam) - (torch.tensor(shape, dtype=torch.float32) - 1) / 2
        return drawn


def simulator_of(experiment: Experiment, mask: NDArray[np.bool_], beam: tuple[float, float]) -> HitSimulator:
    """The package's simulator with the settings of an experiment."""
    particle = ParticleRecipe(
        bodies=experiment.bodies,
        diameter=experiment.diameter,
        stretch=experiment.spread,
        edge_blur=(0.0, 0.03 * experiment.middle),
        core_probability=experiment.core,
        shapes={"rod": Rod()} if "rod" in experiment.bodies else {},
    )
    scene = SceneRecipe(
        KINDS,
        particle,
        gap=(1.0, 1.15),
        size_spread=0.04,
        contaminants=experiment.contaminants,
        small=(0.3, 0.65),
        large=_LARGE,
        elongation=(1.8, 4.0),
        blob=(0.3, 0.7),
        separation=experiment.separation,
    )
    energy, distance, pixel = experiment.photon_energy, experiment.distance, experiment.pixel_size
    low, high = experiment.photons
    return HitSimulator(
        scene,
        shape=(mask.shape[0], mask.shape[1]),
        block_size=max(1, min(50, _PIXELS_AT_ONCE // mask.size)),
        geometry=PlacedBeam((energy, energy), (distance, distance), (pixel, pixel), beam_jitter=0.3, beam=beam),
        # a wide log-normal, folded into its bounds by a log-uniform draw, is nearly log-uniform itself
        brightness=Brightness(median=(low * high) ** 0.5, sigma=20.0, minimum_photons=low, maximum_photons=high),
        optics=Optics(experiment.flat, experiment.halo, 0.4, experiment.halo_radius, blur=(0.0, 0.4), gain_tilt=0.03),
        bad_pixels=BadPixels(fixed=torch.from_numpy(mask)),
        samples=_samples(experiment, mask.shape, beam),
    )


def _samples(experiment: Experiment, shape: tuple[int, ...], beam: tuple[float, float]) -> int:
    """Points across a particle that keep copies of the beam, which sampling makes, off the detector."""
    speckles = max(*beam, shape[0] - beam[0], shape[1] - beam[1]) / experiment.speckle
    reach = max(1.2 if body == "rod" else outer_radius(body) for body in experiment.bodies)
    return max(64, round(2.4 * reach * _LARGE[1] * speckles))


def draw(experiment: Experiment, frames: int, mask: NDArray[np.bool_], beam: tuple[float, float]) -> Iterator[Frames]:
    """Patterns of an experiment in blocks: (n, H, W) photons and (n,) kinds, ``BLANK`` for background alone."""
    simulator = simulator_of(experiment, mask, beam)
    empty = kinds_of_blanks(experiment, frames)
    measured, size = torch.from_numpy(mask), simulator.block_size
    for block, start in enumerate(range(0, frames, size)):
        blank = empty[start : start + size]
        generator = torch.Generator().manual_seed(experiment.seed * 100_003 + block)
        photons = np.zeros((len(blank), *mask.shape), dtype=np.int32)
        kinds = np.full(len(blank), BLANK, dtype=np.int64)
        if not blank.all():
            drawn = _hits(simulator, int((~blank).sum()), block, experiment.seed)
            photons[~blank], kinds[~blank] = drawn[0].numpy(), drawn[1].numpy()
        if blank.any():
            place = torch.tensor(beam).expand(int(blank.sum()), 2)
            dark = simulator.optics(torch.zeros(len(place), *mask.shape), place, measured.expand(len(place), -1, -1),
                                    generator)  # fmt: skip
            photons[blank] = count_photons(dark * measured, generator).numpy()
        yield Frames(photons, kinds)


def _hits(simulator: HitSimulator, count: int, block: int, seed: int) -> tuple[Tensor, Tensor]:
    """Photons (count, H, W) and kinds (count,) of a block of hits."""
    simulator.block_size = count
    drawn = simulator(block, seed)
    return drawn[PHOTONS], drawn[KIND]
