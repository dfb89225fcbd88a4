"""Bodies with holes: volumes, centres, holes where they should be, transforms against the pieces' closed forms."""

import math
from dataclasses import replace

import pytest
import torch

from spi_lightning.physics.ewald import small_angle_frequencies
from spi_lightning.physics.rotations.orientations import random_quaternions, rotation_matrices
from spi_lightning.simulate.draws import choose
from spi_lightning.simulate.particles.polyhedra import COMPOSITES, composite
from spi_lightning.simulate.particles.voxels import inside_body
from spi_lightning.simulate.projection import BODIES, outer_radius
from spi_lightning.simulate.scattering import Geometry, Particles, amplitudes
from tests.simulate.form_factors import polyhedron_form_factor

SHAPE = (32, 32)
WITH_HOLE = [name for name in COMPOSITES if name.endswith(("nut", "frame")) or name.startswith("drilled")]


def test_they_come_after_the_bodies_that_files_already_count() -> None:
    assert BODIES[9:10] == ("torus",) and BODIES[10:] == COMPOSITES


def test_bodies_of_no_weight_leave_the_draws_of_others_alone() -> None:
    """simulate=hits draws the same bodies however long the list of known bodies grows."""
    weights = torch.tensor([0.1, 0.05, 0.12, 0.6, 0.0, 0.0, 0.08, 0.05])
    more = torch.cat([weights, torch.zeros(30)])
    draws = [choose(each, 2000, torch.Generator().manual_seed(3)) for each in (weights, more)]
    assert torch.equal(*draws)


@pytest.mark.parametrize("name", COMPOSITES)
def test_signed_form_factors_of_the_pieces_give_volume_and_centre(name: str) -> None:
    step = 1e-3 * torch.eye(3, dtype=torch.float64)
    zero = torch.zeros(1, 3, dtype=torch.float64)
    transform = sum(
        piece.sign * polyhedron_form_factor(torch.cat([zero, step]), piece.vertices) for piece in composite(name)
    )
    assert isinstance(transform, torch.Tensor)
    assert transform[0].real.item() == pytest.approx(math.pi / 6, rel=1e-5)
    assert transform[1:].imag.abs().max() < 1e-6  # the first moments


@pytest.mark.parametrize("name", WITH_HOLE)
def test_a_hole_goes_through_along_z(name: str) -> None:
    z = torch.linspace(-1, 1, 41)
    axis = torch.stack([z, 0 * z, 0 * z], dim=1)
    assert not inside_body(name, axis).any()
    ring = torch.linspace(0, 2 * math.pi, 60)
    widths = torch.linspace(0, outer_radius(name), 60)
    around = widths[:, None, None] * torch.stack([0 * ring, ring.sin(), ring.cos()], dim=1)
    assert inside_body(name, around).any(0).all()  # matter in every direction


def test_a_shell_is_empty_inside_and_a_bent_bar_is_not_convex() -> None:
    assert not inside_body("icosahedral_shell", torch.zeros(3))
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(20_000, 3, generator=generator) * 2 - 1
    for name in ("l_shape", "u_shape", "cross", "corner"):
        within = points[inside_body(name, points)]
        assert not inside_body(name, (within[:-1] + within[1:]) / 2).all()


@pytest.mark.parametrize("name", COMPOSITES)
def test_fast_generator_follows_the_closed_form(name: str) -> None:
    count, size = 2, 60e-9
    zeros = torch.zeros(count)
    particles = Particles(
        pattern=torch.arange(count),
        body=torch.full((count,), BODIES.index(name)),
        diameter=zeros + size,
        stretch=torch.tensor([[1.2, 0.9, 1.0]]).repeat(count, 1),
        orientation=random_quaternions(count, torch.Generator().manual_seed(4)),
        centre=torch.zeros(count, 3),
        density=zeros + 1.0,
        core_radius=zeros,
        core_contrast=zeros,
        core_centre=torch.zeros(count, 3),
        edge_blur=zeros,
        form=torch.zeros(count, dtype=torch.int64),
    )  # fmt: skip
    one = torch.ones(count)
    geometry = Geometry(1569.4 * one, 0.581 * one, 2.4e-3 * one, torch.full((count, 2), 15.5))
    wavelength = geometry.wavelength
    q_y, q_x = small_angle_frequencies(SHAPE, geometry.pixel_size, geometry.distance, wavelength, geometry.beam_centre)
    q = torch.stack(torch.broadcast_tensors(0 * q_y[:, :, None], q_y[:, :, None], q_x[:, None, :]), dim=-1).double()
    in_body = torch.einsum("bij,bhwi->bhwj", rotation_matrices(particles.orientation.double()), q)
    stretch = particles.stretch[0].double() * size
    parts = [p.sign * polyhedron_form_factor(in_body, p.vertices * stretch) for p in composite(name)]
    expected = torch.stack(parts).sum(0).abs() ** 2
    for samples, error in ((48, 1e-2), (96, 3e-3)):
        found = amplitudes(replace(particles), geometry, SHAPE, samples).abs().double() ** 2
        assert ((found - expected).norm() / expected.norm()).item() < error
