import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.sparse.csgraph import maximum_flow

from spi_lightning.baselines.graph import affinity, prior, region_force, symmetric_graph
from spi_lightning.baselines.graph_cut import Edges, energy, graph_cut, votes
from spi_lightning.baselines.neighbours import nearest
from spi_lightning.errors import UserError

_UNIT = 64  # weights and forces are multiples of 1 / 64, which scipy's whole-number capacities hold exactly


def random_graph(frames: int = 60, neighbours: int = 5, seed: int = 0) -> sp.csr_matrix:
    points = torch.randn(frames, 2, generator=torch.Generator().manual_seed(seed))
    index, distance = nearest(points, neighbours)
    return symmetric_graph(index, np.ceil(affinity(index, distance) * _UNIT) / _UNIT)


def random_force(frames: int = 60, seed: int = 0) -> np.ndarray:
    return np.round(np.random.default_rng(seed).normal(0, 2, frames) * _UNIT) / _UNIT


def least_energy(graph: sp.csr_matrix, force: np.ndarray, smoothness: float) -> float:
    """The minimum by scipy's maximum flow from a source, tied to frames of negative force, to a sink."""
    frames, edges = len(force), graph.tocoo()
    capacity = np.round(2 * smoothness * _UNIT * edges.data)
    pulled, pushed = np.flatnonzero(force < 0), np.flatnonzero(force > 0)
    flow = sp.csr_matrix(
        (
            np.concatenate([capacity, -_UNIT * force[pulled], _UNIT * force[pushed]]).astype(np.int32),
            (
                np.concatenate([edges.row, np.full(len(pulled), frames), pushed]),
                np.concatenate([edges.col, pulled, np.full(len(pushed), frames + 1)]),
            ),
        ),
        shape=(frames + 2, frames + 2),
    )
    return maximum_flow(flow, frames, frames + 1).flow_value / _UNIT + force[pulled].sum()


@pytest.mark.parametrize("both_ways", [False, True])
def test_divergence_is_minus_the_adjoint_of_the_gradient(both_ways: bool) -> None:
    edges = Edges(random_graph(), both_ways)
    labelling, flow = torch.rand(60, dtype=torch.float64), torch.randn(len(edges.weight), dtype=torch.float64)
    inside, outside = flow @ edges.gradient(labelling), edges.divergence(flow) @ labelling
    assert float(inside + outside) == pytest.approx(0, abs=1e-12 * float(inside.abs()) + 1e-12)


def test_gradient_of_a_small_graph_by_hand() -> None:
    graph = sp.csr_matrix(np.array([[0, 2.0, 0], [2.0, 0, 1.0], [0, 1.0, 0]]))
    labelling = torch.tensor([0.0, 1.0, 0.5], dtype=torch.float64)
    assert Edges(graph, both_ways=True).gradient(labelling).tolist() == [2.0, -2.0, -0.5, 0.5]
    assert Edges(graph).gradient(labelling).tolist() == [4.0, -1.0]
    assert energy(graph, np.array([1.0, -1, 0]), labelling.numpy(), smoothness=2.0) == 2 * (4 + 1) - 1


@pytest.mark.parametrize("step_sizes", ["diagonal", "uniform"])
@pytest.mark.parametrize("seed", range(4))
def test_the_cut_is_as_low_as_the_maximum_flow(seed: int, step_sizes) -> None:
    graph, force = random_graph(seed=seed), random_force(seed=seed)
    cut = graph_cut(graph, force, 0.5, step_sizes=step_sizes, tolerance=1e-9)
    sharp = np.where(cut.labelling > 0.5, 1.0, 0.0)
    least = least_energy(graph, force, 0.5)
    assert cut.converged and cut.note is None
    assert energy(graph, force, sharp, 0.5) == pytest.approx(least, rel=1e-6)
    assert cut.energy == pytest.approx(least, rel=1e-6)
    assert 0 <= sharp.mean() <= 1 and cut.gap == pytest.approx(0, abs=1e-6 * abs(least))


def test_both_kinds_of_steps_end_at_the_same_labels() -> None:
    graph, force = random_graph(200), random_force(200)
    one, other = (graph_cut(graph, force, 0.5, step_sizes=kind, tolerance=1e-8) for kind in ("diagonal", "uniform"))
    np.testing.assert_allclose(one.labelling, other.labelling, atol=1e-5)


def test_rows_leave_values_between_and_entries_do_not() -> None:
    graph, force = random_graph(120, seed=3), random_force(120, seed=3)
    entries, rows = (graph_cut(graph, force, 0.7, ball=ball, tolerance=1e-8) for ball in ("entries", "rows"))
    assert (np.minimum(entries.labelling, 1 - entries.labelling) < 1e-6).all()
    between = (rows.labelling > 0.01) & (rows.labelling < 0.99)
    assert between.any() and rows.gap == pytest.approx(0, abs=1e-4 * abs(rows.energy))
    assert energy(graph, force, rows.labelling, 0.7, "rows") < energy(graph, force, entries.labelling, 0.7, "rows")


def test_frames_in_another_order_get_the_same_labels() -> None:
    graph, force, order = random_graph(), random_force(), np.random.default_rng(1).permutation(60)
    cut = graph_cut(graph, force, 0.5, tolerance=1e-8)
    shuffled = graph_cut(graph[order][:, order], force[order], 0.5, tolerance=1e-8)
    np.testing.assert_allclose(shuffled.labelling, cut.labelling[order], atol=1e-6)


def test_known_frames_stay_where_they_are() -> None:
    graph, known = random_graph(), np.full(60, -1)
    known[[0, 1]] = 0, 1
    cut = graph_cut(graph, np.where(np.arange(60) == 0, -9.0, 9.0), 0.5, known)
    assert cut.labelling[0] == 0 and cut.labelling[1] == 1
    assert cut.gap == pytest.approx(0, abs=1e-6 * abs(cut.energy))


def test_a_part_that_nothing_pulls_keeps_one_half() -> None:
    graph = sp.block_diag([random_graph(), random_graph(30)]).tocsr()
    force = np.concatenate([random_force(), np.zeros(30)])
    np.testing.assert_array_equal(graph_cut(graph, force, 0.5).labelling[60:], 0.5)


def test_a_graph_without_edges_follows_its_forces() -> None:
    cut = graph_cut(sp.csr_matrix((3, 3)), np.array([-1.0, 2.0, 0.0]))
    np.testing.assert_allclose(cut.labelling, [1, 0, 0.5])


def test_running_out_of_iterations_is_noted() -> None:
    cut = graph_cut(random_graph(), random_force(), 0.5, max_iter=3)
    assert cut.iterations == 3 and not cut.converged
    assert "3 iterations" in str(cut.note) and cut.gap > 0


def test_votes_agree_with_the_cut_and_are_shares() -> None:
    graph, force = random_graph(), random_force().clip(-3, 3)
    cut = graph_cut(graph, force, 0.5, tolerance=1e-8)
    share = votes(graph, force, cut.labelling, 0.5)
    assert ((share >= 0) & (share <= 1)).all()
    assert ((share >= 0.5) == (cut.labelling > 0.5)).all()


@pytest.mark.parametrize(
    "options",
    [
        {"smoothness": 0},
        {"tolerance": -1},
        {"max_iter": 0},
        {"balance": 0},
        {"ball": "sphere"},
        {"step_sizes": "large"},
    ],
)
def test_options_out_of_range_are_named(options) -> None:
    with pytest.raises(UserError, match=next(iter(options))):
        graph_cut(random_graph(), random_force(), **options)


def test_forces_must_be_finite() -> None:
    with pytest.raises(UserError, match="not finite"):
        graph_cut(random_graph(), np.full(60, np.nan))


def test_weights_of_neighbours_and_of_duplicates() -> None:
    points = torch.tensor([[0.0], [1.0], [3.0], [0.0], [0.0], [0.0]])
    index, distance = nearest(points, 3)
    weight = affinity(index, distance)
    assert np.isfinite(weight).all() and ((weight >= 0) & (weight <= 1)).all()
    assert (weight[0] == 1).all()  # its three duplicates
    assert weight[2, 0] == pytest.approx(np.exp(-(2**2) / (3 * 1)))  # to 1.0, whose third neighbour is at distance 1
    assert (affinity(np.array([[1], [0]]), np.zeros((2, 1))) == 1).all()


def test_prior_is_the_squared_cosine_of_rows_and_one_half_out_of_reach() -> None:
    graph = sp.csr_matrix(np.kron(np.eye(2), np.array([[0, 0.5, 0], [0.5, 0, 0.25], [0, 0.25, 0]])))
    p, defined = prior(graph, [0], [2])
    tied = graph.toarray() + np.eye(6)
    square = tied @ tied
    d = square**2 / np.outer(np.diag(square), np.diag(square))
    np.testing.assert_allclose(p[:3], (d[:3, 0] / (d[:3, 0] + d[:3, 2])).clip(1e-3, 1 - 1e-3))
    np.testing.assert_array_equal(p[3:], 0.5)
    np.testing.assert_array_equal(defined, [True] * 3 + [False] * 3)


def test_prior_needs_both_classes_and_a_sensible_least() -> None:
    with pytest.raises(UserError, match="each class"):
        prior(random_graph(), [1], [])
    with pytest.raises(UserError, match="least"):
        prior(random_graph(), [1], [2], least=0.7)


def test_force_is_the_logarithm_of_odds() -> None:
    np.testing.assert_allclose(region_force(np.array([0.5, 0.2])), [0, np.log(4)])
