import math

import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.physics.rotations.orientations import random_quaternions, rotation_matrices
from spi_lightning.simulate.particles.crystals import (
    DislocationRecipe,
    dislocation_phase,
    edge_displacement,
    screw_displacement,
)
from spi_lightning.simulate.particles.phase_field import PhaseRecipe


def winding(phase: torch.Tensor) -> torch.Tensor:
    """Sum of the wrapped differences around a closed ring, (..., P), in turns."""
    steps = phase.roll(-1, -1) - phase
    return torch.atan2(steps.sin(), steps.cos()).sum(-1) / (2 * math.pi)


def ring(points: int = 200, radius: float = 3.0) -> torch.Tensor:
    angle = torch.linspace(0, 2 * math.pi, points + 1)[:-1]
    return torch.stack([angle.cos() * radius, angle.sin() * radius], dim=-1)


@pytest.mark.parametrize("screw", [True, False])
def test_phases_wind_by_the_order_around_the_line_and_not_beside_it(screw: bool) -> None:
    line, slip = torch.tensor([[1.0, 0, 0]]), torch.tensor([[0, 1.0, 0]])
    around = torch.cat([torch.zeros(200, 1), ring()], dim=1)[None]
    for order in (1.0, -1.0, 2.0):
        arguments = (line, slip, torch.tensor([screw]), torch.tensor([order]))
        assert winding(dislocation_phase(around, *arguments)).item() == pytest.approx(-order, abs=1e-4)
        beside = around + torch.tensor([0.0, 8.0, 2.0])
        assert winding(dislocation_phase(beside, *arguments)).item() == pytest.approx(0, abs=1e-4)


def test_burgers_circuit_closes_to_the_burgers_vector() -> None:
    x, y = ring(2000).unbind(-1)
    for moved in (screw_displacement(x, y, torch.tensor(2.0)), edge_displacement(x, y, torch.tensor(2.0))[0]):
        steps = moved.diff()
        assert steps[steps.abs() < 1].sum().item() == pytest.approx(2.0, rel=0.01)


def test_edge_fields_fulfil_equilibrium() -> None:
    """Navier's equation (1 - 2 nu) laplace u + grad div u = 0 away from the line, by finite differences."""
    nu, h = 0.3, 0.01
    axis = 2 + h * torch.arange(-2, 3).double()
    x, y = torch.meshgrid(axis, axis + 1, indexing="ij")
    ux, uy = edge_displacement(x, y, torch.tensor(1.0), nu)

    def second(u: torch.Tensor, a: int, b: int) -> torch.Tensor:
        first = torch.gradient(u, spacing=h, dim=a)[0]
        return torch.gradient(first, spacing=h, dim=b)[0][2, 2]

    for u, axis_of_u in ((ux, 0), (uy, 1)):
        laplace = second(u, 0, 0) + second(u, 1, 1)
        divergence = second(ux, 0, axis_of_u) + second(uy, 1, axis_of_u)
        assert divergence.abs() > 1e-3
        assert ((1 - 2 * nu) * laplace + divergence).abs() < 0.01 * divergence.abs()


def test_recipe_gives_smooth_phases_without_and_wrapped_ones_with_dislocations() -> None:
    turn = rotation_matrices(random_quaternions(4, torch.Generator().manual_seed(0)))
    inside = torch.zeros(4, 12, 12, 12, dtype=torch.bool)
    inside[:, 2:10, 2:10, 2:10] = True

    def draw(recipe: object) -> torch.Tensor:
        return recipe(inside, turn, *(torch.Generator().manual_seed(seed) for seed in (1, 2)))  # type: ignore[no-any-return, operator]

    smooth = PhaseRecipe(phase_range=(0.5, 3.0))
    assert torch.equal(draw(DislocationRecipe(smooth, probability=0.0)), draw(smooth))
    wound = draw(DislocationRecipe(smooth, probability=1.0))
    assert (wound[~inside] == 0).all()
    assert wound.min() >= 0
    assert wound.max() < 2 * math.pi
    assert wound.max() > 6
    with pytest.raises(UserError, match="probability"):
        DislocationRecipe(probability=2.0)
