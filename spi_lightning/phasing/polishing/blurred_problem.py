"""Chi square of a density with a partially coherent pattern, whose blur is fitted along with the density."""

import torch
from torch import Tensor

from spi_lightning.physics.partial_coherence import (
    LARGEST_SPREAD,
    blurred_intensity,
    point_spread_envelope,
    slopes_of_envelope,
)

from .problem import PolishProblem

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
