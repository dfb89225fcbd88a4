"""Quaternions turn vectors as they should and cover the rotations evenly."""

import math

import pytest
import torch
from torch import Tensor

from spi_lightning.physics.rotations.quaternions import multiply_quaternions, random_quaternions, rotation_matrices


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
