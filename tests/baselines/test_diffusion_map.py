"""Eigenvalues and coordinates against the Laplacian of a circle, a torus and a swiss roll; graphs that fall apart."""

import numpy as np
import pytest
import torch

from spi_lightning.baselines.diffusion_map import DiffusionEmbedding, auto_bandwidth, diffusion_map, extend
from spi_lightning.baselines.graph import components, describe_components, symmetric_graph
from spi_lightning.baselines.neighbours import nearest, nearest_to
from spi_lightning.errors import UserError


def embed(points: np.ndarray, k: int, coordinates: int, **options) -> DiffusionEmbedding:
    index, distance = nearest(torch.from_numpy(points).float(), k)
    return diffusion_map(index, distance.double() ** 2, coordinates, **options)


def rates(embedding: DiffusionEmbedding) -> np.ndarray:
    """Eigenvalues of the Laplacian, in units of the lowest."""
    decay = -np.log(embedding.eigenvalue[0])
    return decay / decay[0]


def circle(angle: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def even(count: int) -> np.ndarray:
    return np.arange(count) * 2 * np.pi / count


def uneven(count: int) -> np.ndarray:
    """Angles at equal steps of a distribution three times denser at 0 than at pi."""
    angle = np.linspace(0, 2 * np.pi, 100_001)
    return np.interp(even(count) / 2 / np.pi, (angle + 0.5 * np.sin(angle)) / 2 / np.pi, angle)


@pytest.mark.parametrize("tau", [0.02, "auto"])
@pytest.mark.parametrize("self_weight", [True, False])
def test_circle(tau, self_weight) -> None:
    embedding = embed(circle(even(1000)), 120, 6, tau=tau, self_weight=self_weight)
    np.testing.assert_allclose(rates(embedding), [1, 1, 4, 4, 9, 9], rtol=0.01)
    angle = np.arctan2(embedding.coordinates[:, 0], embedding.coordinates[:, 1])
    step = np.diff(np.unwrap(angle))
    np.testing.assert_allclose(np.abs(step), 2 * np.pi / 1000, rtol=1e-3)  # the two slowest modes go round once
    np.testing.assert_allclose((embedding.coordinates**2).mean(0), 1, rtol=1e-6)


def test_the_kernel_is_the_heat_kernel() -> None:
    embedding = embed(circle(even(1000)), 200, 2, tau=0.02, self_weight=True)
    np.testing.assert_allclose(-np.log(embedding.eigenvalue[0]), 0.02 / 4, rtol=0.02)  # exp(-d^2 / 4 t) decays by t q^2


def test_alpha_one_does_not_see_how_densely_the_circle_was_sampled() -> None:
    points = circle(uneven(2000))
    np.testing.assert_allclose(rates(embed(points, 150, 6, tau=0.01, alpha=1)), [1, 1, 4, 4, 9, 9], rtol=0.02)
    found = rates(embed(points, 150, 6, tau=0.01, alpha=0))
    assert abs(found[1] - 1) > 0.3


def test_flat_torus() -> None:
    first, second = (each.ravel() for each in np.meshgrid(even(60), even(36), indexing="ij"))
    points = np.concatenate([circle(first), 0.6 * circle(second)], axis=1)
    expected = sorted(m**2 + (n / 0.6) ** 2 for m in range(-3, 4) for n in range(-3, 4))[1:9]
    np.testing.assert_allclose(rates(embed(points, 100, 8, tau=0.03)), expected, rtol=0.02)


def test_swiss_roll_is_a_rectangle_rolled_up() -> None:
    turn = np.linspace(1.5 * np.pi, 3.5 * np.pi, 10_001)
    arc = np.concatenate([[0], np.cumsum(np.sqrt(1 + turn[1:] ** 2) * np.diff(turn))])
    length, width = arc[-1], 0.6 * arc[-1]
    along, across = (np.arange(n) + 0.5 for n in (120, 72))
    along, across = (each.ravel() for each in np.meshgrid(along * length / 120, across * width / 72, indexing="ij"))
    angle = np.interp(along, arc, turn)
    points = np.stack([angle * np.cos(angle), across, angle * np.sin(angle)], axis=1)
    modes = [(m, n) for m in range(5) for n in range(5)]
    expected = sorted(m**2 + (n * length / width) ** 2 for m, n in modes)[1:7]
    embedding = embed(points, 60, 6, tau=2.0, alpha=1)
    np.testing.assert_allclose(rates(embedding), expected, rtol=0.04)
    assert abs(np.corrcoef(embedding.coordinates[:, 0], np.cos(np.pi * along / length))[0, 1]) > 0.999


def test_coordinates_are_those_of_the_dense_walk() -> None:
    points = np.random.default_rng(0).normal(size=(300, 5))
    index, distance = nearest(torch.from_numpy(points).float(), 30)
    embedding = diffusion_map(index, distance, 3, tau=0.7, alpha=0.5)
    kernel = symmetric_graph(index, np.exp(-distance.double().numpy() / 0.7)).toarray()
    kernel /= np.sqrt(np.outer(kernel.sum(1), kernel.sum(1)))
    walk = kernel / kernel.sum(1, keepdims=True)
    moved = walk @ embedding.coordinates
    np.testing.assert_allclose(moved, embedding.coordinates * embedding.eigenvalue[0], atol=1e-8)
    stationary = kernel.sum(1) / kernel.sum()
    np.testing.assert_allclose(stationary @ embedding.coordinates, 0, atol=1e-8)
    np.testing.assert_allclose(stationary @ embedding.coordinates**2, 1)


def test_signs_and_time() -> None:
    points = np.random.default_rng(0).normal(size=(300, 5))
    still, later = (embed(points, 20, 4, time=time) for time in (0, 3))
    leader = np.abs(still.coordinates).argmax(axis=0)
    assert (still.coordinates[leader, range(4)] > 0).all()
    np.testing.assert_allclose(later.coordinates, still.coordinates * still.eigenvalue[0] ** 3)
    assert np.array_equal(embed(points, 20, 4).coordinates, still.coordinates)


def test_each_part_of_a_disconnected_graph_has_its_own_map() -> None:
    points = np.concatenate([circle(even(200)), circle(even(400)) + 50, np.full((3, 2), -90) + np.eye(3, 2)])
    index, distance = nearest(torch.from_numpy(points).float(), 2)
    embedding = diffusion_map(index, distance.double() ** 2, 4, tau=0.1)
    assert embedding.size.tolist() == [400, 200, 3]
    assert embedding.part.tolist() == [1] * 200 + [0] * 400 + [2] * 3
    assert np.isfinite(embedding.coordinates).all()
    for part in (0, 1):
        np.testing.assert_allclose((embedding.coordinates[embedding.part == part] ** 2).mean(0), 1, rtol=1e-6)
    assert embedding.eigenvalue[2, 2:].tolist() == [0, 0]  # three frames have two modes
    assert describe_components(embedding.size) == "3 unconnected parts of 400, 200 and 3 frames"


def test_duplicates_share_their_coordinates() -> None:
    points = np.repeat(np.random.default_rng(1).normal(size=(60, 3)), 2, axis=0)
    embedding = embed(points, 119, 3)
    assert np.isfinite(embedding.coordinates).all()
    np.testing.assert_allclose(embedding.coordinates[::2], embedding.coordinates[1::2], atol=1e-6)


def test_frames_that_are_all_the_same_give_numbers() -> None:
    embedding = embed(np.ones((50, 3)), 5, 2)
    assert embedding.tau == 1
    assert np.isfinite(embedding.coordinates).all()


def test_a_frame_far_from_all_others_stays_tied() -> None:
    points = np.concatenate([circle(even(200)), [[1e4, 0]]])
    embedding = embed(points, 10, 3, tau=0.01)
    assert len(embedding.size) == 1
    assert np.isfinite(embedding.coordinates).all()


@pytest.mark.parametrize("alpha", [0, 1])
def test_new_frames_get_their_coordinates(alpha) -> None:
    known, new = even(1000), even(77) + 0.001
    points = torch.from_numpy(circle(known)).float()
    index, distance = nearest(points, 120)
    embedding = diffusion_map(index, distance.double() ** 2, 4, alpha=alpha, tau=0.01)
    index, distance = nearest_to(torch.from_numpy(circle(new)).float(), points, 120)
    position, part = extend(embedding, index, distance.double() ** 2)
    expected = np.stack([np.interp(new, known, each) for each in embedding.coordinates.T], axis=1)
    np.testing.assert_allclose(position, expected, atol=0.02)
    assert (part == 0).all()


def test_known_frames_extended_give_their_own_coordinates() -> None:
    points = np.random.default_rng(0).normal(size=(100, 3))
    vectors = torch.from_numpy(points).float()
    index, distance = nearest(vectors, 99)
    embedding = diffusion_map(index, distance, 5, tau=0.5, alpha=1, self_weight=True)
    position, _ = extend(embedding, *nearest_to(vectors, vectors, 100))
    np.testing.assert_allclose(position, embedding.coordinates, atol=1e-5)


def test_extension_goes_to_the_part_where_the_neighbours_are() -> None:
    points = np.concatenate([circle(even(300)), circle(even(200)) + 50])
    vectors = torch.from_numpy(points).float()
    index, distance = nearest(vectors, 5)
    embedding = diffusion_map(index, distance, 2, tau=0.1)
    _, part = extend(embedding, *nearest_to(torch.tensor([[0.9, 0.0], [51.0, 50.1]]), vectors, 5))
    assert part.tolist() == [0, 1]


def test_automatic_bandwidth_scales_with_the_distances() -> None:
    distance = np.random.default_rng(0).uniform(0.5, 2, size=(400, 30))
    assert auto_bandwidth(7 * distance) == pytest.approx(7 * auto_bandwidth(distance))
    trial = np.geomspace(0.01, 10, 400)
    growth = np.log([400 + np.exp(-distance / tau).sum() for tau in trial])
    steepest = trial[np.gradient(growth, np.log(trial)).argmax()]
    assert auto_bandwidth(distance) == pytest.approx(steepest, rel=0.1)


def test_symmetric_graph_takes_the_larger_or_the_mean() -> None:
    index, weight = [[1], [2], [1]], [[0.5], [0.2], [0.8]]
    larger = [[0, 0.5, 0], [0.5, 0, 0.8], [0, 0.8, 0]]
    mean = [[0, 0.25, 0], [0.25, 0, 0.5], [0, 0.5, 0]]
    np.testing.assert_allclose(symmetric_graph(index, weight).toarray(), larger)
    np.testing.assert_allclose(symmetric_graph(index, weight, "mean").toarray(), mean)
    label, size = components(symmetric_graph([[1], [0], [3], [4], [3]], np.ones((5, 1))))
    assert label.tolist() == [1, 1, 0, 0, 0] and size.tolist() == [3, 2]


@pytest.mark.parametrize(
    ("options", "words"),
    [({"tau": 0}, "tau=0"), ({"tau": "wide"}, "tau=wide"), ({"alpha": 2}, "alpha=2"), ({"coordinates": 0}, "coordina")],
)
def test_options_out_of_range_are_named(options, words) -> None:
    index, distance = nearest(torch.randn(20, 3), 4)
    with pytest.raises(UserError, match=words):
        diffusion_map(index, distance, **{"coordinates": 2, **options})


def test_distances_must_be_numbers() -> None:
    index, distance = nearest(torch.randn(20, 3), 4)
    with pytest.raises(UserError, match="not finite"):
        diffusion_map(index, distance * torch.nan)
