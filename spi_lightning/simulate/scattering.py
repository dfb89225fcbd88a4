"""Fast generator of amplitudes: projected thickness, zoom transform, coherent sum over particles."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from spi_lightning.physics.constants import wavelength_from_energy
from spi_lightning.physics.ewald import ewald_depth, small_angle_frequencies
from spi_lightning.physics.fourier import zoom_fourier
from spi_lightning.physics.rotations.orientations import rotation_matrices

from .particles.shape import Family, UnitShape
from .projection import BODIES, chord_moments, outer_radius, sample_positions

_LARGEST_PHASE: Final = 3.0  # rad, of the Ewald sphere's depth at the reach of a particle
_REACH: Final = 0.33  # diameters, 1.5 times the root mean square of z in a sphere: errs least for lumpy bodies


@dataclass
class Geometry:
    """Detector geometry of each pattern, (B,) each, eV and m; beam_centre (B, 2) is row and column, pixel."""

    photon_energy: Tensor
    distance: Tensor
    pixel_size: Tensor
    beam_centre: Tensor

    @property
    def wavelength(self) -> Tensor:
        """Photon wavelength, (B,); m."""
        return wavelength_from_energy(1.0) / self.photon_energy

    @property
    def solid_angle(self) -> Tensor:
        """Solid angle of a pixel at the beam centre, (B,); sr."""
        return (self.pixel_size / self.distance) ** 2


@dataclass
class Particles:
    """All P particles of a block of patterns, flattened.

    Attributes:
        pattern, body: (P,) int64 index of the pattern of each particle, and of its body in BODIES.
        diameter: (P,) diameter of the sphere of the same volume; m.
        stretch: (P, 3) factors along the axes of the body.
        orientation: (P, 4) unit quaternions.
        centre: (P, 3) positions z, y, x; m.
        density: (P,) electron density above the surroundings; electrons/m^3.
        core_radius, core_contrast, core_centre: (P,), (P,), (P, 3) sphere of other density inside: radius in diameters,
            relative density, centre in diameters.
        edge_blur: (P,) Gaussian width of the edge; m.
        form: (P,) int64 number of the individual among the bodies of a family, see particles.shape; else 0.
    """

    pattern: Tensor
    body: Tensor
    diameter: Tensor
    stretch: Tensor
    orientation: Tensor
    centre: Tensor
    density: Tensor
    core_radius: Tensor
    core_contrast: Tensor
    core_centre: Tensor
    edge_blur: Tensor
    form: Tensor

    def to(self, device: torch.device | str) -> "Particles":
        """Move every tensor to a device."""
        return Particles(**{name: value.to(device) for name, value in vars(self).items()})

    def select(self, index: Tensor) -> "Particles":
        """Particles of ``index`` (P,) bool or int64."""
        return Particles(**{name: value[index] for name, value in vars(self).items()})


def amplitudes(
    particles: Particles,
    geometry: Geometry,
    shape: tuple[int, int],
    samples: int = 64,
    curvature_order: int = 0,
    shapes: Sequence[UnitShape | Family] = (),
    bounded: bool = False,
) -> Tensor:
    """Transform of each pattern's particles at the detector pixels, in electrons.

    In the small-angle limit (curvature_order 0) the Ewald sphere is flat. Orders 1 and 2 expand exp(-2 pi i q_z z)
    inside each particle to that order, with an error of about (2 pi q_z D / 2)^(order + 1) / (order + 1)!;
    the phase between particles is exact for order >= 1.

    Args:
        particles: P particles of B patterns.
        geometry: Detector geometries of the B patterns.
        shape: Detector height and width, pixel.
        samples: Number of points across each particle.
        curvature_order: Order of the curvature of the Ewald sphere, 0, 1 or 2.
        shapes: Bodies whose indices follow those of BODIES.
        bounded: Whether order 2 expands in Bessel functions (Jacobi and Anger) instead of powers, with an error that is
            smaller and stays bounded where the depth of the Ewald sphere is large.

    Returns:
        (B, H, W) complex64; electrons.
    """
    patterns, bodies = len(geometry.distance), (*BODIES, *shapes)
    total = torch.zeros(patterns, *shape, dtype=torch.complex64, device=particles.centre.device)
    for body in sorted(set(particles.body.tolist())):
        chosen = particles.select(particles.body == body)
        contribution = _particle_amplitudes(bodies[body], chosen, geometry, shape, samples, curvature_order, bounded)
        if len(contribution) == patterns and bool((chosen.pattern[1:] > chosen.pattern[:-1]).all()):
            total += contribution
        else:
            total.index_add_(0, chosen.pattern, contribution)
    return total


def _particle_amplitudes(
    body: str | UnitShape | Family,
    particles: Particles,
    geometry: Geometry,
    shape: tuple[int, int],
    samples: int,
    order: int,
    bounded: bool,
) -> Tensor:
    affine = rotation_matrices(particles.orientation) * particles.stretch[:, None, :]
    reach = outer_radius(body) * particles.stretch
    half_width = reach.amax(1) if body == "sphere" else outer_radius(body) * particles.stretch.amax(1)
    positions = sample_positions(half_width, samples)
    hollow = bool((particles.core_contrast != 0).any())
    core = (particles.core_radius, particles.core_contrast, particles.core_centre) if hollow else None
    moments = chord_moments(body, affine, positions, order, core, particles.form)
    q_y, q_x = small_angle_frequencies(
        shape, geometry.pixel_size, geometry.distance, geometry.wavelength, geometry.beam_centre
    )
    q_y, q_x = q_y[particles.pattern], q_x[particles.pattern]
    area = (2 * half_width / samples) ** 2
    scale = (particles.density * particles.diameter**3 * area)[:, None]
    edges = _edge_factor(particles.edge_blur, q_y) * scale, _edge_factor(particles.edge_blur, q_x)
    depth_reach = _REACH * particles.stretch.amax(1) if bounded else None
    return _expand(
        moments, positions, particles, (q_y, q_x), geometry.wavelength[particles.pattern], edges, depth_reach
    )


def _expand(
    moments: list[Tensor],
    positions: Tensor,
    particles: Particles,
    q: tuple[Tensor, Tensor],
    wavelength: Tensor,
    weights: tuple[Tensor, Tensor],
    depth_reach: Tensor | None,
) -> Tensor:
    diameter, (q_y, q_x) = particles.diameter[:, None], q
    y = positions + particles.centre[:, 1:2] / diameter
    x = positions + particles.centre[:, 2:3] / diameter
    terms = [zoom_fourier(moment, y, x, q_y * diameter, q_x * diameter, weights) for moment in moments]
    if len(terms) == 1:
        return terms[0]
    depth = -2 * math.pi * ewald_depth(q_y, q_x, wavelength)
    inside = depth * diameter[:, :, None]
    if depth_reach is not None and len(terms) > 2:
        even, odd, square = _jacobi_anger(inside, depth_reach[:, None, None])
        amplitude = even * terms[0] + 1j * odd * terms[1] - square * terms[2]
        phase = depth * particles.centre[:, :1, None]
        return amplitude * torch.polar(torch.ones_like(phase), phase)
    amplitude = terms[0] + 1j * inside * terms[1]
    if len(terms) > 2:
        amplitude = amplitude - 0.5 * inside**2 * terms[2]
    return amplitude * torch.exp(1j * depth * particles.centre[:, :1, None])


def _jacobi_anger(slope: Tensor, reach: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Factors of 1, i z and -z^2 in exp(i slope z) around |z| <= reach: the first three terms of Jacobi and Anger.

    exp(i x t) = J0(x) + 2 i J1(x) t - 2 J2(x) (2 t^2 - 1) + ..., with x = slope * reach and t = z / reach. Phases x
    beyond _LARGEST_PHASE, where further terms would count, are taken as that.
    """
    slope = torch.minimum(torch.maximum(slope, -_LARGEST_PHASE / reach), _LARGEST_PHASE / reach)
    quarter = (slope * reach).square() / -4
    bessel = [_series(quarter, order) for order in range(3)]  # J_n(x) n! / (x / 2)^n
    return bessel[0] - quarter * bessel[2], slope * bessel[1], 0.5 * slope.square() * bessel[2]


def _series(quarter: Tensor, order: int) -> Tensor:
    """Sum of n! (-x^2 / 4)^k / (k! (k + n)!) for k up to 6 at -x^2 / 4, by Horner's rule; 1e-5 for x up to 3."""
    total = torch.ones_like(quarter)
    for k in range(6, 0, -1):
        total = total.mul_(quarter / (k * (k + order))).add_(1)
    return total


def _edge_factor(edge_blur: Tensor, q: Tensor) -> Tensor:
    return torch.exp(-2 * (math.pi * edge_blur[:, None] * q) ** 2)
