"""Sizes and edges of the particles of a simulation, matched to the hits of a file without a label."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from spi_lightning.simulate.canonical.like_file import LikeFileSimulator

from .sample import HitSample, distance, fall_off, samples
from .survey import Survey

_LEAST: Final = 12  # hits with rings, in the file and the simulation
_LARGEST_FACTOR: Final = 1.25  # of a correction of the sizes
_EDGES: Final = ((0.0, 0.02), (0.0, 0.07), (0.03, 0.12))  # Gaussian widths over the diameter; the general ones between
_BLOCK: Final = 1 << 19  # of a simulation that is matched, none of the set


@dataclass(frozen=True)
class Match:
    """What of the particles was matched.

    Attributes:
        factor: Factor of the diameters with which spheres fitted to simulated hits are as large as to measured ones.
        edge_blur: Range of the Gaussian width of the edge over the diameter, with which hits fall off alike.
    """

    factor: float
    edge_blur: tuple[float, float]


def match(survey: Survey, simulator: LikeFileSimulator, seed: int = 0) -> Match | None:
    """Match a simulation of the canonical frame to the hits of a file; None where these show too few rings.

    Args:
        survey: What the file is like.
        simulator: Simulator of its recipe.
        seed: Seed of the blocks that are drawn.
    """
    measured, drawn = samples(survey, simulator(_BLOCK, seed))
    if min(len(measured.size), len(drawn.size)) < _LEAST:
        return None
    factor = float(np.median(measured.size) / np.median(drawn.size))
    factor = min(max(factor, 1 / _LARGEST_FACTOR), _LARGEST_FACTOR)
    if survey.scale.width_from != "sphere fit":
        factor = 1.0  # the fit of spheres was found wrong, or somebody knows better
    apart = [distance(fall_off(measured), fall_off(_drawn(survey, simulator, factor, edge, seed))) for edge in _EDGES]
    return Match(factor, _EDGES[int(np.argmin(apart))])


def _drawn(
    survey: Survey, simulator: LikeFileSimulator, factor: float, edge_blur: tuple[float, float], seed: int
) -> HitSample:
    """Simulated hits of particles of other sizes and edges."""
    particle = simulator.scene.particle
    low, high = particle.diameter
    particle = replace(particle, diameter=(factor * low, factor * high), edge_blur=edge_blur)
    changed = replace(simulator, scene=replace(simulator.scene, particle=particle))
    return samples(survey, changed(_BLOCK, seed))[1]
