"""Nearest neighbours of vectors: exact in blocks of one matrix product, or approximate through an index of cells."""

from typing import Any, Literal

import faiss
import torch
from torch import Tensor

from spi_lightning.errors import UserError

from .vectors import masked_correlation

_COMPONENTS = 64
_PROBES = 128


class Cells:
    """Index that finds most neighbours of each query, with exact distances.

    Vectors are projected on 64 principal components (beyond them, patterns hold little but photon noise) and divided by
    k-means into 4 sqrt(N) cells. A query visits the 128 nearest cells, keeps k + max(200, k) vectors by projected
    distance and orders them by the distance of the whole vectors. Seeds are fixed. On 60,000 simulated patterns of
    64 x 64, 0.99 of the 100 nearest are found. Source: Jegou et al. (2011), doi:10.1109/TPAMI.2010.57, Sect. IV.

    Args:
        points: (N, d) float32 vectors on the CPU, of which the index keeps a copy.
    """

    def __init__(self, points: Tensor) -> None:
        count, width = points.shape
        cells = max(1, min(int(4 * count**0.5), count // 39))  # with fewer than 39 for a cell, faiss warns
        components = min(_COMPONENTS, width, count)
        faiss.omp_set_num_threads(torch.get_num_threads())
        self.index: Any = faiss.index_factory(width, f"PCA{components},IVF{cells},Flat,RFlat")
        inverted = faiss.extract_index_ivf(self.index)
        inverted.cp.niter, inverted.cp.max_points_per_centroid = 10, 64
        self.index.train(points.numpy())
        self.index.add(points.numpy())
        inverted.nprobe = min(cells, _PROBES)

    def search(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Index and squared distance (n, k) of queries (n, d), unordered; -1 where the cells hold too few."""
        self.index.k_factor = 1 + max(200, k) / k
        squared, found = self.index.search(queries.numpy(), k)
        return torch.from_numpy(found), torch.from_numpy(squared)


Metric = Literal["euclidean", "correlation", "masked_correlation"]
APPROXIMATE_ABOVE = 50_000

_SLACK = 8  # more candidates than needed, because rounding reorders near-ties
_COLUMNS = 16_384  # vectors compared with one block of rows at once
_MASKED_COLUMNS = 2_048
_ROUNDING = 1e-6  # of a masked correlation; closer frames are duplicates
_CANCELLED = 0.1  # squared distances below this share of the squared lengths are taken again from differences


def nearest(
    vectors: Tensor,
    k: int,
    metric: Metric = "euclidean",
    approximate: bool | None = None,
    device: torch.device | str = "cpu",
    block: int = 2048,
) -> tuple[Tensor, Tensor]:
    """K nearest neighbours of every vector among the others.

    Args:
        vectors: (N, d) float32 vectors.
        k: Number of neighbours of each vector, which exclude itself but not its duplicates.
        metric: Distance, ``euclidean``, or ``correlation``: 1 - Pearson's r over the d entries, from 0 to 2, or
            ``masked_correlation``: the same over the entries that both vectors have, the others being NaN.
        approximate: Whether to search an inverted-file index (see ``Cells``) instead of all pairs; None: above 50,000
            vectors. Distances are exact either way; some neighbours are missed. Never used for ``masked_correlation``,
            which is not a metric.
        device: Device of exact distances; the index is on the CPU.
        block: Number of vectors compared with all others at once, at about 100 kB of memory each.

    Returns:
        Index (N, k) int64 and distance (N, k) float32, ascending, both on the CPU; equal distances in the order of
        the index. The result is deterministic.

    Raises:
        UserError: k is not below N, a vector is not finite, or one is constant (all masked) under a correlation.
    """
    if vectors.ndim == 2 and not 0 < k < len(vectors):
        raise UserError(f"{k} neighbours of {len(vectors)} frames: neighbours must be from 1 to {len(vectors) - 1}")
    points = _prepare(vectors, metric, shift=None)
    return _search(points, points, k, metric, approximate, device, block, exclude_self=True)


def nearest_to(
    queries: Tensor,
    vectors: Tensor,
    k: int,
    metric: Metric = "euclidean",
    approximate: bool | None = None,
    device: torch.device | str = "cpu",
    block: int = 2048,
) -> tuple[Tensor, Tensor]:
    """K vectors nearest to each query, an equal one included.

    Args:
        queries: (M, d) float32 vectors of the queries.
        vectors: (N, d) float32 vectors of the candidates.
        k: Number of neighbours of each query, up to N.
        metric, approximate, device, block: Options of the search, as in ``nearest``.

    Returns:
        Index into ``vectors`` (M, k) int64 and distance (M, k) float32, ascending.

    Raises:
        UserError: As ``nearest``, or the queries have another length.
    """
    if queries.ndim != 2 or vectors.ndim != 2 or queries.shape[1] != vectors.shape[1]:
        raise UserError(
            f"the new frames give vectors of shape {tuple(queries.shape)}, the known ones {tuple(vectors.shape)}: "
            "use the same vectors for both"
        )
    if not 0 < k <= len(vectors):
        raise UserError(f"{k} neighbours of {len(vectors)} frames: neighbours must be from 1 to {len(vectors)}")
    shift = vectors.mean(dim=0) if metric == "euclidean" else None
    points, prepared = _prepare(vectors, metric, shift), _prepare(queries, metric, shift)
    return _search(prepared, points, k, metric, approximate, device, block, exclude_self=False)


def _prepare(vectors: Tensor, metric: Metric, shift: Tensor | None) -> Tensor:
    """Vectors whose squared Euclidean distances rank: centred together, or each to mean 0 and length 1."""
    if metric not in ("euclidean", "correlation", "masked_correlation"):
        raise UserError(f"metric={metric} is not known: use euclidean, correlation or masked_correlation")
    if vectors.ndim != 2:
        raise UserError(f"neighbours need vectors (N, d), not {tuple(vectors.shape)}")
    vectors, masked = vectors.float(), metric == "masked_correlation"
    bad = ~torch.isfinite(vectors.nansum(dim=1) if masked else vectors.sum(dim=1))
    if bad.any():
        raise UserError(f"{_some(bad)} not finite: leave those frames out with data.keys.index, or repair the file")
    if metric == "euclidean":
        return vectors - (vectors.mean(dim=0) if shift is None else shift)
    centred = vectors - (vectors.nanmean(dim=1, keepdim=True) if masked else vectors.mean(dim=1, keepdim=True))
    known, spread = (vectors.nan_to_num(0.0), centred.nan_to_num(0.0)) if masked else (vectors, centred)
    largest = torch.maximum(known.amax(dim=1, keepdim=True), -known.amin(dim=1, keepdim=True))
    length = spread.norm(dim=1, keepdim=True)
    constant = (length <= 1e-6 * largest * vectors.shape[1] ** 0.5).squeeze(1)
    if constant.any():
        raise UserError(
            f"{_some(constant)} constant (all masked, or empty), so that no correlation exists: leave those frames out "
            "with data.keys.index"
        )
    return centred.div_(length)


def _some(found: Tensor) -> str:
    frames = found.nonzero().flatten().tolist()
    named = ", ".join(map(str, frames[:5])) + (", ..." if len(frames) > 5 else "")
    return f"{len(frames)} of {len(found)} vectors ({named}) are"


def _search(
    queries: Tensor,
    points: Tensor,
    k: int,
    metric: Metric,
    approximate: bool | None,
    device: torch.device | str,
    block: int,
    exclude_self: bool,
) -> tuple[Tensor, Tensor]:
    """K best neighbours (M, k) of queries (M, d), block by block: index and distance."""
    masked = metric == "masked_correlation"
    approximate = len(points) > APPROXIMATE_ABOVE if approximate is None else approximate
    wanted = min(k + _SLACK + exclude_self, len(points))
    index = torch.empty(len(queries), k, dtype=torch.int64)
    distance = torch.empty(len(queries), k)
    cells = Cells(points) if approximate and not masked else None
    points = points.to(device)
    for start in range(0, len(queries), block):
        rows = slice(start, min(start + block, len(queries)))
        block_queries = queries[rows].to(device)
        if cells is None:
            found, squared = _candidates(block_queries, points, wanted, masked)
        else:
            found, squared = _search_cells(cells, queries[rows], points, wanted)
        if exclude_self:
            own = torch.arange(rows.start, rows.stop, device=found.device)[:, None]
            squared = squared.masked_fill(found == own, torch.inf)
        found, squared = _sort(found, squared)
        index[rows], distance[rows] = found[:, :k].cpu(), squared[:, :k].cpu()
    return index, distance.sqrt_() if metric == "euclidean" else distance.div_(2)


def _search_cells(cells: Cells, queries: Tensor, points: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Candidates (n, k) from the cells; a query whose cells hold too few is compared with all points."""
    found, squared = (each.to(points.device) for each in cells.search(queries, k))
    short = (found < 0).any(dim=1)
    if short.any():
        found[short], squared[short] = _candidates(queries.to(points.device)[short], points, k)
    return found, squared


def _candidates(queries: Tensor, points: Tensor, k: int, masked: bool = False) -> tuple[Tensor, Tensor]:
    """The k nearest of all points: index and squared distance (n, k)."""
    parts: list[tuple[Tensor, Tensor]] = []
    columns = _MASKED_COLUMNS if masked else _COLUMNS
    length = (queries**2).sum(1, keepdim=True)
    for start in range(0, len(points), columns):
        part = points[start : start + columns]
        squared = _masked_squared(queries, part) if masked else _squared(queries, part, length)
        value, column = squared.topk(min(k, len(part)), dim=1, largest=False, sorted=False)
        parts.append((column + start, value))
        if len(parts) > 1:
            parts = [_best(torch.cat([p[0] for p in parts], 1), torch.cat([p[1] for p in parts], 1), k)]
    found, squared = parts[0]
    return found, squared if masked else _retake_cancelled(queries, points, found, squared)


def _squared(queries: Tensor, points: Tensor, length: Tensor) -> Tensor:
    """|x|^2 + |y|^2 - 2 x.y, (n, m); the length |x|^2 is (n, 1)."""
    return torch.addmm((points**2).sum(1), queries, points.T, alpha=-2).add_(length).clamp_min_(0)


def _masked_squared(queries: Tensor, points: Tensor) -> Tensor:
    """Twice 1 - r, as between vectors of length 1, (n, m)."""
    apart = 1 - masked_correlation(queries, points)
    return torch.where(apart < _ROUNDING, 0.0, 2 * apart)


def _best(found: Tensor, squared: Tensor, k: int) -> tuple[Tensor, Tensor]:
    value, column = squared.topk(min(k, squared.shape[1]), dim=1, largest=False, sorted=False)
    return found.gather(1, column), value


def _retake_cancelled(queries: Tensor, points: Tensor, found: Tensor, squared: Tensor) -> Tensor:
    """Recompute small squared distances (n, k) from differences, against cancellation: duplicates are at 0."""
    scale = (queries**2).sum(1, keepdim=True)
    rows, columns = (squared < _CANCELLED * scale.clamp_min(1e-30)).nonzero(as_tuple=True)
    for start in range(0, len(rows), 65_536):
        row, column = rows[start : start + 65_536], columns[start : start + 65_536]
        squared[row, column] = (queries[row] - points[found[row, column]]).pow_(2).sum(1)
    return squared


def _sort(found: Tensor, squared: Tensor) -> tuple[Tensor, Tensor]:
    """Sort (n, k) by ascending distance, equal ones by index."""
    found, order = found.sort(dim=1)
    squared, rank = squared.gather(1, order).sort(dim=1, stable=True)
    return found.gather(1, rank), squared
