"""Chi square of a density in a box, sharp or blurred by partial coherence: gradient, line search, L-BFGS memory."""

import torch
from torch import Tensor

from spi_lightning.physics.partial_coherence import (
    LARGEST_SPREAD,
    blurred_intensity,
    point_spread_envelope,
    slopes_of_envelope,
)

_NEWTON = 3  # steps of each line search


class PolishProblem:
    """Chi square of a density in a box, its gradient and its exact course along a line, without shifts.

    The position of the box in the array changes phases of the transform only, so the box lies in the corner; the
    pattern is moved to the corner once, by ifftshift.

    Args:
        fourier_amplitude, mask: (B, Z, Y, X) float and bool, origin at n // 2.
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
        """Moduli of transforms (B, Z, Y, X) above the floor."""
        modulus = self.modulus(spectrum)
        size: Tensor = torch.hypot(modulus, self.floor) if self.soft else modulus
        return size

    def modulus(self, spectrum: Tensor) -> Tensor:
        """Fourier amplitudes of transforms, (B, Z, Y, X)."""
        return spectrum.abs()

    def error(self, spectrum: Tensor) -> Tensor:
        """Chi square of transforms (B, Z, Y, X) without the floor, (B,)."""
        error: Tensor = (self.weight * (self.modulus(spectrum) - self.measured).square()).flatten(1).sum(1)
        return error

    def transform(self, density: Tensor) -> Tensor:
        """Orthonormal transform of densities, (B, z, y, x) -> (B, Z, Y, X)."""
        spectrum: Tensor = torch.fft.fftn(density, s=self.shape, dim=self.axes, norm="ortho")
        return spectrum

    def confined(self, density: Tensor) -> Tensor:
        """Densities (B, z, y, x), 0 outside the support."""
        return density if self.support is None else density * self.support

    def gradient(self, spectrum: Tensor, box: torch.Size) -> Tensor:
        """Gradient (B, z, y, x) of chi square in the box, at the density whose transform is ``spectrum``."""
        size = self.size(spectrum).clamp_min(torch.finfo(self.amplitude.dtype).tiny)
        residual = self.pull(spectrum, size)
        whole = torch.fft.ifftn(residual, dim=self.axes, norm="ortho")
        inside: Tensor = whole[..., : box[1], : box[2], : box[3]]
        return self.confined(inside)

    def pull(self, spectrum: Tensor, size: Tensor) -> Tensor:
        """Derivative of chi square by transforms (B, Z, Y, X), whose moduli above the floor are ``size``."""
        pull: Tensor = spectrum * (2 * self.weight * (1 - self.amplitude / size))
        return pull

    def value(self, spectrum: Tensor) -> Tensor:
        """Chi square of transforms (B, Z, Y, X) above the floor, (B,)."""
        error: Tensor = (self.weight * (self.size(spectrum) - self.amplitude).square()).flatten(1).sum(1)
        return error

    def rescaled(self, density: Tensor) -> Tensor:
        """Densities (B, z, y, x) times the factors that fit best."""
        size = self.modulus(self.transform(density))
        power = (self.weight * size.square()).flatten(1).sum(1)
        product = (self.weight * size * self.amplitude).flatten(1).sum(1)
        return density * wide(product / power.clamp_min(torch.finfo(power.dtype).tiny))

    def line_search(self, spectrum: Tensor, change: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Line search along ``change`` (B, Z, Y, X): step (B,) and chi square there (B,); step 0 without improvement.

        |F + t G|^2 is a parabola in t for every voxel, so chi square along a line needs no transform.
        """
        slope, bend = (spectrum.conj() * change).real, change.abs().square()
        return self.along_parabola(spectrum.abs().square() + self.floor.square(), slope, bend, value)

    def along_parabola(self, square: Tensor, slope: Tensor, bend: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Step (B,) and chi square there (B,) if the moduli squared are ``square + 2 t slope + t^2 bend``."""
        tiny = torch.finfo(value.dtype).tiny

        def size_at(step: Tensor) -> Tensor:
            t = wide(step)
            size: Tensor = (square + t * (2 * slope + t * bend)).clamp_min(tiny).sqrt()
            return size

        step = torch.ones_like(value)
        for _ in range(_NEWTON):
            size, along = size_at(step), slope + wide(step) * bend
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


def wide(values: Tensor) -> Tensor:
    """View of (B,) as (B, 1, 1, 1)."""
    broad: Tensor = values[:, None, None, None]
    return broad


_LEAST = 1e-12  # of a blurred intensity over the largest measured one: rounding leaves about that much
_TRUST = 1e-6  # added to the curvature along each width, of itself


class BlurredProblem(PolishProblem):
    """PolishProblem that compares the square root of the blurred intensity with the measured amplitude.

    Args:
        fourier_amplitude, mask, support, dtype: Pattern and support, as in PolishProblem.
        point_spread: (B, 3) initial root mean square widths, pixels.

    One transform and its inverse blur a pattern; those of the last spectrum are kept, so that a step of L-BFGS takes
    three such pairs beside the two transforms of the density.
    """

    def __init__(
        self, fourier_amplitude: Tensor, mask: Tensor, support: Tensor | None, dtype: torch.dtype, point_spread: Tensor
    ) -> None:
        super().__init__(fourier_amplitude, mask, support, dtype)
        self.least = _LEAST * self.amplitude.square().amax()
        self._widen_to(point_spread.to(dtype))

    def _widen_to(self, point_spread: Tensor) -> None:
        self.point_spread = point_spread
        self.envelope = point_spread_envelope(point_spread, self.shape)
        self.last: tuple[Tensor, Tensor] | None = None

    def modulus(self, spectrum: Tensor) -> Tensor:
        """Square root of the blurred intensity of transforms (B, Z, Y, X)."""
        if self.last is None or self.last[0] is not spectrum:
            blurred = blurred_intensity(spectrum.abs().square(), self.envelope)
            self.last = spectrum, blurred.clamp_min(self.least).sqrt()
        return self.last[1]

    def pull(self, spectrum: Tensor, size: Tensor) -> Tensor:
        """Derivative of chi square by the transform, (B, Z, Y, X): that by the intensities, blurred."""
        pull: Tensor = spectrum * blurred_intensity(2 * self.weight * (1 - self.amplitude / size), self.envelope)
        return pull

    def line_search(self, spectrum: Tensor, change: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Step and chi square, (B,) each, as without blur: blurred intensities are parabolas along a line too."""
        both = torch.complex((spectrum.conj() * change).real, change.abs().square())
        both = blurred_intensity(both, self.envelope)
        square = self.modulus(spectrum).square() + self.floor.square()
        return self.along_parabola(square, both.real, both.imag, value)

    def refit(self, spectrum: Tensor) -> None:
        """Gauss-Newton step of the squared widths at transforms (B, Z, Y, X), taken where it lowers chi square."""
        before, error = self.point_spread, self.error(spectrum)
        size, correlation = self.modulus(spectrum), torch.fft.fftn(spectrum.abs().square(), dim=self.axes)
        root = self.weight.sqrt()
        slopes = torch.stack(
            [
                (torch.fft.ifftn(correlation * self.envelope * slope, dim=self.axes).real / (2 * size) * root).flatten(
                    1
                )
                for slope in slopes_of_envelope(before, self.shape)
            ],
            1,
        )
        residual = ((size - self.measured) * root).flatten(1)[..., None]
        bend = slopes @ slopes.transpose(1, 2)
        bend = bend + torch.diag_embed(_TRUST * bend.diagonal(dim1=1, dim2=2) + torch.finfo(bend.dtype).tiny)
        step, failed = torch.linalg.solve_ex(bend, slopes @ residual)
        square = (before.square() - step[..., 0]).clamp(0, LARGEST_SPREAD**2)
        self._widen_to(torch.where((failed == 0)[:, None] & square.isfinite(), square.sqrt(), before))
        worse = self.error(spectrum) > error
        if worse.any():
            self._widen_to(torch.where(worse[:, None], before, self.point_spread))


class CurvatureMemory:
    """Last steps and changes of the gradient, (B, z, y, x) each, for the two-loop recursion of L-BFGS."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.pairs: list[tuple[Tensor, Tensor, Tensor]] = []

    def add(self, step: Tensor, change: Tensor) -> None:
        """Store a step and the change of the gradient, (B, z, y, x) each; ignored unless the curvature is positive."""
        curvature = inner(step, change)
        inverse = torch.where(curvature > 1e-30, 1 / curvature.clamp_min(1e-30), 0.0)
        self.pairs = [*self.pairs[-self.length + 1 :], (step, change, inverse)]

    def forget(self, where: Tensor) -> None:
        """Discard the stored curvature of the densities at ``where`` (B,) bool."""
        self.pairs = [(step, change, inverse.masked_fill(where, 0.0)) for step, change, inverse in self.pairs]

    def direction(self, gradient: Tensor) -> Tensor:
        """Minus the inverse Hessian times the gradient (B, z, y, x). Source: Nocedal & Wright (2006), Algorithm 7.4."""
        direction, factors = -gradient, []
        for step, change, inverse in reversed(self.pairs):
            factors.append(inverse * inner(step, direction))
            direction = direction - wide(factors[-1]) * change
        if self.pairs:
            _, change, inverse = self.pairs[-1]
            square = inner(change, change)
            known = (inverse > 0) & (square > 0)
            direction = direction * wide(torch.where(known, 1 / (inverse * square).clamp_min(1e-30), 1.0))
        for (step, change, inverse), factor in zip(self.pairs, reversed(factors), strict=True):
            direction = direction + wide(factor - inverse * inner(change, direction)) * step
        return direction


def inner(one: Tensor, other: Tensor) -> Tensor:
    """Real inner products of complex densities, (B, z, y, x) each -> (B,)."""
    product: Tensor = (torch.view_as_real(one) * torch.view_as_real(other)).flatten(1).sum(1)
    return product
