"""Projections on the constraints of a density: measured Fourier amplitudes, support and positivity.

Origins are at index 0 (``fourier_unshifted``). All operations work in place on a few buffers and never form a complex
absolute value, which on a CPU costs as much as the transform.
"""

import torch
from torch import Tensor

from spi_lightning.physics.fourier import fourier_into, inverse_fourier_into

CONSTRAINTS = ("positive", "real", "complex")
_NEVER = 1e30  # no density exceeds it; they are scaled to a root mean square of 1


def friedel_mean(fourier_amplitude: Tensor, mask: Tensor, ndim: int) -> tuple[Tensor, Tensor]:
    """Friedel-symmetric amplitudes: I(q) and I(-q) averaged where both were measured, else the measured one.

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
    """Projection of densities on the measured Fourier amplitudes; unmeasured pixels float.

    Args:
        fourier_amplitude: (P, 1, spatial) float, origin at index 0.
        mask: (P, 1, spatial) bool, True = measured.
        starts: Number of densities per pattern.
        real: Whether densities are real, so that the half spectrum suffices.

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
        self._parts = torch.view_as_real(self.spectrum)
        self._squares = torch.empty_like(self._parts)
        self._factor = torch.empty(shape, dtype=self.amplitude.dtype, device=mask.device)
        self._tiny = 1e-30 if self.amplitude.dtype == torch.float32 else 1e-200

    def project(self, density: Tensor, out: Tensor) -> Tensor:
        """P_M: nearest densities (P, starts, spatial) with the measured amplitudes, written to ``out``.

        X A / |X| where measured, X elsewhere; a vanishing X keeps its zero.
        """
        fourier_into(density, self.ndim, out=self.spectrum)
        torch.mul(self._parts, self._parts, out=self._squares)
        torch.add(self._squares[..., 0], self._squares[..., 1], out=self._factor)
        self._factor.clamp_min_(self._tiny).rsqrt_()
        if self.floats is None:
            self._factor.mul_(self.amplitude)
        else:
            torch.addcmul(self.floats, self._factor, self.amplitude, out=self._factor)
        self.spectrum.mul_(self._factor)
        return inverse_fourier_into(self.spectrum, self.ndim, out=out)


class DensityConstraint:
    """Projection of densities on a support and, if ``positive``, on non-negative values.

    Args:
        support: (P or 1, starts or 1, spatial) bool, origin at index 0.
        shape: Shape of the densities, (P, starts, spatial).
        kind: "positive" (real and not negative), "real" or "complex".
        dtype: Real dtype of the densities.
    """

    def __init__(self, support: Tensor, shape: tuple[int, ...], kind: str, dtype: torch.dtype) -> None:
        self.kind = kind
        self._violated = torch.empty(shape, dtype=dtype, device=support.device) if kind == "positive" else None
        self._outside = (~support).to(dtype)
        if kind == "complex":
            self._outside = torch.stack([self._outside, self._outside], -1)
        self._inside = 1 - self._outside
        self._least = self._outside * _NEVER

    @property
    def support(self) -> Tensor:
        """Current support, (P or 1, starts or 1, spatial) bool."""
        return (self._outside if self.kind != "complex" else self._outside[..., 0]) == 0

    def set_support(self, density: Tensor, level: Tensor) -> None:
        """Set the support to where ``density`` (P, starts, spatial) exceeds ``level``, broadcast against it."""
        shape = density.shape if self.kind != "complex" else (*density.shape, 2)
        if self._outside.shape != shape:  # so far one support for all
            self._outside, self._inside, self._least = (density.new_empty(shape) for _ in range(3))
        if self.kind == "complex":
            for part in (0, 1):
                torch.le(density, level, out=self._outside[..., part])
        else:
            torch.le(density, level, out=self._outside)
        torch.sub(1, self._outside, out=self._inside)
        if self.kind == "positive":
            torch.mul(self._outside, _NEVER, out=self._least)

    def violated(self, density: Tensor, above: float = 0.0) -> Tensor:
        """1 where a density violates the constraint, else 0; the buffer is valid until the next call.

        Args:
            density: (P, starts, spatial) real, or with a last axis of real and imaginary part.
            above: Value that a positive density must exceed.
        """
        if self._violated is None:
            return self._outside
        # One comparison for both: a density must exceed 0 in the support, _NEVER outside.
        return torch.le(density, self._least + above if above else self._least, out=self._violated)

    def project(self, density: Tensor, out: Tensor) -> Tensor:
        """P_S: nearest density (P, starts, spatial) that obeys the constraint, written to ``out``."""
        if self.kind == "positive":
            return torch.clamp_min(density, 0, out=out).mul_(self._inside)
        return torch.mul(density, self._inside, out=out)
