"""Nearest neighbours against all pairs in double precision, ties, and what cannot be answered."""

import pytest
import torch

from spi_lightning.baselines.neighbours import nearest, nearest_to
from spi_lightning.errors import UserError


def cloud(count: int = 600, width: int = 12, seed: int = 0) -> torch.Tensor:
    """Points near a curved surface, as patterns are: an index of cells makes sense of them."""
    random = torch.Generator().manual_seed(seed)
    position = torch.rand(count, 2, generator=random) * 6
    waves = torch.randn(2, width, generator=random)
    return torch.sin(position @ waves) + 0.02 * torch.randn(count, width, generator=random)


def all_distances(first: torch.Tensor, second: torch.Tensor, metric: str) -> torch.Tensor:
    first, second = first.double(), second.double()
    if metric == "euclidean":
        return torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist")
    return 1 - torch.corrcoef(torch.cat([first, second]))[: len(first), len(first) :]


@pytest.mark.parametrize("metric", ["euclidean", "correlation"])
@pytest.mark.parametrize("block", [64, 2048])
def test_exact_neighbours_are_those_of_all_pairs(metric, block) -> None:
    vectors = cloud() + 100  # far from the origin, where products cancel
    index, distance = nearest(vectors, 9, metric, block=block)
    expected, order = all_distances(vectors, vectors, metric).fill_diagonal_(torch.inf).topk(9, largest=False)
    assert index.dtype == torch.int64 and distance.dtype == torch.float32
    torch.testing.assert_close(distance.double(), expected, rtol=2e-4, atol=1e-6)
    assert (index == order).float().mean() > 0.99  # near-ties may swap
    assert (index != torch.arange(600)[:, None]).all()


def test_blocks_of_columns_make_no_difference(monkeypatch) -> None:
    vectors = cloud()
    whole = nearest(vectors, 9)
    monkeypatch.setattr("spi_lightning.baselines.neighbours._COLUMNS", 50)
    parts = nearest(vectors, 9)
    torch.testing.assert_close(parts[1], whole[1])
    assert (parts[0] == whole[0]).float().mean() > 0.99


@pytest.mark.parametrize("metric", ["euclidean", "correlation", "masked_correlation"])
def test_duplicates_lie_at_zero_in_the_order_of_their_frames(metric) -> None:
    vectors = cloud() * 50
    vectors[[7, 300, 20, 411]] = vectors[3].clone()
    index, distance = nearest(vectors, 6, metric)
    assert index[20, :4].tolist() == [3, 7, 300, 411]
    assert distance[20, :4].tolist() == [0, 0, 0, 0]
    assert distance[20, 4] > 0


def test_correlation_ignores_scale_and_offset() -> None:
    vectors = cloud()
    changed = vectors * torch.rand(600, 1).add(0.5) + torch.randn(600, 1)
    torch.testing.assert_close(nearest(changed, 5, "correlation")[1], nearest(vectors, 5, "correlation")[1])


@pytest.mark.parametrize("approximate", [False, True])
def test_queries_find_themselves_and_their_neighbours(approximate) -> None:
    vectors, queries = cloud(2000), torch.cat([cloud(2000)[:50], cloud(50, seed=0) + 0.01])
    index, distance = nearest_to(queries, vectors, 4, approximate=approximate)
    assert index[:50, 0].tolist() == list(range(50))
    assert distance[:50, 0].tolist() == [0] * 50
    expected = all_distances(queries, vectors, "euclidean").sort(dim=1).values[:, :4]
    assert (distance - expected).abs().lt(1e-4).float().mean() > (0.95 if approximate else 0.9999)


@pytest.mark.parametrize("metric", ["euclidean", "correlation"])
def test_the_index_finds_most_neighbours_at_their_exact_distance_and_always_the_same(metric) -> None:
    vectors = cloud(1500)
    exact = nearest(vectors, 10, metric)[0]
    index, distance = nearest(vectors, 10, metric, approximate=True)
    recall = (index[:, :, None] == exact[:, None, :]).any(2).float().mean()
    assert recall > 0.95
    pairs = all_distances(vectors, vectors, metric).gather(1, index)
    torch.testing.assert_close(distance.double(), pairs, rtol=2e-4, atol=1e-6)
    again = nearest(vectors, 10, metric, approximate=True)
    assert torch.equal(again[0], index) and torch.equal(again[1], distance)
    assert (index != torch.arange(1500)[:, None]).all()


def test_a_query_whose_cells_hold_too_few_is_answered_all_the_same() -> None:
    vectors = cloud(1000)
    index, distance = nearest(vectors, 990, approximate=True)
    assert (index.sort(dim=1).values.diff(dim=1) > 0).all()
    assert torch.isfinite(distance).all()


def test_pairwise_masks_leave_out_what_either_lacks() -> None:
    vectors = cloud(80, 40)
    vectors[torch.rand(80, 40, generator=torch.Generator().manual_seed(1)) < 0.3] = torch.nan
    index, distance = nearest(vectors, 3, "masked_correlation")
    frame, other = 11, int(index[11, 0])
    both = ~vectors[frame].isnan() & ~vectors[other].isnan()
    by_hand = 1 - torch.corrcoef(torch.stack([vectors[frame, both], vectors[other, both]]).double())[0, 1]
    assert float(distance[frame, 0]) == pytest.approx(float(by_hand), abs=1e-5)


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (None, {"k": 600}, "from 1 to 599"),
        (None, {"k": 0}, "from 1 to 599"),
        (float("nan"), {"k": 3}, "1 of 600 vectors (17) are not finite"),
        (float("inf"), {"k": 3, "metric": "masked_correlation"}, "not finite"),
        (4.0, {"k": 3, "metric": "correlation"}, "1 of 600 vectors (17) are constant"),
        (float("nan"), {"k": 3, "metric": "masked_correlation"}, "constant"),
        (None, {"k": 3, "metric": "cosine"}, "metric=cosine"),
    ],
)
def test_vectors_without_neighbours_are_refused_in_a_line(change, options, words) -> None:
    vectors = cloud()
    if change is not None:
        vectors[17] = change
    with pytest.raises(UserError) as caught:
        nearest(vectors, **options)
    assert words in str(caught.value)


def test_queries_need_as_many_entries() -> None:
    with pytest.raises(UserError, match="use the same vectors for both"):
        nearest_to(cloud(5, 11), cloud(), 3)
    with pytest.raises(UserError, match="from 1 to 600"):
        nearest_to(cloud(5), cloud(), 601)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_gpu_agrees() -> None:
    on_cpu, on_gpu = nearest(cloud(), 9), nearest(cloud(), 9, device="cuda")
    torch.testing.assert_close(on_gpu[1], on_cpu[1], rtol=1e-4, atol=1e-5)
