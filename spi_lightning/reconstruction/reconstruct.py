"""Reconstruction of one pattern: the starts phased and polished, the average of those that agree, and two halves."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spi_lightning.data.measurement import Measurement
from spi_lightning.metrics.fsc import FSC, fsc
from spi_lightning.phasing import Averaged, Phased, align, average, phase
from spi_lightning.physics.agreement import fourier_error
from spi_lightning.physics.array import surface_level
from spi_lightning.physics.photons import photon_halves
from spi_lightning.physics.twin import centre, is_canonical, twin
from spi_lightning.summary import Summarised

from .network import MakeTask
from .polish import Polish, Stages, bars, polish_starts
from .problem import PhasingProblem, prepare
from .settings import ReconstructionSettings


@dataclass(frozen=True, repr=False)
class Reconstruction(Summarised):
    """The starts of one pattern and what they agree on; assessment.assess makes numbers and a result of it.

    Attributes:
        problem: What was phased and how.
        phased: Every start, its support and its error curve, after the polish if there was one.
        averaged: The starts that agree, aligned, and their mean, its centre of mass at n // 2.
        polish: How the polish ended; None: there was none.
        halves: Fourier shell correlation of the means of two halves of the photons; None without ``halves``.
    """

    problem: PhasingProblem
    phased: Phased
    averaged: Averaged
    polish: Polish | None = None
    halves: FSC | None = None

    @property
    def density(self) -> Tensor:
        """(spatial) mean of the starts that agree, float or complex, origin at n // 2."""
        return self.averaged.density


def reconstruct(
    measured: Measurement,
    settings: ReconstructionSettings | None = None,
    make_task: MakeTask | None = None,
    stages: Stages = bars,
) -> Reconstruction:
    """Reconstruct the density behind one pattern from many starts.

    Args:
        measured: The pattern, of arrays (Measurement.from_intensity) or of a file (measure_frame, measure_scan).
        settings: Settings of support, starts, recipe and polish; None: the defaults.
        make_task: Makes the task of a network's checkpoint, hydra.utils.instantiate; needed where support or start is a
            network's.
        stages: Progress of each stage: polish.bars on the terminal, polish.silent, or one of your own.

    Raises:
        UserError: A pattern that cannot be phased as the settings say, see problem.prepare and phasing.phase.
    """
    problem = prepare(measured, settings or ReconstructionSettings(), make_task)
    return solve(problem, stages)


def solve(problem: PhasingProblem, stages: Stages = bars) -> Reconstruction:
    """Phase and polish all starts of a problem, average those that agree, and correlate halves if set."""
    phased, polish = _starts(problem, problem.amplitude, "phasing", stages)
    averaged = _agreeing(problem, problem.amplitude, phased, polish, problem.recipe.moves_support)
    halves = _correlate_halves(problem, stages) if problem.settings.halves else None
    return Reconstruction(problem, phased, _canonical(averaged), polish, halves)


def _starts(problem: PhasingProblem, amplitude: Tensor, title: str, stages: Stages) -> tuple[Phased, Polish | None]:
    """All starts of some amplitudes (spatial), of the pattern or of half its photons, phased and polished."""
    settings = problem.settings
    with stages(title, problem.recipe.iterations, "error of iterates") as report, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the notes say the same
        phased = phase(
            amplitude[None],
            problem.fitted[None],
            problem.recipe,
            problem.constraint,
            support=problem.support,
            starts=settings.starts,
            seed=settings.seed,
            start=problem.start,
            progress=report,
            check_centre=False,
            counts=problem.measured.whole,
        )
    return polish_starts(problem, amplitude, phased, title, stages) if problem.polish_steps else (phased, None)


def _agreeing(
    problem: PhasingProblem, amplitude: Tensor, phased: Phased, polish: Polish | None, subpixel: bool
) -> Averaged:
    """The starts that agree with the one of the least relative Fourier error on fitted pixels, as it is reported."""
    error = fourier_error(phased.density, amplitude[None], problem.fitted) if polish is None else polish.error
    return average(phased.density, error, problem.settings.disagreement, subpixel)


def _canonical(averaged: Averaged) -> Averaged:
    """Everything as the canonical twin of the average (physics.twin.RULE), its centre of mass at n // 2.

    The rule is applied to what exceeds half the typical density: the phases of a crystal's rim are noise, which r^2
    weighs most, so that two seeds could have opposite twins.
    """
    averaged = _centred(averaged)
    amplitude, ndim = averaged.density.abs(), averaged.density.ndim
    solid = torch.where(amplitude > surface_level(amplitude, amplitude > 0), averaged.density, 0)
    if bool(is_canonical(centre(solid, ndim), ndim)):
        return averaged
    density, aligned = (twin(each, ndim) for each in (averaged.density, averaged.aligned))
    return _centred(replace(averaged, density=density, aligned=aligned))


def _centred(averaged: Averaged) -> Averaged:
    """Everything rolled by whole pixels so that the centre of mass of the average lies at n // 2."""
    ndim = averaged.density.ndim
    weight = averaged.density.abs()
    weight = torch.where(weight > 0.1 * weight.max(), weight, 0)
    correlation = torch.fft.ifftn(torch.fft.fftn(centre(weight, ndim)) * torch.fft.fftn(weight).conj()).real
    shift = tuple(int(index) for index in torch.unravel_index(correlation.argmax(), correlation.shape))
    axes = tuple(range(-ndim, 0))
    density, aligned = (torch.roll(each, shift, axes) for each in (averaged.density, averaged.aligned))
    return replace(averaged, density=density, aligned=aligned)


def _correlate_halves(problem: PhasingProblem, stages: Stages) -> FSC:
    """Phase (and polish) two binomial halves of the photons and correlate their averages shell by shell."""
    means = []
    for number, amplitude in enumerate(photon_halves(problem.amplitude, problem.settings.seed)):
        phased, polish = _starts(problem, amplitude, f"half {number + 1}", stages)
        means.append(_agreeing(problem, amplitude, phased, polish, subpixel=True).density)
    second = align(means[1][None], means[0], subpixel=True)[0]
    ratio = problem.support.numel() / max(1, int(problem.support.sum()))
    return fsc(means[0], second, second.ndim, oversampling=ratio ** (1 / second.ndim))
