import math

import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.physics.rotations.orientations import random_quaternions, rotation_matrices
from spi_lightning.simulate.particles.phase_field import PhaseRecipe, gaussian_field, scale_phase

SAME = torch.eye(3).expand(64, 3, 3)


def correlation(field: torch.Tensor, axis: int, lag: int) -> float:
    """Correlation of voxels ``lag`` apart along one axis, over a batch of fields of mean 0."""
    near, far = field.narrow(axis, 0, field.shape[axis] - lag), field.narrow(axis, lag, field.shape[axis] - lag)
    return float((near * far).mean() / (field**2).mean())


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_correlation_length_and_variance(axis: int) -> None:
    noise = torch.randn(64, 32, 32, 32, generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([[2.0, 3.0, 4.0]]).expand(64, 3)
    field = gaussian_field(noise, lengths, SAME, size=20)
    assert field.var().item() == pytest.approx(1, rel=0.08)
    length = float(lengths[0, axis - 1])
    for lag in (2, 4):
        assert correlation(field, axis, lag) == pytest.approx(math.exp(-(lag**2) / (4 * length**2)), abs=0.05)


def test_a_quarter_turn_swaps_the_correlation_lengths() -> None:
    noise = torch.randn(4, 16, 16, 16)
    turn = torch.tensor([[0.0, 1, 0], [1, 0, 0], [0, 0, -1]]).expand(4, 3, 3)
    turned = gaussian_field(noise, torch.tensor([[1.0, 3.0, 2.0]]).expand(4, 3), turn, 16)
    swapped = gaussian_field(noise, torch.tensor([[3.0, 1.0, 2.0]]).expand(4, 3), SAME[:4], 16)
    torch.testing.assert_close(turned, swapped, atol=1e-5, rtol=0)


def test_scaled_phases_span_their_range_inside_and_vanish_outside() -> None:
    inside = torch.rand(3, 8, 8, 8) < 0.4
    span = torch.tensor([1.0, 3.0, 0.0])
    phase = scale_phase(torch.randn(3, 8, 8, 8), inside, span)
    assert (phase[~inside] == 0).all()
    assert (phase >= 0).all()
    torch.testing.assert_close(phase.flatten(1).amax(1), span)


def test_recipe_answers_for_its_seed() -> None:
    inside = torch.ones(2, 8, 8, 8, dtype=torch.bool)
    turn = rotation_matrices(random_quaternions(2, torch.Generator().manual_seed(0)))
    draw = [
        PhaseRecipe(phase_range=(2.0, 2.0))(inside, turn, *(torch.Generator().manual_seed(seed) for seed in (1, 2)))
        for _ in range(2)
    ]
    assert torch.equal(*draw)
    assert draw[0].amax().item() == pytest.approx(2)
    with pytest.raises(UserError, match="correlation"):
        PhaseRecipe(correlation=(0.0, 0.1))
