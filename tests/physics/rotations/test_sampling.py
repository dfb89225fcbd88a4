"""Samples of the rotation group: their number, their moments, and what a point group leaves of them."""

import pytest
import torch

from spi_lightning.physics.rotations.orientations import (
    equivalents,
    random_quaternions,
    rotation_angle,
    rotation_matrices,
    sampling_step,
    symmetry_group,
)
from spi_lightning.physics.rotations.sampling import rotation_samples


@pytest.mark.parametrize("num_div", [1, 2, 3, 5])
def test_the_600_cell_has_the_published_number_of_rotations(num_div: int) -> None:
    samples = rotation_samples(num_div)
    assert len(samples) == 10 * (5 * num_div**3 + num_div)
    torch.testing.assert_close(samples.quaternion.norm(dim=1), torch.ones(len(samples)).double())
    overlap = (samples.quaternion @ samples.quaternion.T).abs().fill_diagonal_(0)
    assert overlap.max() < 1 - 1e-3  # none twice, and none with its negative


def test_weights_make_the_moments_those_of_all_rotations() -> None:
    """Even moments of a component over the unit sphere of four dimensions: 3/24, and 10395/322560 of degree 12."""
    samples = rotation_samples(4)
    assert float(samples.weight.sum()) == pytest.approx(1)
    extremes = [float(each) * len(samples) for each in samples.weight.aminmax()]
    assert extremes == pytest.approx([0.6716935167, 1.0980731048])  # those of dragonfly-spi 0.1.0, of num_div = 4
    direction = random_quaternions(20, torch.Generator().manual_seed(0)).double()
    along = samples.quaternion @ direction.T
    torch.testing.assert_close(samples.weight @ along**4, torch.full((20,), 3 / 24).double())
    weighted = (samples.weight @ along**12 - 10395 / 322560).abs().mean()
    even = ((along**12).mean(dim=0) - 10395 / 322560).abs().mean()
    assert weighted < 0.5 * even


def test_the_sampling_step_shrinks_with_num_div() -> None:
    for num_div in (2, 4):
        step = float(torch.rad2deg(torch.tensor(sampling_step(rotation_samples(num_div).quaternion))))
        assert step == pytest.approx(72 / num_div, rel=0.15)


@pytest.mark.parametrize(("group", "order"), [("icosahedral", 60), ("octahedral", 24)])
def test_a_point_group_leaves_one_of_equivalent_rotations(group: str, order: int) -> None:
    samples, whole = rotation_samples(3, group), rotation_samples(3)
    assert len(samples.group) == order and float(samples.weight.sum()) == pytest.approx(1)
    assert len(whole) / order <= len(samples) < 3 * len(whole) / order
    # Each rotation has an equivalent within the sampled part.
    turned = equivalents(random_quaternions(200, torch.Generator().manual_seed(1)).double(), group)
    nearest = rotation_angle(turned[:, :, None], samples.quaternion).amin(dim=(1, 2))
    assert torch.rad2deg(nearest).max() < 24


def test_the_octahedral_group_permutes_the_axes() -> None:
    matrices = rotation_matrices(symmetry_group("octahedral"))
    torch.testing.assert_close(matrices.abs().sum(dim=-1), torch.ones(24, 3).double())
    torch.testing.assert_close(torch.linalg.det(matrices), torch.ones(24).double())
    assert len(torch.unique(matrices.round(decimals=6), dim=0)) == 24
