"""Alignment of densities with a reference over translation, twin and global phase, and the average of runs that agree.

Clustering rejects failed runs; the others are aligned and averaged.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.physics.fourier import fourier, inverse_fourier
from spi_lightning.physics.twin import roll_each, twin

_NEWTON = 6


@dataclass(frozen=True)
class Alignment:
    """Alignment of B densities with a reference.

    Attributes:
        density: (B, spatial) aligned densities.
        overlap: (B,) |<density, reference>| / (norms), 0 to 1.
        shift: (B, ndim) translation that was applied, after the twin, pixel.
        twin: (B,) True where the twin was taken.
        factor: (B,) global phase that was applied last, of modulus 1; a sign of real densities.
    """

    density: Tensor
    overlap: Tensor
    shift: Tensor
    twin: Tensor
    factor: Tensor


def align(density: Tensor, reference: Tensor, subpixel: bool = False) -> Tensor:
    """Densities (B, spatial) aligned with a reference; see :func:`alignment`."""
    return alignment(density, reference, subpixel).density


def alignment(density: Tensor, reference: Tensor, subpixel: bool = False, twins: bool = True) -> Alignment:
    """Align densities by the translation, twin and global phase of the largest overlap with a reference.

    Args:
        density: (B, spatial) real or complex, origin at n // 2; periodic.
        reference: (spatial) or (B, spatial) density, origin at n // 2.
        subpixel: Refine the shift below a pixel (Newton on the correlation, exact for band-limited densities) and move
            by Fourier interpolation; otherwise whole pixels, and no value changes but for the global phase.
        twins: Whether the twin may be taken.

    Returns:
        Alignment; real densities stay real (their global phase is a sign), complex ones get the phase of the overlap.

    Source: whole pixels and twin as in Bellisario & Ekeberg (2024), Sect. 4 and the PRTF of their code, where the twin
    is rho(-r), right for real densities only; here it is rho*(-r).
    """
    ndim, shape = density.ndim - 1, density.shape[1:]
    reference = reference.expand(density.shape)
    target = fourier(reference, ndim)[:, None]
    candidates = torch.stack([density, twin(density, ndim)] if twins else [density], dim=1)
    spectra = fourier(candidates, ndim)
    score, peak = inverse_fourier(spectra.conj() * target, ndim).abs().flatten(2).max(2)
    middle = torch.tensor([n // 2 for n in shape], device=density.device)
    shift = torch.stack(torch.unravel_index(peak, shape), dim=-1) - middle
    if subpixel:  # of both twins: fractions of a pixel distinguish a nearly centrosymmetric density from its twin
        fine, score = _newton(spectra.flatten(0, 1), target.expand_as(spectra).flatten(0, 1), shift.flatten(0, 1))
        fine, score = fine.view(shift.shape), score.view(peak.shape)
    rows, other = torch.arange(len(density), device=density.device), score.argmax(1)
    if subpixel:
        chosen = fine[rows, other]
        moved = inverse_fourier(spectra[rows, other] * _ramp(chosen, shape).to(spectra.dtype), ndim)
        moved = moved if density.is_complex() else moved.real.contiguous()
    else:
        chosen = shift[rows, other]
        moved = roll_each(candidates[rows, other], chosen, ndim)
    inner = (moved.conj() * reference).flatten(1).sum(1)
    norms = moved.flatten(1).norm(dim=1) * reference.flatten(1).norm(dim=1)
    factor = inner.sgn()
    moved = moved * factor.view(-1, *(1,) * ndim)
    return Alignment(moved, inner.abs() / norms.clamp_min(1e-30), chosen.double(), other.bool(), factor)


def translate(density: Tensor, shift: Tensor) -> Tensor:
    """Move periodic densities (B, spatial) by (B, ndim) pixels, fractions by Fourier interpolation."""
    ndim = density.ndim - 1
    spectrum = fourier(density, ndim)
    moved = inverse_fourier(spectrum * _ramp(shift.double(), density.shape[1:]).to(spectrum.dtype), ndim)
    return moved if density.is_complex() else moved.real.contiguous()


def _frequencies(shape: torch.Size, device: torch.device) -> list[Tensor]:
    """Cycles per pixel along each axis, origin at n // 2, broadcastable; 0 for the Nyquist frequency, of both signs."""
    found = []
    for axis, n in enumerate(shape):
        frequency = (torch.arange(n, device=device, dtype=torch.float64) - n // 2) / n
        frequency[: 1 - n % 2] = 0
        found.append(frequency.view(-1, *(1,) * (len(shape) - 1 - axis)))
    return found


def _ramp(shift: Tensor, shape: torch.Size) -> Tensor:
    """exp(-2 pi i q.shift), (B, spatial) complex128; at Nyquist the mean of both signs, so that real stays real."""
    ramp = torch.ones((), dtype=torch.complex128, device=shift.device)
    for axis, frequency in enumerate(_frequencies(shape, shift.device)):
        moved = shift[:, axis, None]
        angle = -2 * math.pi * moved * frequency.flatten()
        along = torch.polar(torch.ones_like(angle), angle)
        if shape[axis] % 2 == 0:
            along[:, :1] = torch.cos(math.pi * moved).to(along.dtype)
        ramp = ramp * along.view(len(shift), *(1,) * axis, -1, *(1,) * (len(shape) - 1 - axis))
    return ramp


def _nearest_half(product: Tensor, shift: Tensor) -> Tensor:
    """Best shift (B, ndim) among half-pixel steps around whole ones: sharp densities need them."""
    ndim = product.ndim - 1
    best, found = product.new_zeros(len(product)).real, shift
    for offset in itertools.product((0.0, -0.5, 0.5), repeat=ndim):
        tried = shift + shift.new_tensor(offset)
        value = (product * _ramp(tried, product.shape[1:]).conj()).flatten(1).sum(1).abs()
        better = value > best
        best, found = torch.where(better, value, best), torch.where(better[:, None], tried, found)
    return found


def _newton(spectrum: Tensor, target: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Maximise |c(s)|, c(s) = sum F* G exp(2 pi i q.s), from the best half pixel; shift (B, ndim) and |c| (B,)."""
    shape, axes = spectrum.shape[1:], tuple(range(1, spectrum.ndim))
    product = spectrum.conj().to(torch.complex128) * target
    frequencies = _frequencies(shape, spectrum.device)
    start = _nearest_half(product, shift.double())
    fine = start.clone()
    for _ in range(_NEWTON):
        turned = product * _ramp(fine, shape).conj()
        c = turned.sum(axes)
        first = torch.stack([(turned * q).sum(axes) for q in frequencies], -1) * 2j * math.pi
        second = [[(turned * (p * q)).sum(axes) for p in frequencies] for q in frequencies]
        curve = torch.stack([torch.stack(row, -1) for row in second], -2) * -4 * math.pi**2
        gradient = (c.conj()[:, None] * first).real  # of |c|^2 / 2
        hessian = (c.conj()[:, None, None] * curve + first.conj()[:, :, None] * first[:, None, :]).real
        step = -torch.linalg.lstsq(hessian, gradient[..., None]).solution[..., 0]
        uphill = (step * gradient).sum(-1, keepdim=True) > 0
        step = torch.where(uphill & step.isfinite(), step, torch.zeros_like(step))
        fine = start + (fine + step - start).clamp(-0.5, 0.5)
    return fine, (product * _ramp(fine, shape).conj()).sum(axes).abs()


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
