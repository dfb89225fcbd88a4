"""Chi square of a density in a box, its gradient, and its exact course along a line."""

import torch
from torch import Tensor

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
