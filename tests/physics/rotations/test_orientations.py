"""Orientations up to symmetry: the group, distances, alignment, directions and slices against what is known exactly."""

import math

import pytest
import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.physics.rotations.orientations import (
    align_orientations,
    conjugate,
    equivalents,
    fold_directions,
    mean_rotation,
    multiply_quaternions,
    orientation_probability,
    random_quaternions,
    rotation_angle,
    rotation_matrices,
    sampling_step,
    slice_intensity,
    sphere_points,
    symmetry_group,
    viewing_directions,
)
from tests.physics.rotations.distance import angular_distance


def draw(count: int, seed: int = 0) -> Tensor:
    return random_quaternions(count, torch.Generator().manual_seed(seed)).double()


def test_quaternions_are_unit_and_have_a_fixed_sign() -> None:
    quaternion = random_quaternions(1000, torch.Generator().manual_seed(0))
    assert quaternion.dtype == torch.float32
    torch.testing.assert_close(quaternion.norm(dim=1), torch.ones(1000))
    assert (quaternion[:, 0] >= 0).all()


def test_seed_fixes_the_draw() -> None:
    assert torch.equal(draw(5, seed=3), draw(5, seed=3))
    assert not torch.equal(draw(5, seed=3), draw(5, seed=4))


def test_matrices_are_proper_rotations() -> None:
    matrix = rotation_matrices(torch.nn.functional.normalize(draw(50), dim=1))
    eye = torch.eye(3, dtype=torch.float64).expand(50, 3, 3)
    torch.testing.assert_close(matrix @ matrix.transpose(1, 2), eye, atol=1e-12, rtol=0)
    torch.testing.assert_close(torch.linalg.det(matrix), torch.ones(50, dtype=torch.float64))


@pytest.mark.parametrize(
    ("axis", "start", "end"), [(1, (0, 1, 0), (1, 0, 0)), (2, (1, 0, 0), (0, 0, 1)), (3, (0, 0, 1), (0, 1, 0))]
)
def test_quarter_turns_are_right_handed(axis: int, start: tuple[int, ...], end: tuple[int, ...]) -> None:
    """About x: y to z. About y: z to x. About z: x to y. Vectors are written z, y, x."""
    quaternion = torch.zeros(4, dtype=torch.float64)
    quaternion[0] = quaternion[axis] = math.sqrt(0.5)
    turned = rotation_matrices(quaternion) @ torch.tensor(start, dtype=torch.float64)
    torch.testing.assert_close(turned, torch.tensor(end, dtype=torch.float64), atol=1e-12, rtol=0)


def test_product_of_quaternions_is_the_product_of_matrices() -> None:
    left, right = draw(20, seed=1), draw(20, seed=2)
    left, right = (torch.nn.functional.normalize(q, dim=1) for q in (left, right))
    expected = rotation_matrices(left) @ rotation_matrices(right)
    torch.testing.assert_close(rotation_matrices(multiply_quaternions(left, right)), expected)


def test_both_signs_are_one_rotation() -> None:
    torch.testing.assert_close(rotation_matrices(-draw(5)), rotation_matrices(draw(5)))


def test_orientations_are_uniform() -> None:
    """Haar measure: <R> = 0, <R_ij^2> = 1/3, <tr R> = 0, <(tr R)^2> = 1, density of angles (1 - cos a) / pi."""
    count = 40_000
    matrix = rotation_matrices(draw(count))
    error = 5 / math.sqrt(count)
    assert matrix.mean(0).abs().max() < error
    assert (matrix.square().mean(0) - 1 / 3).abs().max() < error
    trace = matrix.diagonal(dim1=1, dim2=2).sum(1)
    assert abs(trace.mean()) < error
    assert abs(trace.square().mean() - 1) < 3 * error
    angle = torch.arccos(((trace - 1) / 2).clamp(-1, 1))
    for limit in (1.0, 2.0, 3.0):
        expected = (limit - math.sin(limit)) / math.pi
        assert abs((angle < limit).double().mean() - expected) < error


GOLDEN = (1 + math.sqrt(5)) / 2


def random(count: int, seed: int = 0) -> Tensor:
    quaternion = random_quaternions(count, torch.Generator().manual_seed(seed)).double()
    return quaternion / quaternion.norm(dim=1, keepdim=True)


def about(axis: tuple[float, float, float], angle: float) -> Tensor:
    """Rotation about an axis x, y, z."""
    unit = torch.nn.functional.normalize(torch.tensor(axis, dtype=torch.float64), dim=0)
    return torch.cat([torch.tensor([math.cos(angle / 2)], dtype=torch.float64), math.sin(angle / 2) * unit])


def test_icosahedral_rotations_form_a_group_of_sixty() -> None:
    group = symmetry_group("icosahedral")
    assert group.shape == (60, 4)
    torch.testing.assert_close(group.norm(dim=1), torch.ones(60, dtype=torch.float64))
    torch.testing.assert_close(group[0], torch.tensor([1.0, 0, 0, 0], dtype=torch.float64))
    products = multiply_quaternions(group[:, None], group[None])
    overlap = (products @ group.T).abs()
    assert torch.allclose(overlap.amax(-1), torch.ones((), dtype=torch.float64))  # closed
    assert ((overlap > 1 - 1e-9).sum(-1) == 1).all()  # and all different
    angles = torch.rad2deg(rotation_angle(group, group[:1])).round()
    counts = dict(zip(*(values.tolist() for values in angles.unique(return_counts=True)), strict=True))
    assert counts == {0: 1, 72: 12, 120: 20, 144: 12, 180: 15}  # of the five classes of the group


def test_the_group_turns_the_simulated_icosahedron_into_itself() -> None:
    polyhedra = pytest.importorskip("spi_lightning.simulate.particles.polyhedra")
    vertices = polyhedra.polyhedron("icosahedron").vertices
    turned = rotation_matrices(symmetry_group("icosahedral")) @ vertices.T  # (60, 3, 12)
    distance = (turned.transpose(1, 2)[:, :, None] - vertices).norm(dim=-1).amin(-1)
    assert distance.max() < 1e-9


def test_unknown_symmetry_is_one_line() -> None:
    with pytest.raises(UserError, match="symmetry=cubic is unknown; choose one of none, icosahedral"):
        symmetry_group("cubic")


@pytest.mark.parametrize("angle", [0.0, 1e-7, 0.3, math.pi / 2, math.pi])
def test_rotation_angle_is_the_angle_turned_by(angle: float) -> None:
    start = random(20)
    turned = multiply_quaternions(start, about((1, 2, -1), angle).expand(20, 4))
    torch.testing.assert_close(
        rotation_angle(start, -turned), torch.full((20,), angle, dtype=torch.float64), atol=1e-8, rtol=1e-8
    )


def test_equivalent_orientations_are_at_no_distance() -> None:
    quaternion = random(5)
    group = symmetry_group("icosahedral")
    for turn in group[[1, 17, 40]]:
        same = multiply_quaternions(quaternion, turn.expand(5, 4))
        assert angular_distance(same, quaternion, "icosahedral").max() < 1e-7
        assert angular_distance(same, quaternion).min() > 1
    half_turn = about((0, 0, 1), math.pi)
    over = multiply_quaternions(half_turn.expand(5, 4), quaternion)
    assert angular_distance(over, quaternion, friedel=True).max() < 1e-7
    assert angular_distance(over, quaternion).min() > 3
    assert equivalents(quaternion, "icosahedral", friedel=True).shape == (5, 120, 4)


def test_no_two_orientations_of_an_icosahedron_are_farther_apart_than_its_cell() -> None:
    """The rotations are 120 points on the 3-sphere, four neighbours of which, 36 degrees apart, surround a cell."""
    corner = 2 * math.degrees(math.acos(math.sqrt((1 + 3 * math.cos(math.pi / 5)) / 4)))
    distance = torch.rad2deg(angular_distance(random(3000), random(3000, seed=1), "icosahedral"))
    assert corner == pytest.approx(44.48, abs=0.01)
    assert 40 < distance.max() < corner
    assert 29 < distance.median() < 33  # where chance alone puts an orientation


@pytest.mark.parametrize(("symmetry", "friedel"), [("none", False), ("icosahedral", False), ("icosahedral", True)])
def test_one_global_rotation_is_found_through_noise_and_outliers(symmetry: str, friedel: bool) -> None:
    true, hidden = random(120), random(1, seed=5)[0]
    choices = equivalents(true, symmetry, friedel)
    picks = torch.randint(choices.shape[1], (120,), generator=torch.Generator().manual_seed(1))
    found = multiply_quaternions(choices[torch.arange(120), picks], hidden.expand(120, 4))
    noise = torch.randn(120, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 0.01
    noise = torch.cat([torch.ones(120, 1, dtype=torch.float64), noise], dim=1)
    found = multiply_quaternions(noise / noise.norm(dim=1, keepdim=True), found)
    found[:25] = random(25, seed=9)
    alignment = align_orientations(found, true, symmetry, friedel)
    assert torch.rad2deg(alignment.error[25:]).median() < 2.5  # noise of 1.15 degrees about each of three axes, doubled
    frame = multiply_quaternions(hidden, conjugate(alignment.rotation))
    assert torch.rad2deg(angular_distance(frame[None], symmetry_group("none"), symmetry)) < 0.6


def test_mean_rotation_is_the_middle_and_blind_to_signs() -> None:
    middle = random(1)[0]
    sides = torch.stack([multiply_quaternions(middle, about((0, 1, 0), angle)) for angle in (-0.2, 0.2)])
    assert rotation_angle(mean_rotation(torch.cat([sides, -sides[:1]])[:2]), middle) < 1e-7
    assert rotation_angle(mean_rotation(sides * torch.tensor([[1.0], [-1.0]])), middle) < 1e-7


def test_sampling_step_of_turns_about_one_axis() -> None:
    turns = torch.stack([about((0, 0, 1), 2 * math.pi * k / 36) for k in range(36)])
    assert math.degrees(sampling_step(turns, at_once=7)) == pytest.approx(10)


def test_viewing_direction_is_the_beam_in_the_frame_of_the_body() -> None:
    # A quarter turn about x brings the body's y axis to z, along the beam.
    direction = viewing_directions(about((1, 0, 0), math.pi / 2))
    torch.testing.assert_close(direction, torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64))
    quaternion = random(50)
    beam = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    back = rotation_matrices(quaternion) @ viewing_directions(quaternion)[:, :, None]
    torch.testing.assert_close(back[..., 0], beam.expand(50, 3))


def test_probability_is_kept() -> None:
    position = torch.tensor([[3, 1, -1], [3, -1, -1], [-1, -1, -1]])
    probability = torch.tensor([[0.75, 0.25, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    total = orientation_probability(position, probability, 5)
    assert total.tolist() == [0.0, 0.25, 0.0, 1.75, 0.0]


def test_folded_directions_of_equivalents_are_one() -> None:
    quaternion = random(40)
    turned = multiply_quaternions(quaternion, symmetry_group("icosahedral")[33].expand(40, 4))
    left, right = (fold_directions(viewing_directions(q), "icosahedral") for q in (quaternion, turned))
    torch.testing.assert_close(left, right)
    torch.testing.assert_close(fold_directions(left, "none"), left)


def test_folding_keeps_a_sixtieth_of_the_sphere() -> None:
    direction = viewing_directions(random(4000))
    folded = fold_directions(direction, "icosahedral")
    untouched = ((folded - direction).norm(dim=1) < 1e-9).double().mean()
    assert float(untouched) == pytest.approx(1 / 60, rel=0.35)


def test_slice_of_a_linear_intensity_is_exact() -> None:
    size = 21
    z, y, x = torch.meshgrid(*[torch.arange(size).double() - size // 2] * 3, indexing="ij")
    gradient = torch.tensor([0.3, -1.1, 0.7], dtype=torch.float64)
    intensity = 50 + gradient[0] * z + gradient[1] * y + gradient[2] * x
    q = torch.stack(torch.meshgrid(*[torch.linspace(-4, 4, 9).double()] * 2, indexing="ij"), dim=-1)
    q = torch.cat([0.1 * q.square().sum(-1, keepdim=True), q], dim=-1)
    quaternion = random(6)
    visited = slice_intensity(intensity, quaternion, q)
    body = torch.einsum("nji,hwj->nhwi", rotation_matrices(quaternion), q)  # R^T q
    torch.testing.assert_close(visited, 50 + body @ gradient)


def test_points_are_even() -> None:
    points = sphere_points(500)
    torch.testing.assert_close(points.norm(dim=1), torch.ones(500, dtype=torch.float64))
    assert points.mean(dim=0).abs().max() < 1e-2
    scatter = points.T @ points / 500
    torch.testing.assert_close(scatter, torch.eye(3, dtype=torch.float64) / 3, atol=5e-3, rtol=0)
