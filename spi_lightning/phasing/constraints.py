"""The two things known of a density: its measured Fourier amplitudes, and where (and with which sign) it may be.

Everything here keeps its origin at index 0 (``fourier_unshifted``), works in place on a few buffers and never forms a
complex absolute value, which on a CPU costs as much as the transform it belongs to.
"""

import torch
from torch import Tensor

from spi_lightning.physics.fourier import fourier_into, inverse_fourier_into

CONSTRAINTS = ("positive", "real", "complex")


def friedel_mean(fourier_amplitude: Tensor, mask: Tensor, ndim: int) -> tuple[Tensor, Tensor]:
    """Amplitudes that a real density can have: I(q) and I(-q) averaged where both were measured, else the one that was.

    Args:
        fourier_amplitude: (..., spatial), origin at index 0.
        mask: Bool of the same shape, True = measured.
        ndim: Number of spatial axes.
    """
    axes = tuple(range(-ndim, 0))
    intensity, weight = fourier_amplitude.square() * mask, mask.to(fourier_amplitude.dtype)
    intensity, weight = (part + torch.roll(part.flip(axes), (1,) * ndim, axes) for part in (intensity, weight))
    return (intensity / weight.clamp_min(1)).sqrt(), weight > 0


class FourierConstraint:
    """Replaces the Fourier amplitudes of densities by the measured ones; unmeasured pixels float.

    Args:
        fourier_amplitude: (P, 1, spatial) float, origin at index 0.
        mask: (P, 1, spatial) bool, True = measured.
        starts: Densities per pattern.
        real: Densities are real and the half spectrum does.

    Densities are (P, starts, spatial), real, with a last axis of real and imaginary part if complex.

    Attributes:
        norm: (P, 1) norm of the measured amplitudes.
    """

    def __init__(self, fourier_amplitude: Tensor, mask: Tensor, starts: int, real: bool) -> None:
        self.ndim = fourier_amplitude.ndim - 2
        axes = tuple(range(2, fourier_amplitude.ndim))
        if real:
            fourier_amplitude, mask = friedel_mean(fourier_amplitude, mask, self.ndim)
        self.norm = torch.linalg.vector_norm(fourier_amplitude * mask, dim=axes)
        if real:
            half = fourier_amplitude.shape[-1] // 2 + 1
            fourier_amplitude, mask = fourier_amplitude[..., :half], mask[..., :half]
        self.amplitude = (fourier_amplitude * mask).contiguous()
        self.floats = None if bool(mask.all()) else (~mask).to(self.amplitude.dtype).contiguous()
        shape = (len(fourier_amplitude), starts, *self.amplitude.shape[2:])
        self.spectrum = torch.empty(shape, dtype=self.amplitude.dtype.to_complex(), device=mask.device)
        self._square = torch.empty_like(self.spectrum)
        self._factor = torch.empty(shape, dtype=self.amplitude.dtype, device=mask.device)
        self._tiny = 1e-30 if self.amplitude.dtype == torch.float32 else 1e-200

    def project(self, density: Tensor, out: Tensor) -> Tensor:
        """P_M: the nearest densities with the measured amplitudes, written to ``out``.

        X A / |X| where measured, X elsewhere; a vanishing X keeps its zero.
        """
        fourier_into(density, self.ndim, out=self.spectrum)
        torch.mul(self.spectrum, self.spectrum.conj(), out=self._square)
        torch.clamp_min(self._square.real, self._tiny, out=self._factor).rsqrt_()
        if self.floats is None:
            self._factor.mul_(self.amplitude)
        else:
            torch.addcmul(self.floats, self._factor, self.amplitude, out=self._factor)
        self.spectrum.mul_(self._factor)
        return inverse_fourier_into(self.spectrum, self.ndim, out=out)


class DensityConstraint:
    """A density vanishes outside its support and, if ``positive``, is nowhere negative.

    Args:
        support: (P or 1, starts or 1, spatial) bool, origin at index 0.
        shape: Of the densities.
        kind: "positive" (real and not negative), "real" or "complex".
        dtype: Of the densities.
    """

    def __init__(self, support: Tensor, shape: tuple[int, ...], kind: str, dtype: torch.dtype) -> None:
        self.kind, self.dtype = kind, dtype
        self.support = support
        self._inside = torch.empty(shape, dtype=dtype, device=support.device) if kind == "positive" else None
        self.set_support(support)

    def set_support(self, support: Tensor) -> None:
        """Exchange the support; the same shapes as before, or one of each start."""
        self.support = support
        weight = support.to(self.dtype)
        self._weight = weight[..., None].expand(*weight.shape, 2).contiguous() if self.kind == "complex" else weight

    def inside(self, density: Tensor, above: float = 0.0) -> Tensor:
        """1 where a density obeys the constraint, else 0; valid until the next call.

        Args:
            density: (P, starts, spatial) real, or with a last axis of real and imaginary part.
            above: Least value that counts as positive.
        """
        if self._inside is None:
            return self._weight
        return torch.gt(density, above, out=self._inside).mul_(self._weight)

    def project(self, density: Tensor, out: Tensor) -> Tensor:
        """P_S: the nearest density that obeys the constraint, written to ``out`` (which may be ``density``)."""
        if self.kind == "positive":
            return torch.clamp_min(density, 0, out=out).mul_(self._weight)
        return torch.mul(density, self._weight, out=out)
