"""Average of the runs that agree: clustering rejects failed runs, the others are aligned and averaged."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from torch import Tensor

from spi_lightning.errors import UserError

from .align import alignment

COMPARABLE = 2.0  # ratio to the least error up to which a run in a tighter support may be the better one
ATTEMPTS = 8  # runs tried as the reference of a group


@dataclass(frozen=True)
class Averaged:
    """Average of the runs of one pattern that agree.

    Attributes:
        density: (spatial) mean of the kept runs, aligned.
        aligned: (B, spatial) all runs, aligned to the best of those kept.
        kept: (B,) bool, True for the runs in the average.
        correlation: (B, B) overlap between the aligned runs.
    """

    density: Tensor
    aligned: Tensor
    kept: Tensor
    correlation: Tensor


def average(density: Tensor, error: Tensor, disagreement: float = 0.1, subpixel: bool = False) -> Averaged:
    """Align the runs of one pattern, reject those that failed, average the rest.

    Runs are joined (average linkage) while their mean overlap exceeds 1 - disagreement; kept is the group of the run
    with the least error, since a wrong answer may be found more often than the right one but fits less well. Where no
    other run agrees with it, the group of the best run that agrees with another is kept, if its error is at most twice
    the least: a run with a loose support fits better without being right.

    Args:
        density: (B, spatial) densities of the runs of one pattern.
        error: (B,) final errors, of which the least marks the reference.
        disagreement: Distance 1 - overlap below which two runs agree; a twin stagnation is beyond 0.2.
        subpixel: Align below a pixel; needed where the support moved.

    Raises:
        UserError: No run has a finite error.
    """
    if not bool(error.isfinite().any()):
        raise UserError("average: no run has a finite error")
    finite = error.isfinite()
    order = torch.where(finite, error, torch.inf).argsort()
    near = order[error[order] <= COMPARABLE * error[order[0]]][:ATTEMPTS].tolist()
    best = _around(near[0], density, finite, disagreement, subpixel)
    found = best
    while near[1:] and int(found.kept.sum()) == 1:
        near = near[1:]
        found = _around(near[0], density, finite, disagreement, subpixel)
    return found if int(found.kept.sum()) > 1 else best


def _around(best: int, density: Tensor, finite: Tensor, disagreement: float, subpixel: bool) -> Averaged:
    """Average over the group of one run, to which all runs are aligned."""
    aligned = alignment(density, density[best], subpixel).density
    flat = aligned.flatten(1)
    flat = flat / flat.norm(dim=1, keepdim=True).clamp_min(1e-30)
    correlation = (flat @ flat.conj().T).abs().clamp_max(1)
    groups = torch.from_numpy(_groups(1 - correlation.double().cpu().numpy(), disagreement)).to(finite.device)
    kept = (groups == groups[best]) & finite
    return Averaged(aligned[kept].mean(0), aligned, kept, correlation)


def _groups(distance: np.ndarray, cut: float) -> np.ndarray:
    """Index of the group of each run, distances (B, B) -> (B,) int."""
    if len(distance) == 1:
        return np.ones(1, dtype=np.int64)
    symmetric = np.clip((distance + distance.T) / 2, 0, None)
    np.fill_diagonal(symmetric, 0)
    labels: np.ndarray = fcluster(linkage(squareform(symmetric, checks=False), "average"), cut, "distance")
    return labels
