"""Uniformity of orientations: right under the hypothesis, and sharp where a belt or a clump is there."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import kstest

from spi_lightning.errors import UserError
from spi_lightning.metrics.uniformity import Control, equal_parts, lowest_harmonics, spread, uniformity
from spi_lightning.physics.rotations.orientations import (
    random_quaternions,
    rotation_matrices,
    symmetry_group,
    viewing_directions,
)

SAMPLES = 4000


@pytest.fixture(scope="module")
def quaternion() -> NDArray[np.float64]:
    return random_quaternions(SAMPLES, torch.Generator().manual_seed(0)).double().numpy()


def draw(weight: NDArray[np.float64], count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    index = np.random.default_rng(seed).choice(len(weight), size=count, p=weight / weight.sum())
    return index[:, None], np.ones((count, 1))


@pytest.mark.parametrize("symmetry", ["none", "icosahedral"])
def test_p_values_of_even_sets_are_themselves_even(quaternion: NDArray[np.float64], symmetry: str) -> None:
    weight = np.full(SAMPLES, 1 / SAMPLES)
    results = [uniformity(quaternion, weight, *draw(weight, 300, seed), symmetry) for seed in range(40)]
    for p_values in ([r.harmonics_p for r in results], [r.chi_square_p for r in results]):
        assert kstest(p_values, "uniform").pvalue > 1e-3
    assert np.mean([r.p_value < 0.05 for r in results]) < 0.15
    assert results[0].harmonics_freedom == (8 if symmetry == "none" else 3)


@pytest.mark.parametrize("symmetry", ["none", "icosahedral"])
def test_uneven_sampling_is_not_taken_for_uneven_particles(quaternion: NDArray[np.float64], symmetry: str) -> None:
    """An uneven list of orientations whose weights say so; an even one would have had many p-values below 1e-6."""
    weight = 1 + 0.9 * lowest_harmonics(viewing_directions(torch.from_numpy(quaternion)).numpy(), symmetry)[:, 0] / 3
    weight /= weight.sum()
    p_values = [uniformity(quaternion, weight, *draw(weight, 400, seed), symmetry).p_value for seed in range(30)]
    assert np.mean(np.array(p_values) < 0.05) < 0.2
    even = np.full(SAMPLES, 1 / SAMPLES)
    assert uniformity(quaternion, even, *draw(weight, 400, 0), symmetry).p_value < 1e-4


@pytest.mark.parametrize("symmetry", ["none", "icosahedral"])
def test_a_belt_is_found(quaternion: NDArray[np.float64], symmetry: str) -> None:
    """Around a fivefold axis; as broad a belt around a twofold axis nearly hides in its overlapping equivalents."""
    weight = np.full(SAMPLES, 1 / SAMPLES)
    axis = np.array([0.0, 1.0, (1 + np.sqrt(5)) / 2])
    height = viewing_directions(torch.from_numpy(quaternion)).numpy() @ (axis / np.linalg.norm(axis))
    belt = (np.abs(height) < np.sin(np.radians(12))).astype(float)
    found = uniformity(quaternion, weight, *draw(belt, 200, 1), symmetry)
    assert found.harmonics_p < 1e-6 and found.p_value < 1e-6
    assert found.variation > 0.3


def test_a_clump_is_found_by_its_parts(quaternion: NDArray[np.float64]) -> None:
    weight = np.full(SAMPLES, 1 / SAMPLES)
    direction = viewing_directions(torch.from_numpy(quaternion)).numpy()
    clump = 1.0 + 30 * (direction @ np.array([0.6, 0.0, 0.8]) > np.cos(np.radians(10)))
    assert uniformity(quaternion, weight, *draw(clump, 500, 2)).chi_square_p < 1e-6


def test_symmetry_hides_which_equivalent_was_found(quaternion: NDArray[np.float64]) -> None:
    """Patterns that all fell into one of the sixty equivalent cells: uneven on the sphere, even up to symmetry."""
    weight = np.full(SAMPLES, 1 / SAMPLES)
    direction = viewing_directions(torch.from_numpy(quaternion))
    middle = torch.nn.functional.normalize(torch.tensor([1.0, 0.35, 0.12], dtype=torch.float64), dim=0)
    centres = rotation_matrices(symmetry_group("icosahedral")) @ middle
    one_cell = ((direction @ centres.T).argmax(dim=1) == 0).double().numpy()
    index, share = draw(one_cell, 40, 3)
    assert uniformity(quaternion, weight, index, share).p_value < 1e-9
    assert uniformity(quaternion, weight, index, share, "icosahedral").p_value > 1e-3


@pytest.mark.parametrize("symmetry", ["none", "icosahedral"])
def test_harmonics_are_orthonormal_and_invariant(symmetry: str) -> None:
    height = np.polynomial.legendre.leggauss(40)
    angle = 2 * np.pi * np.arange(80) / 80
    z, phi = np.meshgrid(height[0], angle, indexing="ij")
    radius = np.sqrt(1 - z**2)
    direction = np.stack([z, radius * np.sin(phi), radius * np.cos(phi)], axis=-1).reshape(-1, 3)
    weight = np.repeat(height[1] / 2 / 80, 80)
    features = lowest_harmonics(direction, symmetry)
    np.testing.assert_allclose((features * weight[:, None]).T @ features, np.eye(features.shape[1]), atol=1e-12)
    np.testing.assert_allclose(weight @ features, 0, atol=1e-12)
    if symmetry == "icosahedral":
        turn = rotation_matrices(symmetry_group(symmetry)[21]).numpy()
        np.testing.assert_allclose(lowest_harmonics(direction @ turn.T, symmetry), features, atol=1e-9)


def test_parts_have_equal_weight(quaternion: NDArray[np.float64]) -> None:
    weight = np.random.default_rng(0).uniform(0.5, 1.5, SAMPLES)
    part = equal_parts(viewing_directions(torch.from_numpy(quaternion)).numpy(), weight, 12)
    share = np.bincount(part, weight) / weight.sum()
    assert len(share) == 12
    np.testing.assert_allclose(share, 1 / 12, rtol=0.02)


def test_parts_end_where_directions_do() -> None:
    direction = np.repeat(np.eye(3), 5, axis=0)
    part = equal_parts(direction, np.ones(15), 8)
    assert len(np.unique(part)) == 3
    assert (part.reshape(3, 5) == part.reshape(3, 5)[:, :1]).all()


def test_each_pattern_counts_once() -> None:
    index = np.array([[4, 2, -1], [-1, -1, -1], [0, 3, 1]])
    probability = np.array([[0.3, 0.1, 0.0], [0.0, 0.0, 0.0], [0.5, 0.0, 0.5]])
    rows = spread(index, probability)
    assert rows.patterns.tolist() == [0, 2]
    assert rows.index.tolist() == [4, 2, 0, 1]
    np.testing.assert_allclose(rows.share, [0.75, 0.25, 0.5, 0.5])


def test_too_few_patterns_and_one_direction_are_refused(quaternion: NDArray[np.float64]) -> None:
    weight = np.full(SAMPLES, 1 / SAMPLES)
    with pytest.raises(UserError, match="19 patterns have an orientation; 20 or more"):
        uniformity(quaternion, weight, *draw(weight, 19, 0))
    one = np.tile([1.0, 0, 0, 0], (50, 1))
    with pytest.raises(UserError, match="have the same direction"):
        uniformity(one, np.full(50, 0.02), *draw(np.ones(50), 40, 0))


def test_a_control_takes_a_shared_bias_away(quaternion: NDArray[np.float64]) -> None:
    """Patterns shun fivefold axes in this reconstruction, even or not; a belt is found all the same."""
    weight = np.full(SAMPLES, 1 / SAMPLES)
    first = lowest_harmonics(viewing_directions(torch.from_numpy(quaternion)).numpy(), "icosahedral")[:, 0]
    biased = np.exp(-0.4 * first)
    other = random_quaternions(SAMPLES, torch.Generator().manual_seed(5)).double().numpy()
    theirs = np.exp(-0.4 * lowest_harmonics(viewing_directions(torch.from_numpy(other)).numpy(), "icosahedral")[:, 0])
    p_values = []
    for seed in range(30):
        index, _ = draw(theirs, 400, 100 + seed)
        control = Control(other, np.bincount(index[:, 0], minlength=SAMPLES).astype(float))
        configured = quaternion, weight, *draw(biased, 300, seed), "icosahedral"
        p_values.append(uniformity(*configured, control).p_value)
        assert uniformity(*configured).p_value < 0.01
    assert np.mean(np.array(p_values) < 0.05) < 0.2
    axis = np.array([0.0, 1.0, (1 + np.sqrt(5)) / 2])
    height = viewing_directions(torch.from_numpy(quaternion)).numpy() @ (axis / np.linalg.norm(axis))
    belt = biased * (np.abs(height) < np.sin(np.radians(12)))
    assert uniformity(quaternion, weight, *draw(belt, 200, 1), "icosahedral", control).p_value < 0.01
    with pytest.raises(UserError, match="a control needs symmetry=icosahedral"):
        uniformity(quaternion, weight, *draw(belt, 200, 1), "none", control)
