"""The last mile: L-BFGS on the density itself, in a box or support, without a network."""

from dataclasses import dataclass

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.progress import Progress

from .blurred_problem import BlurredProblem
from .curvature import CurvatureMemory, inner
from .problem import PolishProblem, wide

_REFRESH = 50  # steps after which the transform is taken anew, so that rounding does not add up, and the floor too
_REFIT = 5  # steps between those of the widths of a blur
_EXACT = 1e-26  # chi square below which nothing but rounding of float64 is left


@dataclass
class Polished:
    """What polish() found.

    Attributes:
        density: (B, z, y, x) complex, in the units of the Fourier amplitudes.
        chi_square: (B,) relative squared error over the measured voxels.
        history: (steps + 1, B) chi_square before each step and after the last.
        point_spread: (B, 3) root mean square widths of the blur by partial coherence, pixels; None if none was fitted.
    """

    density: Tensor
    chi_square: Tensor
    history: Tensor
    point_spread: Tensor | None = None


@torch.no_grad()
def polish(
    density: Tensor,
    fourier_amplitude: Tensor,
    mask: Tensor,
    steps: int = 200,
    support: Tensor | None = None,
    memory: int = 10,
    tolerance: float = 0.0,
    soften: float = 0.0,
    point_spread: Tensor | None = None,
    progress: Progress | None = None,
) -> Polished:
    """Lower chi square of densities by L-BFGS, all patterns of a batch at once; two FFTs a step.

    The line search is exact to three Newton steps and costs no transform.

    Args:
        density: (B, z, y, x) complex64 or complex128 start; float64 is needed for chi square below about 1e-6. The box
            z, y, x may be smaller than the pattern; its place does not matter.
        fourier_amplitude: (B, Z, Y, X) float, sqrt(photons), origin at n // 2.
        mask: (B, Z, Y, X) bool, True = measured; other voxels are free.
        steps: Of L-BFGS.
        support: (B, z, y, x) or (z, y, x) bool, True where the density is free; the whole box if None.
        memory: Earlier steps that the curvature is estimated from.
        tolerance: Stop when no chi square fell by more than this share in 10 steps; not with ``soften``.
        soften: Of the kinks of chi square at zeros of the transform, see PolishProblem.soften, anew every 50 steps.
            Patterns without noise are then met to rounding where 0 stalls; 3 serves. Chi square may rise for a while.
        point_spread: (B, 3) first widths of a blur of the pattern by partial coherence, pixels, fitted from there on
            along with the density; a step then takes eight transforms. None: a coherent pattern.
        progress: Called after every step with its number, ``steps`` and chi square (B,).

    Raises:
        UserError: A box larger than the pattern, other shapes, or a density that is no complex number.

    Source: Nocedal & Wright (2006), Algorithm 7.5; chi square: Wu et al. (2021), Eq. 7, term L4.
    """
    _require(density, fourier_amplitude, mask)
    problem = _problem(fourier_amplitude, mask, support, density.abs().dtype, point_spread)
    box, curvature = density.shape, CurvatureMemory(memory)
    density = problem.rescaled(problem.confined(density))
    spectrum = problem.transform(density)
    history = density.real.new_empty(steps + 1, len(density))  # as one: rows of their own would split freed arrays
    history[0] = problem.value(spectrum)
    if soften:
        problem.soften(spectrum, soften)
    value, gradient = problem.value(spectrum), problem.gradient(spectrum, box)
    for number in range(1, steps + 1):
        direction = curvature.direction(gradient)
        uphill = inner(direction, gradient) >= 0
        if len(curvature.pairs) == 0 or uphill.any():
            first = value / inner(gradient, gradient).clamp_min(torch.finfo(value.dtype).tiny)
            direction = torch.where(wide(uphill | (len(curvature.pairs) == 0)), -gradient * wide(first), direction)
        change = problem.transform(direction)
        length, value = problem.line_search(spectrum, change, value)
        move = direction * wide(length)
        density = density + move
        spectrum = problem.transform(density) if number % _REFRESH == 0 else spectrum + change * wide(length)
        before, gradient = gradient, problem.gradient(spectrum, box)
        curvature.add(move, gradient - before)
        curvature.forget(length == 0)
        if isinstance(problem, BlurredProblem) and (number % _REFIT == 0 or number == steps):
            problem.refit(spectrum)
            value, gradient = problem.value(spectrum), problem.gradient(spectrum, box)
        history[number] = problem.error(spectrum) if soften else value
        if progress is not None:
            progress(number, steps, history[number].clone())
        if soften and number % _REFRESH == 0:
            problem.soften(spectrum, soften)
            value, gradient, curvature = (
                problem.value(spectrum),
                problem.gradient(spectrum, box),
                CurvatureMemory(memory),
            )
        if number >= 10 and _settled(history[: number + 1], tolerance, soften):
            history = history[: number + 1].clone()
            break
    spread = problem.point_spread if isinstance(problem, BlurredProblem) else None
    return Polished(density, problem.error(problem.transform(density)), history, spread)


def _problem(
    fourier_amplitude: Tensor, mask: Tensor, support: Tensor | None, dtype: torch.dtype, point_spread: Tensor | None
) -> PolishProblem:
    """Chi square of a coherent or of a blurred pattern."""
    if point_spread is None:
        return PolishProblem(fourier_amplitude, mask, support, dtype)
    return BlurredProblem(fourier_amplitude, mask, support, dtype, point_spread)


def _settled(history: Tensor, tolerance: float, soften: float) -> bool:
    """Is nothing gained by another step?"""
    if soften:
        return bool((history[-1] < _EXACT).all())
    return bool((history[-11] - history[-1] <= tolerance * history[-11]).all())


def _require(density: Tensor, fourier_amplitude: Tensor, mask: Tensor) -> None:
    shape = fourier_amplitude.shape
    if not density.is_complex() or density.ndim != 4:
        raise UserError(f"polish: the density is {density.dtype} {tuple(density.shape)}; give complex (B, z, y, x).")
    if mask.shape != shape or len(shape) != 4 or shape[0] != len(density):
        raise UserError(f"polish: patterns {tuple(shape)}, masks {tuple(mask.shape)}, {len(density)} densities.")
    if any(side > n for side, n in zip(density.shape[1:], shape[1:], strict=True)):
        raise UserError(f"polish: a box of {tuple(density.shape[1:])} voxels in patterns of {tuple(shape[1:])}.")
