"""None"""

import pytest
import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.phasing import align, alignment, average, translate
from spi_lightning.phasing.shrinkwrap import blurred
from spi_lightning.physics.twin import twin


def smooth(shape: tuple[int, ...], seed: int, complex_: bool) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    box = torch.zeros(shape, dtype=torch.float64)
    box[tuple(slice(n // 3, 2 * n // 3) for n in shape)] = 1
    parts = [
        blurred(torch.rand(shape, generator=generator, dtype=torch.float64) * box, 1.8, len(shape)) for _ in range(2)
    ]
    return torch.complex(*parts) if complex_ else parts[0]


def disguise(density: Tensor, shift: Tensor, twinned: bool, angle: float) -> Tensor:
    moved = twin(density, density.ndim) if twinned else density
    moved = translate(moved[None], shift[None])[0]
    return moved * torch.polar(torch.ones(()), torch.tensor(angle)).to(moved.dtype) if moved.is_complex() else moved


@pytest.mark.parametrize("shape", [(24, 24), (21, 26), (14, 15, 16)])
@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("twinned", [False, True])
def test_subpixel_shift_twin_and_phase_are_undone(shape: tuple[int, ...], complex_: bool, twinned: bool) -> None:
    density = smooth(shape, 1, complex_)
    shifts = torch.tensor([[0.37, -3.81, 2.2], [-5.5, 0.13, -0.6]])[:, : len(shape)].double()
    visited = torch.stack(
        [disguise(density, shift, twinned, angle) for shift, angle in zip(shifts, (0.7, -2.9), strict=True)]
    )
    found = alignment(visited, density, subpixel=True)
    assert found.twin.tolist() == [twinned] * 2
    assert float((found.density - density).abs().max()) < 1e-5 * float(density.abs().max())
    whole = alignment(visited, density)
    assert bool((found.overlap > whole.overlap + 1e-3).all()), "a fraction of a pixel must matter here"


def test_half_a_pixel_of_a_sharp_density_is_undone() -> None:
    generator = torch.Generator().manual_seed(4)
    density = torch.zeros(15, 15, 15, dtype=torch.complex128)
    density[5:9, 4:9, 6:9] = torch.randn(4, 5, 3, generator=generator, dtype=torch.complex128)
    shifts = torch.tensor([[0.5, 0.5, 0.5], [0.4, -0.6, 2.45]], dtype=torch.float64)
    found = alignment(translate(density.expand(2, 15, 15, 15), shifts), density, subpixel=True)
    assert float((found.density - density).abs().max()) < 1e-6


def test_whole_pixels_move_values_unchanged() -> None:
    density = smooth((20, 22), 2, complex_=False)
    visited = torch.roll(twin(density, 2), (4, -7), (0, 1))[None]
    found = alignment(visited, density)
    assert torch.equal(found.density[0], density)
    assert found.twin.item()
    assert found.shift.tolist() == [[4, -7]]


def test_the_sign_of_a_real_density_is_its_global_phase() -> None:
    density = smooth((20, 20), 3, complex_=False)
    torch.testing.assert_close(align(-density[None], density)[0], density)


def test_translation_by_whole_pixels_is_a_roll_also_at_nyquist() -> None:
    density = torch.rand(2, 8, 9, dtype=torch.float64)
    moved = translate(density, torch.tensor([[3.0, -2.0], [3.0, -2.0]]))
    torch.testing.assert_close(moved, torch.roll(density, (3, -2), (1, 2)))


def runs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Six good runs in many guises, then two failed ones: a twin stagnation and something else."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.zeros(32, 32)
    truth[8:20, 10:24] = torch.rand(12, 14, generator=generator)
    truth[12:16, 24:30] = 1.0
    good = [truth + 0.02 * torch.randn(32, 32, generator=generator) for _ in range(6)]
    good = [torch.roll(twin(run, 2) if k % 2 else run, (k, -2 * k), (0, 1)) for k, run in enumerate(good)]
    other = blurred(torch.rand(32, 32, generator=generator), 2, 2) - 0.3
    return truth, torch.stack([*good, (truth + twin(truth, 2)) / 2, other]), torch.tensor([0.02] * 5 + [0.01, 0.2, 0.3])


def test_failed_runs_are_rejected_and_the_rest_averaged() -> None:
    truth, density, error = runs()
    found = average(density, error)
    assert found.kept.tolist() == [True] * 6 + [False] * 2
    truth = truth if (found.density - truth).norm() < (found.density - twin(truth, 2)).norm() else twin(truth, 2)
    overlap = torch.fft.irfft2(torch.fft.rfft2(found.density) * torch.fft.rfft2(truth).conj()).amax()
    assert float(overlap / (found.density.norm() * truth.norm())) > 0.9995  # of one run: 0.998
    assert float(found.correlation[0, :6].min()) > 0.99


def test_a_majority_of_failures_does_not_win() -> None:
    _, density, error = runs()
    found = average(density[[5, 6, 6, 6]], error[[5, 6, 6, 6]])
    assert found.kept.tolist() == [True, False, False, False]


def test_a_run_that_fits_best_but_stands_alone_gives_way_to_runs_that_agree() -> None:
    _, density, error = runs()
    loose = torch.rand(1, 32, 32, generator=torch.Generator().manual_seed(3))
    density = torch.cat([loose, density])
    found = average(density, torch.cat([torch.tensor([0.009]), error]))
    assert found.kept.tolist() == [False] + [True] * 6 + [False] * 2
    assert float(found.correlation[1, 1:7].min()) > 0.99
    alone = average(density, torch.cat([torch.tensor([0.001]), error]))  # ten times better than all others
    assert alone.kept.tolist() == [True] + [False] * 8


def test_runs_without_an_error_are_refused() -> None:
    with pytest.raises(UserError, match="finite error"):
        average(torch.rand(2, 4, 4), torch.full((2,), torch.nan))


def test_one_run_is_its_own_average() -> None:
    density = torch.rand(1, 8, 8)
    torch.testing.assert_close(average(density, torch.tensor([0.1])).density, density[0])
