"""Diffusion map: slow modes of a random walk over similar patterns, and their extension to new patterns."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from spi_lightning.errors import UserError

from .graph import Graph, Symmetrise, components, scale_both_sides, symmetric_graph

Floats = NDArray[np.float64]
Bandwidth = float | str  # a number above 0 or ``auto``

_TINY = 1e-100  # least weight, which keeps a far frame connected to its neighbours
_TOLERANCE, _CHECKED_TO, _RESTARTS = 1e-10, 1e-6, 1000  # of eigenvectors and eigenvalues; iterations
_LEAST_EIGENVALUE = 0.01  # an extension divides by the eigenvalue
_PAIRS_FOR_BANDWIDTH = 100_000


@dataclass(frozen=True)
class DiffusionEmbedding:
    """Diffusion map of N frames, with the quantities of its extension to new frames.

    Attributes:
        coordinates: (N, m) float64, lambda^time psi; within a part, psi has mean 0 and mean square 1 under the
            stationary distribution of the walk. Coordinates of different parts are unrelated.
        eigenvalue: (parts, m) eigenvalues of the Markov matrix, descending, without the trivial 1; 0 where a part has
            fewer frames.
        part: (N,) int64 index of the connected part of each frame, 0 being the largest.
        size: (parts,) number of frames of each part.
        density: (N,) sum of kernel weights of each frame, before any normalisation.
        tau: Bandwidth in use, in the unit of the distances.
        alpha: Power of the density that was divided out.
        least_weight: Least weight of the kernel.
    """

    coordinates: Floats
    eigenvalue: Floats
    part: NDArray[np.int64]
    size: NDArray[np.int64]
    density: Floats
    tau: float
    alpha: float
    least_weight: float


def diffusion_map(
    index: ArrayLike,
    distance: ArrayLike,
    coordinates: int = 3,
    tau: Bandwidth = "auto",
    alpha: float = 0.0,
    time: float = 0.0,
    self_weight: bool = False,
    symmetrise: Symmetrise = "maximum",
    least_weight: float = 0.0,
) -> DiffusionEmbedding:
    """Diffusion map: embedding by the leading eigenvectors of a random walk between neighbours.

    K = exp(-distance / tau) on the neighbours, made symmetric; K <- K / (d_i d_j)^alpha with d the row sums of K;
    S = D^-1/2 K D^-1/2 with D the new row sums; S v = lambda v; psi = D^-1/2 v / psi_0. Signs: the entry of largest
    magnitude is positive, and of several such (within 1e-6) the one of the first frame. A graph in several parts gets a
    map of each part.

    Args:
        index: (N, k) int64 neighbours of each frame, see ``nearest``.
        distance: (N, k) distances of these neighbours, as in the exponent: 1 - r for a correlation r, the *square* of
            Euclidean distances.
        coordinates: Number m of coordinates.
        tau: Bandwidth; ``auto``: see ``auto_bandwidth``.
        alpha: 0: the normalised graph Laplacian, denser regions weigh more; 1: Laplace-Beltrami operator, the density
            of frames drops out.
        time: Power t of the eigenvalue in each coordinate; 0 gives the eigenvectors themselves, as plotted by Shi et
            al. (2019).
        self_weight: Whether each frame has the weight 1 with itself, as Coifman & Lafon; without it, as in the program
            of Shi et al. (2019) and scikit-learn, a frame far from all others still diffuses to them.
        symmetrise: Symmetric weight of two directions, ``maximum`` (the program of Shi et al. 2019) or ``mean``.
        least_weight: Least weight of a neighbour in K. 0 is the formula; with a small bandwidth the leading
            eigenvectors are then localised on a few frames far from all others and hardly converge, which 1e-4 avoids.

    Raises:
        UserError: An option is out of range, a distance is not finite, or eigenvectors do not converge.

    Source: Shi et al. (2019), S3; Coifman & Lafon (2006), doi:10.1016/j.acha.2006.04.006, Sect. 3.
    """
    separation = np.asarray(distance, dtype=np.float64)
    width = _checked(separation, coordinates, tau, alpha, least_weight)
    kernel = symmetric_graph(index, _weights(separation, width, least_weight), symmetrise)
    if self_weight:
        kernel = kernel + scipy.sparse.identity(kernel.shape[0], format="csr")
    density = _row_sums(kernel)
    if alpha:
        kernel = scale_both_sides(kernel, density**-alpha)
    part, size = components(kernel)
    position, eigenvalue = np.zeros((len(part), coordinates)), np.zeros((len(size), coordinates))
    for number in range(len(size)):
        member = np.flatnonzero(part == number) if len(size) > 1 else slice(None)
        sub = kernel[member][:, member] if len(size) > 1 else kernel
        eigenvalue[number], position[member] = _modes(sub, coordinates)
    if time:
        position *= eigenvalue.clip(0)[part] ** time
    return DiffusionEmbedding(position, eigenvalue, part, size, density, width, alpha, least_weight)


def extend(known: DiffusionEmbedding, index: ArrayLike, distance: ArrayLike) -> tuple[Floats, NDArray[np.int64]]:
    """Extension of a diffusion map to new frames: psi(x) = sum_j p(x, j) psi(j) / lambda, the Nystroem extension.

    p(x, j) is proportional to the kernel times d_j^-alpha, over the neighbours in the part of the map to which most
    of it goes; the density at x cancels. Coordinates whose eigenvalue is below 0.01 are 0.

    Args:
        known: Diffusion map of N frames.
        index: (M, k) int64 frames nearest to each new one, see ``nearest_to``.
        distance: (M, k) distances of these frames, as in ``diffusion_map``.

    Returns:
        Coordinates (M, m) and part (M,) of the new frames.

    Source: Coifman & Lafon (2006), doi:10.1016/j.acha.2005.07.005, Sect. 2.
    """
    neighbours, separation = np.asarray(index), np.asarray(distance, dtype=np.float64)
    weight = _weights(separation, known.tau, known.least_weight) * known.density[neighbours] ** -known.alpha
    member = known.part[neighbours]
    share = np.stack([np.where(member == each, weight, 0).sum(1) for each in np.unique(member)], axis=1)
    part = np.unique(member)[share.argmax(axis=1)]
    weight = np.where(member == part[:, None], weight, 0)
    mean = np.einsum("ij,ijm->im", weight / weight.sum(axis=1, keepdims=True), known.coordinates[neighbours])
    eigenvalue = known.eigenvalue[part]
    usable = eigenvalue >= _LEAST_EIGENVALUE
    return np.where(usable, mean / np.where(usable, eigenvalue, 1), 0), part


def auto_bandwidth(distance: ArrayLike) -> float:
    """Automatic bandwidth: tau of the steepest log sum_ij exp(-d_ij / tau) against log tau, diagonal included.

    Below it every frame is isolated, above it all pairs have equal weight. Of more than 100,000 pairs, rows in equal
    steps are used. Distances that are all 0 give 1.

    Args:
        distance: (N, k) distances as in ``diffusion_map``.

    Source: Coifman et al. (2008), doi:10.1109/TIP.2008.2002305, Sect. II; Berry & Harlim (2016),
        doi:10.1016/j.acha.2015.01.001, Sect. 4, for the steepest point.
    """
    separation = np.asarray(distance, dtype=np.float64)
    separation = separation[:: max(1, separation.size // _PAIRS_FOR_BANDWIDTH)]
    apart = separation[separation > 0]
    if not len(apart):
        return 1.0
    trial = np.geomspace(np.quantile(apart, 0.01) / 10, 10 * np.quantile(apart, 0.99), 60)
    weights = [np.exp(-separation / tau) for tau in trial]
    slope = [
        (each * separation).sum() / (tau * (len(separation) + each.sum()))
        for tau, each in zip(trial, weights, strict=True)
    ]
    return float(trial[np.argmax(slope)])


def _weights(distance: Floats, tau: float, least: float) -> Floats:
    """Kernel exp(-d / tau) of distances (N, k), not below its least value."""
    weights: Floats = np.exp(distance / -tau)
    return weights.clip(max(least, _TINY), out=weights)


def _checked(distance: Floats, coordinates: int, tau: Bandwidth, alpha: float, least_weight: float) -> float:
    """Bandwidth after validation of all options."""
    if not np.isfinite(distance).all() or (distance < 0).any():
        raise UserError("the diffusion map needs distances of 0 or more; some are negative or not finite")
    if coordinates < 1:
        raise UserError(f"coordinates={coordinates} must be 1 or more")
    if not 0 <= alpha <= 1:
        raise UserError(f"alpha={alpha:g} must lie between 0 and 1")
    if not 0 <= least_weight < 1:
        raise UserError(f"least_weight={least_weight:g} must be 0 or more, and less than 1")
    if isinstance(tau, str) and tau == "auto":
        return auto_bandwidth(distance)
    if isinstance(tau, str) or not tau > 0:
        raise UserError(f"tau={tau} must be auto or a number above 0")
    return float(tau)


def _modes(kernel: Graph, count: int) -> tuple[Floats, Floats]:
    """Eigenvalues (m,) and psi (n, m) of one connected part, without the trivial pair; changes ``kernel``."""
    frames, degree = kernel.shape[0], _row_sums(kernel)
    found = min(count, frames - 1)
    eigenvalue, psi = np.zeros(count), np.zeros((frames, count))
    if found:
        value, vector = _largest(scale_both_sides(kernel, degree**-0.5), found + 1)
        eigenvalue[:found] = value[1:]
        psi[:, :found] = _fix_signs(vector[:, 1:] * np.sqrt(degree.sum() / degree)[:, None])
    return eigenvalue, psi


def _largest(matrix: Graph, count: int) -> tuple[Floats, Floats]:
    """Algebraically largest eigenpairs of a symmetric matrix whose largest is 1, descending, from a fixed start.

    Lanczos iterations may miss copies of a degenerate eigenvalue of symmetric shapes. So the vectors found are moved to
    the other end of the spectrum, and an eigenvalue that then exceeds them is added.
    """
    if matrix.shape[0] <= 4 * count + 40:
        value, vector = np.linalg.eigh(matrix.toarray())
    else:
        random = np.random.default_rng(0)
        value, vector = _lanczos(matrix, count, random.standard_normal(matrix.shape[0]), _TOLERANCE)
        while True:
            rest = _without(matrix, value, vector)
            start = random.standard_normal(matrix.shape[0])
            if _lanczos(rest, 1, start, _CHECKED_TO)[0] <= np.sort(value)[-count] + _CHECKED_TO:
                break
            further = _lanczos(rest, 1, start, _TOLERANCE)
            value, vector = np.append(value, further[0]), np.append(vector, further[1], axis=1)
    order = np.argsort(-value, kind="stable")[:count]
    return value[order], vector[:, order]


def _without(matrix: Graph, value: Floats, vector: Floats) -> LinearOperator:
    """Matrix with known eigenpairs moved to the eigenvalue -1."""
    shifted = vector * (value + 1)
    return LinearOperator(matrix.shape, lambda x: matrix @ x - shifted @ (vector.T @ x), dtype=np.float64)


def _lanczos(matrix: Graph | LinearOperator, count: int, start: Floats, tolerance: float) -> tuple[Floats, Floats]:
    basis = min(matrix.shape[0] - 1, 2 * count + 20)
    try:
        found: tuple[Floats, Floats] = eigsh(
            matrix, count, which="LA", v0=start, ncv=basis, maxiter=_RESTARTS, tol=tolerance
        )
    except ArpackNoConvergence as error:
        raise UserError(
            f"only {len(error.eigenvalues)} of {count} eigenvectors of the diffusion map converged: parts of the graph "
            "are connected too weakly; raise neighbours, tau or least_weight"
        ) from error
    return found


def _fix_signs(vectors: Floats) -> Floats:
    """Signs of the columns (n, m) such that the first entry of (nearly) largest magnitude is positive."""
    size = np.abs(vectors)
    leader = (size >= (1 - 1e-6) * size.max(axis=0)).argmax(axis=0)
    return vectors * np.where(vectors[leader, np.arange(vectors.shape[1])] < 0, -1.0, 1.0)


def _row_sums(graph: Graph) -> Floats:
    sums: Floats = np.asarray(graph.sum(axis=1)).ravel()
    return sums
