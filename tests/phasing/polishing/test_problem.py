"""The blur by partial coherence in the polish: the gradient, the line, and the width that is found along the way."""

import pytest
import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.phasing.polishing.polish import polish
from spi_lightning.phasing.polishing.problem import BlurredProblem
from spi_lightning.phasing.polishing.wrapped import Wrapping, polish_wrapped
from spi_lightning.physics.partial_coherence import blurred_intensity, point_spread_envelope

AXES, BOX, SHAPE = (-3, -2, -1), (6, 7, 8), (16, 18, 20)
WIDTHS = torch.tensor([[0.3, 0.5, 0.4], [0.6, 0.2, 0.0]], dtype=torch.float64)


def blurred_pattern(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Densities in a box; Fourier amplitudes of the blurred patterns and mask, origin at n // 2."""
    generator = torch.Generator().manual_seed(seed)
    parts = torch.rand(2, 2, *BOX, dtype=torch.float64, generator=generator) + 0.2
    density = torch.complex(parts[0], parts[1] - 0.5)
    intensity = torch.fft.fftn(density, s=SHAPE, dim=AXES, norm="ortho").abs().square()
    blurred = blurred_intensity(intensity, point_spread_envelope(WIDTHS, SHAPE)).clamp_min(0)
    mask = torch.rand(2, *SHAPE, generator=generator) > 0.05
    return density, torch.fft.fftshift(blurred.sqrt(), dim=AXES), mask


def test_gradient_agrees_with_autograd() -> None:
    density, amplitude, mask = blurred_pattern()
    start = density + 0.1 * torch.randn(density.shape, dtype=density.dtype)
    problem = BlurredProblem(amplitude, mask, None, torch.float64, WIDTHS.flip(0))
    parts = torch.view_as_real(start).clone().requires_grad_()
    value = problem.value(problem.transform(torch.view_as_complex(parts)))
    (expected,) = torch.autograd.grad(value.sum(), parts)
    found = problem.gradient(problem.transform(start), start.shape)
    torch.testing.assert_close(torch.view_as_real(found), expected)


def test_line_search_knows_chi_square_along_the_line() -> None:
    density, amplitude, mask = blurred_pattern()
    problem = BlurredProblem(amplitude, mask, None, torch.float64, WIDTHS)
    start = density + 0.1 * torch.randn(density.shape, dtype=density.dtype)
    spectrum = problem.transform(start)
    gradient = problem.gradient(spectrum, start.shape)
    length = problem.value(spectrum) / gradient.abs().square().flatten(1).sum(1)
    change = problem.transform(-gradient * length[:, None, None, None])
    step, value = problem.line_search(spectrum, change, problem.value(spectrum))
    reached = spectrum + step[:, None, None, None] * change
    torch.testing.assert_close(problem.value(reached), value)
    for factor in (0.9, 1.1):
        assert (problem.value(spectrum + factor * step[:, None, None, None] * change) >= value).all()


def test_without_width_it_is_the_coherent_problem() -> None:
    density, amplitude, mask = blurred_pattern()
    start = density + 0.1
    coherent = polish(start, amplitude, mask, 4)
    blurred = polish(start, amplitude, mask, 4, point_spread=torch.zeros(2, 3))
    torch.testing.assert_close(coherent.density, blurred.density)
    assert coherent.point_spread is None and blurred.point_spread is not None


def test_a_known_density_tells_the_widths() -> None:
    density, amplitude, mask = blurred_pattern()
    problem = BlurredProblem(amplitude, mask, None, torch.float64, torch.full((2, 3), 0.2))
    spectrum = problem.transform(density)
    for _ in range(12):
        problem.refit(spectrum)
    torch.testing.assert_close(problem.point_spread, WIDTHS, atol=1e-3, rtol=0)
    assert (problem.error(spectrum) < 1e-12).all()


def test_density_and_widths_are_found_together() -> None:
    density, amplitude, mask = blurred_pattern()
    start = density + 0.02 * torch.randn(density.shape, dtype=density.dtype)
    coherent = polish(start, amplitude, mask, 300)
    found = polish(start, amplitude, mask, 300, point_spread=torch.full((2, 3), 0.2))
    assert found.point_spread is not None and (found.chi_square < 1e-3 * coherent.chi_square).all()
    torch.testing.assert_close(found.point_spread, WIDTHS, atol=0.05, rtol=0)


def test_wrapped_polish_tells_of_it() -> None:
    density, amplitude, mask = blurred_pattern()
    noisy = torch.poisson(1e5 * amplitude.square()).sqrt()
    wrapping = Wrapping(growth=(0.53,), sigma=0.3, rounds=2, steps=40, last_steps=40)
    found = polish_wrapped(300 * density.to(torch.complex64), noisy.float(), mask, wrapping)
    assert found.point_spread is not None and found.point_spread.shape == (2, 3)
    plain = Wrapping(growth=(0.53,), sigma=0.3, rounds=2, steps=40, last_steps=40, point_spread=None)
    without = polish_wrapped(300 * density.to(torch.complex64), noisy.float(), mask, plain)
    assert without.point_spread is None and (found.chi_square < without.chi_square).all()


def test_widths_out_of_range_are_refused() -> None:
    with pytest.raises(UserError, match="point_spread=2"):
        Wrapping(point_spread=2)
