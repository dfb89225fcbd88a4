"""The last mile: L-BFGS on the density itself, in a box or support, without a network."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from spi_lightning.fields import UserError

Progress = Callable[[int, Tensor], None]
_NEWTON = 3  # steps of each line search
_REFRESH = 50  # steps after which the transform is taken anew, so that rounding does not add up, and the floor too
_EXACT = 1e-26  # chi square below which nothing but rounding of float64 is left


@dataclass
class Polished:
    """What polish() found.

    Attributes:
        density: (B, z, y, x) complex, in the units of the Fourier amplitudes.
        chi_square: (B,) relative squared error over the measured voxels.
        history: (steps + 1, B) chi_square before each step and after the last.
    """

    density: Tensor
    chi_square: Tensor
    history: Tensor


class PolishProblem:
    """chi square of a density in a box, its gradient and its exact course along a line, without shifts.

    Where the box lies in the array changes phases of the transform only, so it is put into the corner; the pattern is
    brought to the corner once, with ifftshift.

    Args:
        fourier_amplitude, mask: (B, Z, Y, X), origin at n // 2.
        support: (B, z, y, x) or (z, y, x) bool, where the density may differ from 0; the whole box if None.
    """

    axes = (-3, -2, -1)

    def __init__(self, fourier_amplitude: Tensor, mask: Tensor, support: Tensor | None, dtype: torch.dtype) -> None:
        measured = torch.fft.ifftshift(mask, dim=self.axes).to(dtype)
        self.amplitude = torch.fft.ifftshift(fourier_amplitude, dim=self.axes).to(dtype) * measured
        self.weight = measured / self.amplitude.square().flatten(1).sum(1)[:, None, None, None]
        self.support, self.shape = support, fourier_amplitude.shape[-3:]
        self.measured, self.floor = self.amplitude, self.amplitude.new_zeros(len(self.amplitude), 1, 1, 1)
        self.soft = False

    def soften(self, spectrum: Tensor, factor: float) -> None:
        """Compare sqrt(|F|^2 + f^2) with sqrt(A^2 + f^2): f is ``factor`` times the root mean square of |F| - A.

        |F| has a kink where F = 0, and chi square as many local minima as the zeros of a transform can be caught by.
        With the floor f it is smooth, and still least where |F| = A.
        """
        error = self.error(spectrum) / (self.weight > 0).flatten(1).sum(1)
        floor = factor * (error / self.weight.flatten(1).amax(1)).sqrt()
        self.floor, self.soft = floor[:, None, None, None], True
        self.amplitude = torch.hypot(self.measured, self.floor)

    def size(self, spectrum: Tensor) -> Tensor:
        """The moduli of a transform above the floor."""
        modulus = spectrum.abs()
        size: Tensor = torch.hypot(modulus, self.floor) if self.soft else modulus
        return size

    def error(self, spectrum: Tensor) -> Tensor:
        """Chi square without the floor, (B,)."""
        error: Tensor = (self.weight * (spectrum.abs() - self.measured).square()).flatten(1).sum(1)
        return error

    def transform(self, density: Tensor) -> Tensor:
        """(B, z, y, x) -> (B, Z, Y, X), orthonormal."""
        spectrum: Tensor = torch.fft.fftn(density, s=self.shape, dim=self.axes, norm="ortho")
        return spectrum

    def confined(self, density: Tensor) -> Tensor:
        """The density within the support."""
        return density if self.support is None else density * self.support

    def gradient(self, spectrum: Tensor, box: torch.Size) -> Tensor:
        """Steepest ascent of chi square in the box, (B, z, y, x), of the density whose transform is ``spectrum``."""
        size = self.size(spectrum).clamp_min(torch.finfo(self.amplitude.dtype).tiny)
        residual = spectrum * (2 * self.weight * (1 - self.amplitude / size))
        whole = torch.fft.ifftn(residual, dim=self.axes, norm="ortho")
        inside: Tensor = whole[..., : box[1], : box[2], : box[3]]
        return self.confined(inside)

    def value(self, spectrum: Tensor) -> Tensor:
        """Chi square, (B,); above the floor if there is one."""
        error: Tensor = (self.weight * (self.size(spectrum) - self.amplitude).square()).flatten(1).sum(1)
        return error

    def rescaled(self, density: Tensor) -> Tensor:
        """The density times the factor that fits best."""
        size = self.transform(density).abs()
        power = (self.weight * size.square()).flatten(1).sum(1)
        product = (self.weight * size * self.amplitude).flatten(1).sum(1)
        return density * _wide(product / power.clamp_min(torch.finfo(power.dtype).tiny))

    def line_search(self, spectrum: Tensor, change: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """How far to go along ``change``: step (B,) and chi square there (B,); step 0 where nothing is gained.

        |F + t G|^2 is a parabola in t for every voxel, so no transform is needed to know chi square along a line.
        """
        square, slope = spectrum.abs().square() + self.floor.square(), (spectrum.conj() * change).real
        bend, tiny = change.abs().square(), torch.finfo(value.dtype).tiny

        def size_at(step: Tensor) -> Tensor:
            t = step[:, None, None, None]
            size: Tensor = (square + t * (2 * slope + t * bend)).clamp_min(tiny).sqrt()
            return size

        step = torch.ones_like(value)
        for _ in range(_NEWTON):
            size, along = size_at(step), slope + step[:, None, None, None] * bend
            ratio = self.weight * self.amplitude / size
            first = (self.weight * along - ratio * along).flatten(1).sum(1)
            second = (self.weight * bend - ratio * (bend - (along / size).square())).flatten(1).sum(1)
            newton = step - first / second.clamp_min(tiny)
            step = torch.where(second > 0, newton, torch.where(first < 0, 2 * step, step / 2)).clamp(1e-4, 100.0)
        for _ in range(8):
            reached = (self.weight * (size_at(step) - self.amplitude).square()).flatten(1).sum(1)
            better = reached < value
            if better.all():
                break
            step = torch.where(better, step, step / 4)
        return torch.where(better, step, 0.0), torch.where(better, reached, value)


class CurvatureMemory:
    """The last few steps and changes of the gradient of B densities, for the two-loop recursion of L-BFGS."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.pairs: list[tuple[Tensor, Tensor, Tensor]] = []

    def add(self, step: Tensor, change: Tensor) -> None:
        """Remember a step and the change of the gradient over it; ignored where the curvature is not positive."""
        curvature = _dot(step, change)
        inverse = torch.where(curvature > 1e-30, 1 / curvature.clamp_min(1e-30), 0.0)
        self.pairs = [*self.pairs[-self.length + 1 :], (step, change, inverse)]

    def forget(self, where: Tensor) -> None:
        """Drop what is known of the densities at ``where`` (B,) bool."""
        self.pairs = [(step, change, inverse.masked_fill(where, 0.0)) for step, change, inverse in self.pairs]

    def direction(self, gradient: Tensor) -> Tensor:
        """Minus the inverse Hessian times the gradient. Source: Nocedal & Wright (2006), Algorithm 7.4."""
        direction, factors = -gradient, []
        for step, change, inverse in reversed(self.pairs):
            factors.append(inverse * _dot(step, direction))
            direction = direction - _wide(factors[-1]) * change
        if self.pairs:
            _, change, inverse = self.pairs[-1]
            square = _dot(change, change)
            known = (inverse > 0) & (square > 0)
            direction = direction * _wide(torch.where(known, 1 / (inverse * square).clamp_min(1e-30), 1.0))
        for (step, change, inverse), factor in zip(self.pairs, reversed(factors), strict=True):
            direction = direction + _wide(factor - inverse * _dot(change, direction)) * step
        return direction


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
        progress: Told step and chi square (B,) after every step.

    Raises:
        UserError: A box larger than the pattern, other shapes, or a density that is no complex number.

    Source: Nocedal & Wright (2006), Algorithm 7.5; chi square: Wu et al. (2021), Eq. 7, term L4.
    """
    _require(density, fourier_amplitude, mask)
    problem = PolishProblem(fourier_amplitude, mask, support, density.abs().dtype)
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
        uphill = _dot(direction, gradient) >= 0
        if len(curvature.pairs) == 0 or uphill.any():
            first = value / _dot(gradient, gradient).clamp_min(torch.finfo(value.dtype).tiny)
            direction = torch.where(_wide(uphill | (len(curvature.pairs) == 0)), -gradient * _wide(first), direction)
        change = problem.transform(direction)
        length, value = problem.line_search(spectrum, change, value)
        move = direction * _wide(length)
        density = density + move
        spectrum = problem.transform(density) if number % _REFRESH == 0 else spectrum + change * _wide(length)
        before, gradient = gradient, problem.gradient(spectrum, box)
        curvature.add(move, gradient - before)
        curvature.forget(length == 0)
        history[number] = problem.error(spectrum) if soften else value
        if progress is not None:
            progress(number, history[number].clone())
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
    return Polished(density, problem.error(problem.transform(density)), history)


def _settled(history: Tensor, tolerance: float, soften: float) -> bool:
    """Is nothing gained by another step?"""
    if soften:
        return bool((history[-1] < _EXACT).all())
    return bool((history[-11] - history[-1] <= tolerance * history[-11]).all())


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """Real inner products (B,) of (B, z, y, x) complex."""
    product: Tensor = (torch.view_as_real(one) * torch.view_as_real(other)).flatten(1).sum(1)
    return product


def _wide(values: Tensor) -> Tensor:
    wide: Tensor = values[:, None, None, None]
    return wide


def _require(density: Tensor, fourier_amplitude: Tensor, mask: Tensor) -> None:
    shape = fourier_amplitude.shape
    if not density.is_complex() or density.ndim != 4:
        raise UserError(f"polish: the density is {density.dtype} {tuple(density.shape)}; give complex (B, z, y, x).")
    if mask.shape != shape or len(shape) != 4 or shape[0] != len(density):
        raise UserError(f"polish: patterns {tuple(shape)}, masks {tuple(mask.shape)}, {len(density)} densities.")
    if any(side > n for side, n in zip(density.shape[1:], shape[1:], strict=True)):
        raise UserError(f"polish: a box of {tuple(density.shape[1:])} voxels in patterns of {tuple(shape[1:])}.")
