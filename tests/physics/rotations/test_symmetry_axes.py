"""The icosahedral axes of an intensity that is icosahedral by construction, and of one that is not."""

import math

import torch
from torch import Tensor

from spi_lightning.physics.rotations.orientations import (
    conjugate,
    random_quaternions,
    rotation_matrices,
)
from spi_lightning.physics.rotations.symmetry_axes import icosahedral_axes
from tests.physics.rotations.distance import angular_distance

SIZE = 25
GOLDEN = (1 + math.sqrt(5)) / 2


def bumps(axes: Tensor) -> Tensor:
    """Intensity with a ridge along every axis, (A, 3) unit vectors, falling off with q."""
    grid = torch.stack(torch.meshgrid(*[torch.arange(SIZE).double() - SIZE // 2] * 3, indexing="ij"), dim=-1)
    radius = grid.norm(dim=-1).clamp_min(1e-9)
    cosine = torch.einsum("zyxi,ai->zyxa", grid / radius[..., None], axes).abs()
    return (1 + torch.exp((cosine - 1) / 0.05).sum(-1)) * torch.exp(-radius / 5)


def test_the_frame_of_a_turned_icosahedron_is_found() -> None:
    turn = random_quaternions(1, torch.Generator().manual_seed(3))[0].double()
    turn = turn / turn.norm()
    axes = [(0, s, GOLDEN) for s in (1, -1)] + [(s, GOLDEN, 0) for s in (1, -1)] + [(GOLDEN, 0, s) for s in (1, -1)]
    fivefold = torch.tensor(axes)
    fivefold = torch.nn.functional.normalize(fivefold.double(), dim=1)
    found = icosahedral_axes(bumps(fivefold @ rotation_matrices(turn)), torch.arange(4, 11).double())
    error = angular_distance(conjugate(found.rotation)[None], conjugate(turn)[None], "icosahedral")
    assert math.degrees(error) < 0.5
    assert found.share > 0.95


def test_what_has_no_such_symmetry_has_a_small_share() -> None:
    one = torch.nn.functional.normalize(torch.tensor([[1.0, 0.4, -0.3]], dtype=torch.float64), dim=1)
    assert icosahedral_axes(bumps(one), torch.arange(4, 11).double()).share < 0.35
