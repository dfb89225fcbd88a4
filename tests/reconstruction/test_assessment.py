"""Which start is the best, and what is said of starts that agree."""

import pytest
import torch

from spi_lightning.data.measurement import Measurement
from spi_lightning.phasing import Averaged, Phased
from spi_lightning.physics.fourier import fourier
from spi_lightning.reconstruction import Phasing, PhasingProblem, Reconstruction, ReconstructionSettings, assess
from spi_lightning.reconstruction.reconstruct import _agreeing
from spi_lightning.reports.phasing.verdict import verdict
from tests.phasing.lopsided import lopsided


def problem(starts: int, start: torch.Tensor | None = None) -> PhasingProblem:
    """The particle's noise-free pattern, to be phased by four iterations."""
    amplitude = fourier(lopsided(), 2).abs()
    everything = torch.ones_like(amplitude, dtype=torch.bool)
    settings = ReconstructionSettings(Phasing("4*ER"), starts=starts)
    measured = Measurement(amplitude, everything)
    return PhasingProblem(measured, settings, amplitude, everything, ~everything, lopsided() > 0, start)


def phased(density: torch.Tensor, error: torch.Tensor) -> Phased:
    """Densities (B, y, x) as the engine gives them, in the true support, with their error curves (iterations, B)."""
    return Phased(density, (lopsided() > 0).expand(density.shape), error, 1.0)


def test_the_start_of_the_least_error_that_is_reported_is_the_reference() -> None:
    density = torch.stack([torch.zeros_like(lopsided()), 1.02 * lopsided()])  # the first iterate had the lesser error
    requested = problem(2)
    found = _agreeing(requested, requested.amplitude, phased(density, torch.tensor([[0.1, 0.3]])), None, subpixel=False)
    assert found.kept.tolist() == [False, True]


def test_the_best_start_is_one_of_those_kept() -> None:
    amplitude = problem(3).amplitude
    wrong = torch.fft.fftshift(torch.fft.ifft2(torch.fft.ifftshift(amplitude), norm="ortho").real)
    density = torch.stack([wrong, 1.05 * lopsided(), 1.02 * lopsided()])  # a start alone, and two that agree
    averaged = Averaged(density[1:].mean(0), density, torch.tensor([False, True, True]), torch.eye(3))
    result, numbers = assess(Reconstruction(problem(3), phased(density, torch.zeros(4, 3)), averaged))
    assert numbers["fourier_error/best"] == pytest.approx(0.02, abs=1e-4) and result.best == 2
    assert numbers["fourier_error/lowest_of_all_starts"] < 1e-4
    text = verdict(result, numbers)
    assert text.startswith("2 of 3 starts agree; the best of them leaves a relative Fourier error of 0.02")
    assert "A start that agrees with no other leaves" in text and "began from the same" not in text
    assert "names no resolution; phases of 2 unrelated starts agree to 0.64, so 2 are too few" in text
    assert numbers["prtf/crossing"] is None


@pytest.mark.parametrize(
    ("start", "words"), [(None, "The starts began apart"), (lopsided(), "All starts began from the same density")]
)
def test_starts_that_all_converge_are_not_called_one_start(start: torch.Tensor | None, words: str) -> None:
    density = lopsided().expand(3, -1, -1)
    averaged = Averaged(density[0], density, torch.ones(3, dtype=torch.bool), torch.ones(3, 3))
    begins = None if start is None else start.expand(3, -1, -1)
    found = Reconstruction(problem(3, begins), phased(density, torch.zeros(4, 3)), averaged)
    assert words in verdict(*assess(found))
