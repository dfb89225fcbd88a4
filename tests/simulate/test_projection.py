"""Projected thickness and polyhedra against volumes and closed forms."""

import math

import pytest
import torch

from spi_lightning.physics.rotations.orientations import random_quaternions, rotation_matrices
from spi_lightning.simulate.particles.polyhedra import POLYHEDRA, polyhedron
from spi_lightning.simulate.projection import BODIES, chord_moments, outer_radius, sample_positions

FACES = {
    "tetrahedron": (4, 4),
    "cube": (8, 6),
    "octahedron": (6, 8),
    "dodecahedron": (20, 12),
    "icosahedron": (12, 20),
    "truncated_icosahedron": (60, 32),
    "truncated_octahedron": (24, 14),
    "cuboctahedron": (12, 14),
}


@pytest.mark.parametrize("name", POLYHEDRA)
def test_corners_and_faces_are_those_of_the_solid(name: str) -> None:
    body = polyhedron(name)
    assert (len(body.vertices), len(body.normals)) == FACES[name]
    assert (body.vertices @ body.normals.T <= body.offsets + 1e-6).all()
    assert body.centrosymmetric == (name != "tetrahedron")


@pytest.mark.parametrize("body", BODIES)
def test_thickness_integrates_to_the_volume_in_any_orientation(body: str) -> None:
    affine = rotation_matrices(random_quaternions(4, torch.Generator().manual_seed(1)))
    half = torch.full((4,), outer_radius(body))
    samples = 200
    thickness, first = chord_moments(body, affine, sample_positions(half, samples), order=1)
    area = (2 * half[0] / samples) ** 2
    torch.testing.assert_close(thickness.sum((1, 2)) * area, torch.full((4,), math.pi / 6), rtol=3e-3, atol=0)
    torch.testing.assert_close(first.sum((1, 2)) * area, torch.zeros(4), rtol=0, atol=2e-3)


def test_sphere_chord_is_the_circle() -> None:
    positions = sample_positions(torch.tensor([0.5]), 41)
    thickness, _, second = chord_moments("sphere", torch.eye(3)[None], positions, order=2)
    radius_squared = positions[0, :, None] ** 2 + positions[0] ** 2
    chord = 2 * (0.25 - radius_squared).clamp_min(0).sqrt()
    torch.testing.assert_close(thickness[0], chord, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(second[0], chord**3 / 12, atol=1e-5, rtol=1e-3)


def test_stretch_scales_the_shadow_and_core_adds_its_contrast() -> None:
    stretch = torch.diag(torch.tensor([2.0, 1.0, 1.0]))[None]
    positions = sample_positions(torch.tensor([0.6]), 60)
    plain = chord_moments("cube", torch.eye(3)[None], positions)[0]
    torch.testing.assert_close(chord_moments("cube", stretch, positions)[0], 2 * plain)
    core = torch.tensor([0.2]), torch.tensor([-1.0]), torch.zeros(1, 3)
    hollow = chord_moments("cube", torch.eye(3)[None], positions, core=core)[0]
    area = (1.2 / 60) ** 2
    assert ((plain - hollow).sum() * area).item() == pytest.approx(4 / 3 * math.pi * 0.2**3, rel=0.01)
