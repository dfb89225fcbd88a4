import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.phasing import average
from spi_lightning.phasing.shrinkwrap import blurred
from spi_lightning.physics.twin import twin


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
