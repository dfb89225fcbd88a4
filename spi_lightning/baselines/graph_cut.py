"""Graph cut: bipartition of a graph of similar patterns of least cut weight, with known frames held fixed."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from spi_lightning.errors import UserError

from .graph import Graph

Floats = NDArray[np.float64]
Ball = Literal["entries", "rows"]
StepSizes = Literal["diagonal", "uniform"]

_CHECK_EVERY = 10  # iterations between checks of the change, which make a GPU wait


class Edges:
    """Gradient on the edges of a graph and its adjoint, the divergence.

    (grad phi)_ij = w_ij (phi_j - phi_i) and (div q)_i = sum_j w_ij q_ij - w_ji q_ji, so that <q, grad phi> =
    -<div q, phi>. Source: Shi et al. (2019), S2.

    Args:
        graph: (N, N) symmetric weights of the edges.
        both_ways: Whether to keep both directions of an edge; else one edge of twice the weight has the same energy at
            half the cost, as |phi_j - phi_i| is symmetric.
        scale: Factor of every weight.
        device: Device of all tensors.
    """

    def __init__(
        self, graph: Graph, both_ways: bool = False, scale: float = 1.0, device: torch.device | str = "cpu"
    ) -> None:
        kept = (graph if both_ways else 2 * scipy.sparse.triu(graph, 1)).tocoo()
        self.frames = graph.shape[0]
        self.start, self.end = (torch.from_numpy(each.astype(np.int64)).to(device) for each in (kept.row, kept.col))
        self.weight = torch.from_numpy(scale * kept.data).to(device)

    def gradient(self, labelling: Tensor) -> Tensor:
        """Weighted differences along edges, (N,) -> (E,)."""
        return (labelling.index_select(0, self.end).sub_(labelling.index_select(0, self.start))).mul_(self.weight)

    def divergence(self, flow: Tensor) -> Tensor:
        """Net weighted flow out of each frame, (E,) -> (N,)."""
        weighted = flow * self.weight
        return self.sum_at_start(weighted).scatter_add_(0, self.end, weighted.neg_())

    def sum_at_start(self, values: Tensor) -> Tensor:
        """Sum over the edges that start at each frame, (E,) -> (N,)."""
        return values.new_zeros(self.frames).scatter_add_(0, self.start, values)

    def sum_at_both(self, values: Tensor) -> Tensor:
        """Sum over the edges that start or end at each frame, (E,) -> (N,)."""
        return self.sum_at_start(values).scatter_add_(0, self.end, values)

    def project(self, flow: Tensor, ball: Ball) -> Tensor:
        """Project a flow (E,) to |q_ij| <= 1 (``entries``) or |q_i| <= 1 for every row (``rows``), in place."""
        if ball == "entries":
            return flow.clamp_(-1, 1)
        length = self.sum_at_start(flow.square()).sqrt_().clamp_min_(1)
        return flow.div_(length.index_select(0, self.start))


@dataclass(frozen=True)
class Cut:
    """Result of a graph cut.

    Attributes:
        labelling: (N,) phi in [0, 1]; 1: with the known single hits; 1/2 where undetermined.
        energy: Energy of the labelling.
        gap: Energy less a lower bound of all energies; 0 proves the minimum.
        iterations: Number of iterations made.
        change: Largest change of phi in the last iteration.
        converged: Whether the change fell below the tolerance before the limit of iterations.
    """

    labelling: Floats
    energy: float
    gap: float
    iterations: int
    change: float
    converged: bool

    @property
    def note(self) -> str | None:
        """Note if the limit of iterations was reached, else None."""
        if self.converged:
            return None
        return (
            f"the cut still changed by {self.change:.1g} after {self.iterations:,} iterations, when max_iter= stopped "
            f"it; its energy is at most {self.gap:.3g} above the minimum of {self.energy - self.gap:.6g} or more"
        )


@dataclass(frozen=True)
class _Task:
    """Minimisation problem of phi (N,) from ``least`` to ``most`` (N,) under forces ``pull`` (N,)."""

    edges: Edges
    pull: Tensor
    least: Tensor
    most: Tensor
    ball: Ball

    def energy(self, phi: Tensor) -> float:
        """Energy of phi (N,): forces plus the weight of cut edges; for ``rows``, plus the sum of row lengths."""
        gradient = self.edges.gradient(phi)
        if self.ball == "entries":
            return float(self.pull @ phi + gradient.abs().sum())
        return float(self.pull @ phi + self.edges.sum_at_start(gradient.square()).sqrt().sum())

    def gap(self, phi: Tensor, flow: Tensor) -> float:
        """Duality gap: energy less the lower bound by a flow (E,), the minimum over phi of <r - div q, phi>."""
        slope = self.pull - self.edges.divergence(flow)
        return self.energy(phi) - float(torch.minimum(slope * self.least, slope * self.most).sum())


def graph_cut(
    graph: Graph,
    force: ArrayLike,
    smoothness: float = 1.0,
    known: ArrayLike | None = None,
    ball: Ball = "entries",
    step_sizes: StepSizes = "diagonal",
    balance: float = 5.0,
    tolerance: float = 1e-4,
    max_iter: int = 20_000,
    device: torch.device | str = "cpu",
) -> Cut:
    """Graph cut: minimise sum_i r_i phi_i + smoothness * sum_ij w_ij |phi_j - phi_i| over phi in [0, 1]^N.

    Primal-dual steps: q <- P(q + sigma grad phi'); phi+ <- clip(phi + tau (div q - r), 0, 1); phi' <- 2 phi+ - phi,
    until phi converges: one gradient, one divergence and two projections an iteration.

    Args:
        graph: (N, N) symmetric weights, float32 or float64, which is also the type of the computation.
        force: (N,) forces r, see ``region_force``.
        smoothness: Weight of cut edges, each counted in both directions.
        known: (N,) 1 or 0 where phi is fixed, -1 where it is free; None: all free.
        ball: Set of the projection P: ``entries``, |q_ij| <= 1, gives the cut itself, phi in {0, 1} where it is unique;
            ``rows``, |q_i| <= 1, gives isotropic total variation, with values between. The text of Shi et
            al. (2019) allows both.
        step_sizes: ``uniform``: tau sigma L^2 = 1 with the bound L^2 <= 4 max_i sum_j w_ij^2; ``diagonal``: a step
            for each frame and edge, which reaches the same minimum in fewer iterations; for ``entries`` only,
            ``rows`` always has uniform steps.
        balance: Ratio sqrt(tau / sigma), in units of uniform steps.
        tolerance: Largest change of phi at the end, and largest duality gap over the sum of |r|: phi may stay at 0 or 1
            while q still changes.
        max_iter: Largest number of iterations.
        device: Device of the computation.

    Raises:
        UserError: An option is out of range, or a force is not finite.

    Source: Shi et al. (2019), S2; Chambolle & Pock (2011), doi:10.1007/s10851-010-0251-1, algorithm 1; diagonal steps:
        Pock & Chambolle (2011), doi:10.1109/ICCV.2011.6126441, lemma 2, alpha = 1.
    """
    _check(smoothness, ball, step_sizes, balance, tolerance, max_iter)
    pull = torch.as_tensor(np.asarray(force, dtype=graph.dtype), device=device)
    if not pull.isfinite().all():
        raise UserError("graph cut: some region forces are not finite: the prior must lie inside (0, 1)")
    task = _Task(Edges(graph, ball == "rows", smoothness, device), pull, *_bounds(known, pull), ball)
    tau, sigma = _steps(task.edges, "uniform" if ball == "rows" else step_sizes, balance)
    enough = tolerance * (float(pull.abs().sum()) + 1e-30)
    phi = torch.full_like(pull, 0.5).clamp_(task.least, task.most)
    ahead, flow, change, iteration, converged = phi, torch.zeros_like(task.edges.weight), 0.0, 0, False
    for iteration in range(1, max_iter + 1):
        flow = task.edges.project(flow.add_(task.edges.gradient(ahead).mul_(sigma)), ball)
        after = task.edges.divergence(flow).sub_(pull).mul_(tau).add_(phi).clamp_(task.least, task.most)
        ahead, before, phi = torch.lerp(phi, after, 2.0), phi, after
        if iteration % _CHECK_EVERY == 0 or iteration == max_iter:
            change = float((phi - before).abs().max())
            converged = change <= tolerance and task.gap(phi, flow) <= enough
            if converged:
                break
    return Cut(phi.double().cpu().numpy(), task.energy(phi), task.gap(phi, flow), iteration, change, converged)


def energy(
    graph: Graph, force: ArrayLike, labelling: ArrayLike, smoothness: float = 1.0, ball: Ball = "entries"
) -> float:
    """Energy of ``graph_cut`` of any labelling (N,)."""
    phi, pull = (torch.as_tensor(np.asarray(each, dtype=graph.dtype)) for each in (labelling, force))
    return _Task(Edges(graph, True, smoothness), pull, *_bounds(None, pull), ball).energy(phi)


def votes(graph: Graph, force: ArrayLike, labelling: ArrayLike, smoothness: float = 1.0, least: float = 1e-3) -> Floats:
    """Score of each frame by its neighbours and its region force, (N,) in [0, 1], 1 for single hits.

    (1 - D_i / M_i) / 2, where D_i is the energy of phi_i = 1 less that of phi_i = 0 at the neighbours' values, and M_i
    the largest D_i that neighbours and a prior within [least, 1 - least] could give. It is on the same side of 1/2 as
    an optimal phi_i, and separates clear frames from those at the border.
    """
    phi, pull = np.asarray(labelling, dtype=np.float64), np.asarray(force, dtype=np.float64)
    degree = np.asarray(graph.sum(axis=1), dtype=np.float64).ravel()
    difference = pull + 2 * smoothness * (degree - 2 * (graph @ phi))
    most = np.log((1 - least) / least) + 2 * smoothness * degree
    share: Floats = (1 - difference / most) / 2
    return share.clip(0, 1)


def _bounds(known: ArrayLike | None, like: Tensor) -> tuple[Tensor, Tensor]:
    """Smallest and largest value of every phi, (N,) each; equal where it is known."""
    if known is None:
        return torch.zeros_like(like), torch.ones_like(like)
    held = torch.as_tensor(np.asarray(known), device=like.device)
    return (held == 1).to(like.dtype), (held != 0).to(like.dtype)


def _steps(edges: Edges, step_sizes: StepSizes, balance: float) -> tuple[Tensor, Tensor]:
    """Steps tau of frames and sigma of edges, of shape (N,) and (E,), or () each."""
    tiny = torch.finfo(edges.weight.dtype).tiny
    if step_sizes == "diagonal":
        row, column = 2 * edges.weight, edges.sum_at_both(edges.weight)
        return balance / torch.where(column > 0, column, 1.0), 1 / (balance * row.clamp_min(tiny))
    squares = edges.sum_at_both(edges.weight.square())
    norm = (2 * squares.max()).sqrt() if len(squares) else edges.weight.new_ones(())
    norm = torch.where(norm > 0, norm, 1.0)
    return balance / norm, 1 / (balance * norm)


def _check(smoothness: float, ball: str, step_sizes: str, balance: float, tolerance: float, max_iter: int) -> None:
    """Refuse options out of range; UserError."""
    for name, value in (
        ("smoothness", smoothness),
        ("balance", balance),
        ("tolerance", tolerance),
        ("max_iter", max_iter),
    ):
        if not value > 0:
            raise UserError(f"graph cut: {name}={value:g} must be above 0")
    if ball not in ("entries", "rows"):
        raise UserError(f"graph cut: ball={ball} is not known: use entries or rows")
    if step_sizes not in ("diagonal", "uniform"):
        raise UserError(f"graph cut: step_sizes={step_sizes} is not known: use diagonal or uniform")
