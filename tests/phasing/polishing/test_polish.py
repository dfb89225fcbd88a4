"""L-BFGS on a density: the gradient, the line search, independence of the patterns of a batch, and what it reaches."""

import pytest
import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.phasing.polishing.polish import polish
from spi_lightning.phasing.polishing.problem import PolishProblem
from spi_lightning.physics.agreement import chi_square
from spi_lightning.physics.fourier import fourier

BOX, SHAPE = (6, 8, 7), (14, 16, 15)


def drawn(count: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Densities in a box; Fourier amplitudes and mask of the padded array, origin at n // 2."""
    density = torch.randn(count, *BOX, dtype=torch.complex128) + 2
    pads = [(n - side) // 2 for n, side in zip(SHAPE, BOX, strict=True)]
    whole = torch.zeros(count, *SHAPE, dtype=torch.complex128)
    whole[:, pads[0] : pads[0] + 6, pads[1] : pads[1] + 8, pads[2] : pads[2] + 7] = density
    return density, fourier(whole, ndim=3).abs(), torch.rand(count, *SHAPE) > 0.05


def test_gradient_agrees_with_autograd() -> None:
    _, amplitude, mask = drawn()
    start = torch.randn(2, *BOX, dtype=torch.complex128)
    problem = PolishProblem(amplitude, mask, None, torch.float64)
    parts = torch.view_as_real(start).clone().requires_grad_()
    value = problem.value(problem.transform(torch.view_as_complex(parts)))
    (expected,) = torch.autograd.grad(value.sum(), parts)
    found = problem.gradient(problem.transform(start), start.shape)
    torch.testing.assert_close(torch.view_as_real(found), expected)
    predicted = torch.fft.fftshift(problem.transform(start).abs(), dim=(-3, -2, -1))
    torch.testing.assert_close(value.detach(), chi_square(predicted, amplitude, mask, scaled=False))


def test_line_search_finds_the_minimum_of_the_line() -> None:
    density, amplitude, mask = drawn()
    problem = PolishProblem(amplitude, mask, None, torch.float64)
    start = density + 0.3 * torch.randn_like(density)
    spectrum, change = problem.transform(start), 3 * problem.transform(density - start)
    step, value = problem.line_search(spectrum, change, problem.value(spectrum))
    lengths = torch.linspace(0, 1, 1001, dtype=torch.float64)
    along = torch.stack([problem.value(spectrum + length * change) for length in lengths])
    torch.testing.assert_close(along.amin(0), value, rtol=0.02, atol=1e-6)
    torch.testing.assert_close(problem.value(spectrum + step[:, None, None, None] * change), value)


def test_a_spoilt_density_is_restored() -> None:
    density, amplitude, mask = drawn()
    start = 7 * (density + 0.05 * torch.randn_like(density))
    found = polish(start, amplitude, mask, steps=400)
    assert (found.history[0] > 1e-4).all() and (found.chi_square < 1e-12).all()
    assert (found.history[1:] <= found.history[:-1]).all()
    overlap = (found.density * density.conj()).flatten(1).sum(1)
    turned = density * (overlap / overlap.abs())[:, None, None, None]
    assert ((found.density - turned).flatten(1).norm(dim=1) / density.flatten(1).norm(dim=1) < 1e-4).all()


def test_patterns_of_a_batch_do_not_know_each_other() -> None:
    _, amplitude, mask = drawn(3)
    start = torch.randn(3, *BOX, dtype=torch.complex128)
    together = polish(start, amplitude, mask, steps=15)
    for number in range(3):
        one = slice(number, number + 1)
        alone = polish(start[one], amplitude[one], mask[one], steps=15)
        torch.testing.assert_close(alone.history[:, 0], together.history[:, number], rtol=1e-6, atol=0)


def test_support_is_kept_and_unmeasured_voxels_are_free() -> None:
    density, amplitude, mask = drawn()
    support = torch.rand(BOX) > 0.3
    found = polish(torch.randn_like(density), amplitude, mask, steps=5, support=support)
    assert (found.density[:, ~support] == 0).all() and (found.density[:, support] != 0).all()
    spoilt = torch.where(mask, amplitude, 1e3)
    again = polish(density, spoilt, mask, steps=3)
    assert (again.chi_square < 1e-20).all()


def test_softened_polish_meets_a_pattern_whose_zeros_catch_the_plain_one() -> None:
    density, amplitude, mask = drawn()
    start = density + 0.3 * torch.randn(density.shape, generator=torch.Generator().manual_seed(0), dtype=density.dtype)
    reported: list[int] = []
    found = polish(start, amplitude, mask, steps=400, soften=3.0, progress=lambda step, total, _: reported.append(step))
    assert (found.chi_square < 1e-20).all() and reported == list(range(1, len(found.history)))
    assert (found.history[-1] < 1e-20).all() and len(found.history) < 400  # done before


def test_softened_gradient_agrees_with_autograd() -> None:
    _, amplitude, mask = drawn()
    start = torch.randn(2, *BOX, dtype=torch.complex128)
    problem = PolishProblem(amplitude, mask, None, torch.float64)
    problem.soften(problem.transform(start), 2.0)
    parts = torch.view_as_real(start).clone().requires_grad_()
    value = problem.value(problem.transform(torch.view_as_complex(parts)))
    (expected,) = torch.autograd.grad(value.sum(), parts)
    found = problem.gradient(problem.transform(start), start.shape)
    torch.testing.assert_close(torch.view_as_real(found), expected)
    assert (value < problem.error(problem.transform(start))).all()


def test_float32_stays_finite_at_the_solution() -> None:
    density, amplitude, mask = drawn()
    found = polish(density.to(torch.complex64), amplitude.float(), mask, steps=30)
    assert (found.chi_square < 1e-11).all() and torch.isfinite(torch.view_as_real(found.density)).all()


def test_mistakes_are_named() -> None:
    density, amplitude, mask = drawn()
    with pytest.raises(UserError, match="give complex"):
        polish(density.real, amplitude, mask)
    with pytest.raises(UserError, match="a box of"):
        polish(torch.zeros(2, 20, 8, 8, dtype=torch.complex64), amplitude, mask)
    with pytest.raises(UserError, match="2 densities"):
        polish(density, amplitude[:1], mask[:1])


def test_the_course_is_reported_and_kept_up_to_the_last_step() -> None:
    density, amplitude, mask = drawn()
    notes: list[Tensor] = []
    found = polish(
        density + 0.05 * torch.randn_like(density),
        amplitude,
        mask,
        steps=1000,
        tolerance=1e-3,
        progress=lambda step, total, chi: notes.append(chi),
    )
    assert len(found.history) == len(notes) + 1 < 1001
    torch.testing.assert_close(torch.stack(notes), found.history[1:], rtol=0, atol=0)
    torch.testing.assert_close(found.history[-1], found.chi_square)
