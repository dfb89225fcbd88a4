"""Lumpy bodies against their closed forms."""

from math import pi

import pytest
import torch

from spi_lightning.physics.rotations.orientations import random_quaternions, rotation_matrices
from spi_lightning.simulate.particles.lumps import Lumps
from spi_lightning.simulate.projection import BODIES, chord_moments, sample_positions
from spi_lightning.simulate.scattering import Geometry, Particles, amplitudes

LUMPS = Lumps(bank=24)


def test_every_body_has_the_volume_and_the_radius_of_gyration_of_a_sphere() -> None:
    form, count = torch.arange(24), 24
    positions = sample_positions(torch.full((count,), LUMPS.radius), 96)
    affine = rotation_matrices(random_quaternions(count, torch.Generator().manual_seed(0)))
    mass, first, second = chord_moments(LUMPS, affine, positions, 2, form=form)
    area = (2 * LUMPS.radius / 96) ** 2
    torch.testing.assert_close(mass.sum((1, 2)) * area, torch.full((count,), pi / 6), rtol=2e-3, atol=0)
    assert (first.sum((1, 2)) * area).abs().max() < 1e-3
    square = (mass * (positions[:, :, None] ** 2 + positions[:, None] ** 2) + second).sum((1, 2)) * area
    torch.testing.assert_close(square / (pi / 6), torch.full((count,), 0.15), rtol=0.01, atol=0)


def test_bodies_differ_and_repeat_with_the_bank() -> None:
    positions = sample_positions(torch.full((2,), LUMPS.radius), 16)
    affine = torch.eye(3).expand(2, 3, 3)
    one, other = LUMPS.moments(torch.tensor([3, 4]), affine, positions, 0)[0]
    again = LUMPS.moments(torch.tensor([27, 28]), affine, positions, 0)[0]
    assert (one - other).abs().max() > 0.05
    assert torch.equal(again, torch.stack([one, other]))


@pytest.mark.parametrize(("curvature", "error"), [(0.01, 0.002), (0.04, 0.04)])
def test_bounded_expansion_follows_the_exact_ewald_sphere(curvature: float, error: float) -> None:
    """Exact intensity of Gaussians on the Ewald sphere beyond q D = 4; the corner of the frame is at q D = 7.5."""
    count, diameter = 6, 50e-9
    wavelength = curvature * diameter
    one = torch.ones(count)
    middle = torch.full((count, 2), 31.5)
    geometry = Geometry(1.23984198e-6 / wavelength * one, 6 * 1e-3 / curvature * one, 1e-3 * one, middle)
    zeros, form = torch.zeros(count), torch.arange(count)
    particles = Particles(
        pattern=torch.arange(count),
        body=torch.full((count,), len(BODIES)),
        diameter=zeros + diameter,
        stretch=torch.ones(count, 3),
        orientation=random_quaternions(count, torch.Generator().manual_seed(1)),
        centre=torch.zeros(count, 3),
        density=zeros + 1.0,
        core_radius=zeros,
        core_contrast=zeros,
        core_centre=torch.zeros(count, 3),
        edge_blur=zeros,
        form=form,
    )
    scale = 1e-3 / (float(geometry.distance[0]) * wavelength)
    offset = (torch.arange(64) - 31.5).double() * scale
    small = torch.stack(torch.meshgrid(offset, offset, indexing="ij"), dim=-1).expand(count, 64, 64, 2)
    depth = (1 / wavelength**2 - small.square().sum(-1)).sqrt() - 1 / wavelength
    q = torch.cat([depth[..., None], small], dim=-1) * diameter
    turned = torch.einsum("pij,pkj->pki", rotation_matrices(particles.orientation), LUMPS._centre[form]).double()
    phase = -2 * pi * torch.einsum("phwi,pki->phwk", q, turned)
    blob = torch.exp(-2 * (pi * LUMPS._width[form].double()[:, None, None]) ** 2 * q.square().sum(-1))
    weight = LUMPS._weight[form].double()[:, None, None].expand(phase.shape)
    exact = torch.polar(weight, phase).sum(-1) * blob * diameter**3

    far = small.norm(dim=-1) * diameter > 4

    def departure(bounded: bool) -> float:
        found = amplitudes(particles, geometry, (64, 64), 64, 2, [LUMPS], bounded).to(torch.complex128)
        difference = found[far].abs().square() - exact[far].abs().square()
        return float(difference.abs().sum() / exact[far].abs().square().sum())

    assert departure(True) < error and departure(True) < departure(False) / 1.5
