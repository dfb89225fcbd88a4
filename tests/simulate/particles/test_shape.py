from dataclasses import dataclass, replace
from math import pi

import pytest
import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.physics.rotations.orientations import random_quaternions, rotation_matrices
from spi_lightning.simulate import ParticleRecipe
from spi_lightning.simulate.particles.shape import UnitShape
from spi_lightning.simulate.projection import BODIES, chord_moments, sample_positions
from spi_lightning.simulate.scattering import amplitudes
from tests.simulate.test_generators_agree import SHAPE, geometry, single_particles


@dataclass
class Balls:
    """Two balls of one radius whose centres are apart along x."""

    ball: float = 3.0
    apart: float = 0.0
    radius: float = 3.0

    def depth(self, z: Tensor, y: Tensor, x: Tensor) -> Tensor:
        return self.ball - torch.stack([z, y, x.abs() - self.apart / 2]).norm(dim=0)


def test_a_shape_of_any_unit_has_the_volume_of_a_sphere_of_diameter_1_in_any_orientation() -> None:
    shape = UnitShape(Balls(2.0, 3.0, 3.5), "dumbbell")
    volume = 2 * 4 / 3 * pi * 2**3 - pi * (4 * 2 + 3) * (2 * 2 - 3) ** 2 / 12  # less the lens that both share
    assert shape.unit == pytest.approx((6 * volume / pi) ** (1 / 3), rel=1e-3)
    affine = rotation_matrices(random_quaternions(4, torch.Generator().manual_seed(1)))
    half = torch.full((4,), shape.radius)
    thickness = chord_moments(shape, affine, sample_positions(half, 200))[0]
    area = (2 * half[0] / 200) ** 2
    torch.testing.assert_close(thickness.sum((1, 2)) * area, torch.full((4,), pi / 6), rtol=3e-3, atol=0)


def test_a_ball_scatters_as_the_sphere_does() -> None:
    sphere = single_particles("sphere")
    expected = amplitudes(sphere, geometry(), SHAPE, 64)
    ball = replace(sphere, body=torch.full_like(sphere.body, len(BODIES)))
    found = amplitudes(ball, geometry(), SHAPE, 64, shapes=[UnitShape(Balls(), "ball")])
    assert (found - expected).abs().max() < 2e-3 * expected.abs().max()


def test_a_shape_that_is_not_as_it_says_is_refused() -> None:
    with pytest.raises(UserError, match=r"shapes\.ball\.radius=2: the body reaches further"):
        ParticleRecipe({"ball": 1.0}, shapes={"ball": Balls(3.0, 0.0, 2.0)})
    with pytest.raises(UserError, match=r"shapes\.ball: no point lies inside"):
        ParticleRecipe({"ball": 1.0}, shapes={"ball": Balls(-1.0)})
    with pytest.raises(UserError, match=r"\['torus'\] is a body of its own"):
        ParticleRecipe({"torus": 1.0}, shapes={"torus": Balls()})
    with pytest.raises(UserError, match=r"unknown body \['rod'\]; choose from sphere.*, ball"):
        ParticleRecipe({"rod": 1.0}, shapes={"ball": Balls()})
