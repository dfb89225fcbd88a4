"""Rotations, shifts, twins and signs of asymmetric and nearly symmetric bodies are found without a guess."""

import math

import pytest
import torch
from torch import Tensor

from spi_lightning.metrics.fsc import fsc
from spi_lightning.phasing.align_rotations import align_rotations, align_shift
from spi_lightning.phasing.rotated import even_rotations, finer, moved, rotated
from spi_lightning.physics.array import pad
from spi_lightning.physics.rotations.orientations import random_quaternions, rotation_angle, sampling_step
from spi_lightning.physics.twin import twin
from tests.phasing.lopsided import lopsided
from tests.reconstruction.merged_file import body

EDGE = 28


def noisy(density: Tensor, level: float, generator: torch.Generator) -> Tensor:
    return density + level * density.std() * torch.randn(density.shape, generator=generator)


@pytest.mark.parametrize(("seed", "level", "other"), [(0, 0.0, False), (1, 0.0, True), (2, 0.4, True)])
def test_a_random_rotation_is_found(seed: int, level: float, other: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    density = pad(body(15), [EDGE] * 3)
    rotation, shift = random_quaternions(1, generator)[0].double(), torch.randn(3, generator=generator).double()
    goal = noisy(moved(twin(density, 3) if other else density, rotation, shift), level, generator)
    found = align_rotations(-2 * noisy(density, level, generator), goal)
    assert found.twin == other and found.factor == -1
    assert float((found.shift - shift).norm()) < (0.01 if level == 0 else 0.2)
    # half the resolution at the rim: an angle of half a voxel at 7 voxels, halved again
    assert math.degrees(float(rotation_angle(found.quaternion, rotation))) < (0.2 if level == 0 else 2.0)
    assert found.margin > 4 and 0 < found.rival < 1 and 1 <= found.agreed <= found.refined
    if level == 0:
        assert float(fsc(goal, found.density, 3).curve[:12].min()) > 0.99


def test_identical_densities_are_not_interpolated() -> None:
    density = pad(body(15), [EDGE] * 3)
    found = align_rotations(density, density)
    assert found.angle == 0 and float(found.shift.abs().max()) < 1e-6 and not found.twin and found.factor == 1
    torch.testing.assert_close(fsc(density, found.density, 3).curve, torch.ones(15), atol=1e-4, rtol=0)


def test_the_twin_of_a_complex_density_is_its_conjugate_inverted() -> None:
    density = pad(body(15), [EDGE] * 3)
    ramp = torch.linspace(-1, 1, EDGE)
    whole = (density * torch.exp(1j * (ramp.square() + ramp[:, None] * ramp[:, None, None]))).to(torch.complex64)
    rotation = torch.tensor([0.8, 0.6, 0, 0]).double()
    found = align_rotations(whole, moved(twin(whole, 3), rotation, [0.5, 0, 1]) * 1j)
    assert found.twin and found.overlap > 0.999 and abs(found.factor - 1j) < 0.02
    assert math.degrees(float(rotation_angle(found.quaternion, rotation))) < 0.5


@pytest.mark.parametrize("degrees", [0.0, 77.0, 200.0])
def test_images_turn_in_their_plane_and_have_no_twin_beside(degrees: float) -> None:
    density, half = pad(lopsided(48), [64, 64]), math.radians(degrees) / 2
    rotation = torch.tensor([math.cos(half), 0, 0, math.sin(half)], dtype=torch.float64)
    found = align_rotations(density, moved(density, rotation, [1.5, -2.0]))
    assert not found.twin and math.degrees(float(rotation_angle(found.quaternion, rotation))) < 0.5
    assert found.overlap > 0.99 and float((found.shift - torch.tensor([1.5, -2.0])).norm()) < 0.1


def nearly_icosahedral(edge: int) -> Tensor:
    """A ball with 12 faint lumps on the axes of an icosahedron and three off-centre cores, no two of them mirrored."""
    golden = (1 + 5**0.5) / 2
    axes = torch.tensor([(0, a, b * golden) for a in (-1, 1) for b in (-1, 1)]).double()
    axes = torch.nn.functional.normalize(torch.cat([axes.roll(turn, 1) for turn in range(3)]), dim=1)
    grid = torch.stack(torch.meshgrid(*[torch.arange(edge).double() - edge // 2] * 3, indexing="ij"), -1)
    density = torch.sigmoid(2 * (6.5 - grid.norm(dim=-1)))
    for centre in 6 * axes:
        density += 0.8 * torch.exp(-(grid - centre).square().sum(-1) / 4)
    for centre in ((3.0, 1.0, -1.5), (-1.0, 2.6, 2.0), (0.5, -2.0, 2.5)):
        density += 0.5 * torch.exp(-(grid - torch.tensor(centre)).square().sum(-1) / 4)
    return density.float()


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.0, 0.2])
def test_a_nearly_symmetric_body_is_turned_by_what_breaks_its_symmetry(level: float) -> None:
    generator = torch.Generator().manual_seed(4)
    density = nearly_icosahedral(EDGE)
    rotation = random_quaternions(1, generator)[0].double()
    goal = noisy(moved(twin(density, 3), rotation, [0, 0.4, 0]), level, generator)
    found = align_rotations(noisy(density, level, generator), goal)
    assert found.twin and math.degrees(float(rotation_angle(found.quaternion, rotation))) < 2
    assert 0.99 < found.rival <= 1


def test_shift_alone_leaves_the_rotation() -> None:
    density = pad(body(15), [EDGE] * 3)
    shifted = torch.roll(density, (2, -1), (0, 1))
    found = align_shift(density, shifted)
    assert found.shift.tolist() == pytest.approx([2, -1, 0], abs=1e-6) and found.overlap > 0.9999
    assert align_shift(density, shifted, free=False).overlap < found.overlap


@pytest.mark.parametrize("edge", [12, 13])
def test_a_finer_grid_holds_the_coarse_one_and_rotations_are_even(edge: int) -> None:
    density = torch.rand(edge, edge, generator=torch.Generator().manual_seed(0))
    fine = finer(density)
    first = edge % 2
    torch.testing.assert_close(fine[first::2, first::2], density, atol=1e-5, rtol=0)
    still = torch.tensor([[1.0, 0, 0, 0]], dtype=torch.float64)
    torch.testing.assert_close(rotated(density, still)[0], density, atol=1e-5, rtol=0)
    assert 15 < math.degrees(sampling_step(even_rotations(1000, 3))) < 25
