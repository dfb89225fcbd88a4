"""Polish of densities: L-BFGS on chi square in a box or support, without a network."""

from dataclasses import dataclass

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.progress import Progress

from .problem import BlurredProblem, CurvatureMemory, PolishProblem, inner, wide

_REFRESH = 50  # steps between fresh transforms, which limit rounding errors, and between updates of the floor
_REFIT = 5  # steps between fits of the widths of a blur
_EXACT = 1e-26  # chi square below which nothing but rounding of float64 is left


@dataclass
class Polished:
    """Result of polish().

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
    """Minimise chi square of densities by L-BFGS, all patterns of a batch at once; two FFTs a step.

    The line search is exact to three Newton steps and costs no transform.

    Args:
        density: (B, z, y, x) complex64 or complex128 start; float64 is needed for chi square below about 1e-6. The box
            z, y, x may be smaller than the pattern; its position does not matter.
        fourier_amplitude: (B, Z, Y, X) float, sqrt(photons), origin at n // 2.
        mask: (B, Z, Y, X) bool, True = measured; other voxels are free.
        steps: Largest number of steps of L-BFGS.
        support: (B, z, y, x) or (z, y, x) bool, True where the density is free; the whole box if None.
        memory: Number of earlier steps that estimate the curvature.
        tolerance: Stop when no chi square fell by more than this share in 10 steps; not with ``soften``.
        soften: Smoothing of the kinks of chi square at zeros of the transform, see PolishProblem.soften, renewed every
            50 steps. Noise-free patterns are then fitted to rounding where 0 stalls; 3 serves. Chi square may rise for
            a while.
        point_spread: (B, 3) initial widths of a blur by partial coherence, pixels, fitted along with the density at
            eight transforms a step; None: a coherent pattern.
        progress: Called after every step with its number, ``steps`` and chi square (B,).

    Raises:
        UserError: The box exceeds the pattern, shapes do not match, or the density is not complex.

    Source: Nocedal & Wright (2006), Algorithm 7.5; chi square: Wu et al. (2021), Eq. 7, term L4.
    """
    _require(density, fourier_amplitude, mask)
    problem = _problem(fourier_amplitude, mask, support, density.abs().dtype, point_spread)
    descent = _Descent(problem, density, memory)
    history = descent.value.new_empty(steps + 1, len(density))  # as one: rows of their own would split freed arrays
    history[0] = descent.value
    if soften:
        descent.soften(soften)
    for number in range(1, steps + 1):
        descent.step(fresh=number % _REFRESH == 0)
        if isinstance(problem, BlurredProblem) and (number % _REFIT == 0 or number == steps):
            problem.refit(descent.spectrum)
            descent.evaluate()
        history[number] = problem.error(descent.spectrum) if soften else descent.value
        if progress is not None:
            progress(number, steps, history[number].clone())
        if soften and number % _REFRESH == 0:
            descent.soften(soften)
        if number >= 10 and _converged(history[: number + 1], tolerance, soften):
            history = history[: number + 1].clone()
            break
    spread = problem.point_spread if isinstance(problem, BlurredProblem) else None
    return Polished(descent.density, problem.error(problem.transform(descent.density)), history, spread)


class _Descent:
    """Iterate of L-BFGS: densities (B, z, y, x), their transforms (B, Z, Y, X), chi square (B,) and its gradient."""

    def __init__(self, problem: PolishProblem, density: Tensor, memory: int) -> None:
        self.problem, self.memory, self.curvature = problem, memory, CurvatureMemory(memory)
        self.density = problem.rescaled(problem.confined(density))
        self.spectrum = problem.transform(self.density)
        self.evaluate()

    def evaluate(self) -> None:
        """Chi square and gradient of the present transforms."""
        self.value = self.problem.value(self.spectrum)
        self.gradient = self.problem.gradient(self.spectrum, self.density.shape)

    def soften(self, factor: float) -> None:
        """Renew the floor of the problem, see PolishProblem.soften, and discard the curvature."""
        self.problem.soften(self.spectrum, factor)
        self.evaluate()
        self.curvature = CurvatureMemory(self.memory)

    def step(self, fresh: bool) -> None:
        """One step with an exact line search; ``fresh``: transform the densities instead of updating the transforms."""
        direction = self._direction()
        change = self.problem.transform(direction)
        length, self.value = self.problem.line_search(self.spectrum, change, self.value)
        move = direction * wide(length)
        self.density = self.density + move
        self.spectrum = self.problem.transform(self.density) if fresh else self.spectrum + change * wide(length)
        before, self.gradient = self.gradient, self.problem.gradient(self.spectrum, self.density.shape)
        self.curvature.add(move, self.gradient - before)
        self.curvature.forget(length == 0)

    def _direction(self) -> Tensor:
        """Search direction (B, z, y, x): that of L-BFGS, or steepest descent at first and where it leads uphill."""
        direction, first = self.curvature.direction(self.gradient), len(self.curvature.pairs) == 0
        uphill = inner(direction, self.gradient) >= 0
        if first or uphill.any():
            tiny = torch.finfo(self.value.dtype).tiny
            length = self.value / inner(self.gradient, self.gradient).clamp_min(tiny)
            direction = torch.where(wide(uphill | first), -self.gradient * wide(length), direction)
        return direction


def _problem(
    fourier_amplitude: Tensor, mask: Tensor, support: Tensor | None, dtype: torch.dtype, point_spread: Tensor | None
) -> PolishProblem:
    """Chi square of a coherent or of a blurred pattern."""
    if point_spread is None:
        return PolishProblem(fourier_amplitude, mask, support, dtype)
    return BlurredProblem(fourier_amplitude, mask, support, dtype, point_spread)


def _converged(history: Tensor, tolerance: float, soften: float) -> bool:
    """Whether another step would gain nothing, from the history of chi square (steps, B)."""
    if soften:
        return bool((history[-1] < _EXACT).all())
    return bool((history[-11] - history[-1] <= tolerance * history[-11]).all())


def _require(density: Tensor, fourier_amplitude: Tensor, mask: Tensor) -> None:
    shape = fourier_amplitude.shape
    if not density.is_complex() or density.ndim != 4:
        raise UserError(f"polish: the density is {density.dtype} {tuple(density.shape)}; give complex (B, z, y, x)")
    if mask.shape != shape or len(shape) != 4 or shape[0] != len(density):
        raise UserError(
            f"polish: patterns {tuple(shape)}, masks {tuple(mask.shape)}, {len(density)} densities do not match"
        )
    if any(side > n for side, n in zip(density.shape[1:], shape[1:], strict=True)):
        raise UserError(f"polish: a box of {tuple(density.shape[1:])} voxels exceeds patterns of {tuple(shape[1:])}")
