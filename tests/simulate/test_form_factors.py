"""Closed forms against what nature knows of them: volumes, moments, zeros, symmetries, Parseval and Porod."""

from math import pi, sqrt

import pytest
import torch
from torch import Tensor

from tests.simulate.form_factors import (
    box_form_factor,
    ellipsoid_form_factor,
    hull_faces,
    polyhedron_form_factor,
    simplex_mean,
    sphere_form_factor,
)

GOLDEN = (1 + sqrt(5)) / 2


def random_q(count: int, scale: float, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(count, 3, dtype=torch.float64, generator=generator)


def random_rotation(seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    q, _ = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64, generator=generator))
    return q * torch.linalg.det(q)


def box_vertices(edges: Tensor) -> Tensor:
    return torch.cartesian_prod(*(torch.tensor([-0.5, 0.5], dtype=torch.float64) * edge for edge in edges))


def octahedron() -> Tensor:
    """Edge length 1."""
    eye = torch.eye(3, dtype=torch.float64) / sqrt(2)
    return torch.cat([eye, -eye])


def icosahedron() -> Tensor:
    """Edge length 1."""
    half = torch.tensor([[0, s, t * GOLDEN] for s in (-1, 1) for t in (-1, 1)], dtype=torch.float64) / 2
    return torch.cat([half.roll(shift, dims=1) for shift in range(3)])


EDGES = torch.tensor([2.0, 3.0, 4.0], dtype=torch.float64)
BODIES = {"octahedron": octahedron(), "icosahedron": icosahedron(), "box": box_vertices(EDGES)}
VOLUMES = {"octahedron": sqrt(2) / 3, "icosahedron": 5 * (3 + sqrt(5)) / 12, "box": 24.0}


@pytest.mark.parametrize("body", BODIES)
def test_transform_at_zero_is_the_volume(body: str) -> None:
    at_zero = polyhedron_form_factor(torch.zeros(3, dtype=torch.float64), BODIES[body])
    torch.testing.assert_close(at_zero, torch.tensor(VOLUMES[body] + 0j, dtype=torch.complex128))


@pytest.mark.parametrize("scale", [1e-12, 1e-8, 1e-4, 1e-2, 0.1, 0.3, 1.0, 5.0, 50.0])
def test_polyhedron_with_six_faces_is_the_product_of_sines(scale: float) -> None:
    q = random_q(500, scale)
    q[::3, 0] = 0  # perpendicular to an edge
    q[1::3, 1:] = 0  # perpendicular to a face
    q[2::3, 2] *= 1e-9  # nearly so
    found = polyhedron_form_factor(q, BODIES["box"])
    torch.testing.assert_close(found, box_form_factor(q, EDGES) + 0j, atol=24 * 1e-14, rtol=0)


@pytest.mark.parametrize("body", BODIES)
def test_transform_is_continuous_through_the_directions_of_faces_and_edges(body: str) -> None:
    vertices = BODIES[body]
    faces = hull_faces(vertices)
    a, b, c = vertices[faces].unbind(1)
    special = torch.cat([torch.linalg.cross(b - a, c - a), b - a, a + b + c]) * 2
    step = 1e-7
    moved = polyhedron_form_factor(special + step * random_q(len(special), 1.0), vertices)
    lipschitz = 2 * pi * vertices.norm(dim=1).max() * VOLUMES[body]
    assert (moved - polyhedron_form_factor(special, vertices)).abs().max() < 5 * step * lipschitz


@pytest.mark.parametrize(("body", "inertia"), [("octahedron", 1 / 10), ("icosahedron", GOLDEN**2 / 10)])
def test_curvature_at_zero_is_the_moment_of_inertia(body: str, inertia: float) -> None:
    """Any axis sees F(0) - F(q) = 2 pi^2 q^2 V I / 2 for bodies with equal moments I per mass (edge length 1)."""
    q = torch.nn.functional.normalize(random_q(20, 1.0), dim=1) * 1e-4
    drop = 1 - polyhedron_form_factor(q, BODIES[body]).real / VOLUMES[body]
    torch.testing.assert_close(drop, torch.full_like(drop, pi**2 * inertia * 1e-8), rtol=1e-5, atol=0)


def test_translation_is_a_phase() -> None:
    q, shift = random_q(50, 1.0), torch.tensor([3.0, -2.0, 0.5], dtype=torch.float64)
    moved = polyhedron_form_factor(q, icosahedron() + shift)
    expected = polyhedron_form_factor(q, icosahedron()) * torch.exp(-2j * pi * (q @ shift))
    torch.testing.assert_close(moved, expected, atol=1e-13, rtol=0)


def test_rotation_of_body_and_q_together_changes_nothing() -> None:
    q, rotation = random_q(50, 1.0), random_rotation()
    turned = polyhedron_form_factor(q @ rotation.T, icosahedron() @ rotation.T)
    torch.testing.assert_close(turned, polyhedron_form_factor(q, icosahedron()), atol=1e-13, rtol=0)


def test_affine_stretch_scales_q_and_volume() -> None:
    q = random_q(50, 1.0)
    stretch = torch.tensor([[1.5, 0.2, 0.0], [0.0, 0.8, -0.3], [0.1, 0.0, 1.1]], dtype=torch.float64)
    stretched = polyhedron_form_factor(q, octahedron() @ stretch.T)
    expected = polyhedron_form_factor(q @ stretch, octahedron()) * torch.linalg.det(stretch)
    torch.testing.assert_close(stretched, expected, atol=1e-13, rtol=0)


def test_parts_add_up_and_faces_may_be_polygons() -> None:
    q = random_q(50, 1.0)
    whole = BODIES["box"]
    lower, upper = whole.clone(), whole.clone()
    lower[whole[:, 0] > 0, 0], upper[whole[:, 0] < 0, 0] = 0.3, 0.3
    parts = polyhedron_form_factor(q, lower) + polyhedron_form_factor(q, upper)
    torch.testing.assert_close(parts, polyhedron_form_factor(q, whole), atol=1e-12, rtol=0)
    squares = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    torch.testing.assert_close(polyhedron_form_factor(q, whole, squares), parts, atol=1e-12, rtol=0)


def test_real_bodies_obey_friedel() -> None:
    q, tetrahedron = random_q(50, 1.0), random_q(4, 1.0, seed=3)
    there, back = (polyhedron_form_factor(sign * q, tetrahedron) for sign in (1, -1))
    torch.testing.assert_close(there, back.conj(), atol=1e-14, rtol=1e-12)


def test_shape_dtype_and_gradient() -> None:
    q = random_q(12, 0.2).reshape(3, 4, 3)
    found = polyhedron_form_factor(q.float(), octahedron())
    assert found.shape == (3, 4)
    assert found.dtype == torch.complex128
    q = q.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda q: polyhedron_form_factor(q, octahedron()).real, q)


@pytest.mark.parametrize("corners", [2, 3, 4])
def test_simplex_mean_of_equal_phases_and_of_a_series_joins_the_closed_form(corners: int) -> None:
    shape = torch.rand(corners, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).sort().values
    unit = (shape - shape[0]) / (shape[-1] - shape[0])
    below, above = (simplex_mean(unit * spread) for spread in (1 - 1e-12, 1 + 1e-12))
    torch.testing.assert_close(below, above, atol=1e-11, rtol=0)
    assert (
        abs(simplex_mean(torch.full((corners,), 2.0, dtype=torch.float64)) - complex(torch.exp(torch.tensor(-2j))))
        < 1e-7
    )


def test_sphere_at_zero_and_at_its_first_minimum() -> None:
    radius = 30e-9
    assert sphere_form_factor(torch.zeros(3, dtype=torch.float64), radius).item() == pytest.approx(
        4 / 3 * pi * radius**3
    )
    minimum = torch.tensor([0, 0, 4.493409457909064 / (2 * pi * radius)], dtype=torch.float64)  # tan x = x
    assert abs(sphere_form_factor(minimum, radius)) < 1e-14 * radius**3


def test_sphere_series_joins_its_closed_form() -> None:
    x = torch.tensor([0.1 - 1e-10, 0.1 + 1e-10], dtype=torch.float64) / (2 * pi)
    below, above = sphere_form_factor(torch.stack([x, 0 * x, 0 * x], dim=1), 1.0)
    assert abs(below - above) < 1e-10


def test_sphere_obeys_parseval_with_porods_tail() -> None:
    """Integral of |F|^2 is the volume; beyond Q the mean is 2 pi S / (2 pi q)^4 (Porod)."""
    limit, steps = 40.0, 400_000
    q = torch.linspace(0, limit, steps + 1, dtype=torch.float64)
    density = 4 * pi * q**2 * sphere_form_factor(torch.stack([q, 0 * q, 0 * q], dim=1), 1.0) ** 2
    tail = 4 * pi * 2 * pi * (4 * pi) / ((2 * pi) ** 4 * limit)
    assert torch.trapezoid(density, q).item() + tail == pytest.approx(4 / 3 * pi, rel=1e-4)


def test_ellipsoid_with_equal_axes_is_the_sphere_and_stretches_like_it() -> None:
    q, axes = random_q(50, 0.3), torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    torch.testing.assert_close(ellipsoid_form_factor(q, torch.full((3,), 2.0).double()), sphere_form_factor(q, 2.0))
    along = torch.zeros(1, 3, dtype=torch.float64)
    along[0, 2] = 0.4
    torch.testing.assert_close(ellipsoid_form_factor(along, axes), sphere_form_factor(along, 3.0) * 6 / 27)


def test_many_faced_polyhedron_approaches_the_sphere() -> None:
    turn = torch.arange(2000, dtype=torch.float64)
    height = 1 - (2 * turn + 1) / 2000
    ring = (1 - height**2).sqrt()
    angle = turn * pi * (3 - sqrt(5))
    points = torch.stack([height, ring * angle.sin(), ring * angle.cos()], dim=1)
    q = random_q(20, 0.3)
    found = polyhedron_form_factor(q, points).abs()
    assert (found - sphere_form_factor(q, 1.0).abs()).abs().max() < 0.01 * 4 / 3 * pi
