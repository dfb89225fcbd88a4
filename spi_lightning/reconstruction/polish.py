"""The end of phasing: every start polished within its last support, and what the polish found of a blur."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from spi_lightning.notes import Note
from spi_lightning.phasing import Averaged, Phased, average
from spi_lightning.phasing.polishing.cropped import polish_cropped
from spi_lightning.physics.agreement import fourier_error
from spi_lightning.physics.partial_coherence import LARGEST_SPREAD

from .phase import Task, progress_of, run_task

_WIDEST: Final = 0.98  # of the largest width, from which the blur may be wider than it


@dataclass(frozen=True)
class Finish:
    """How a polish ended, S starts.

    Attributes:
        error: (S,) relative Fourier error on the fitted pixels.
        before, held_before: (S,) relative Fourier error of the recipe alone, fitted and held-out pixels (NaN: none).
        point_spread: (S, axes) root mean square widths of the blur by partial coherence, pixels; None: none fitted.
        steps: Of L-BFGS.
        seconds: It took.
    """

    error: Tensor
    before: Tensor
    held_before: Tensor
    point_spread: Tensor | None
    steps: int
    seconds: float

    def median_spread(self, kept: Tensor) -> Tensor | None:
        """(axes), over the starts that were kept."""
        return None if self.point_spread is None else self.point_spread[kept].quantile(0.5, dim=0)

    def numbers(self, kept: Tensor) -> dict[str, float | int]:
        """Steps, time, and the typical width of the blur along each axis, pixels."""
        numbers: dict[str, float | int] = {"polish_steps": self.steps, "polish_seconds": round(self.seconds, 3)}
        spread = self.median_spread(kept)
        if spread is not None:
            numbers |= {f"point_spread/{axis}": float(w) for axis, w in zip("zyx"[-len(spread) :], spread, strict=True)}
        return numbers

    def notes(self, best: int, kept: Tensor, error: float, held: float, element: str) -> list[Note]:
        """Lines for the user, of the best kept start and its errors ``error`` and ``held`` after the polish."""
        text = f"polish: {self.steps} steps of L-BFGS took the relative Fourier error of the best kept start from "
        text += f"{float(self.before[best]):.3g} to {error:.3g}"
        if held == held:  # not NaN
            before = float(self.held_before[best])
            text += f", on held-out {element}s from {before:.3g} to {held:.3g}"
            text += "" if held <= before else "; what it fits there is not confirmed here: polish=0 leaves it out"
        lines, spread = [Note.of(text)], self.median_spread(kept)
        if spread is not None:
            names = ", ".join("zyx"[-len(spread) :])
            widths = ", ".join(f"{width:.2f}" for width in spread.tolist())
            line = f"blur by partial coherence along {names}: {widths} pixels of the pattern (root mean square)"
            if float(spread.max()) > _WIDEST * LARGEST_SPREAD:
                line += f"; {LARGEST_SPREAD:.2f} is the widest that can be fitted: the pattern may be blurred further"
            lines.append(Note.of(line))
        return lines


def solve(task: Task, amplitude: Tensor, title: str) -> tuple[Phased, Finish | None]:
    """Phase some amplitudes of a pattern from all starts, and polish them if the task says so."""
    phased = run_task(task, amplitude, title)
    return polished(task, amplitude, phased, title) if task.polish_steps else (phased, None)


def polished(task: Task, amplitude: Tensor, phased: Phased, title: str) -> tuple[Phased, Finish]:
    """The starts after L-BFGS in their last supports; their error curves stay those of the recipe."""
    before = fourier_error(phased.density, amplitude[None], task.fitted)
    held = torch.full_like(before, torch.nan)
    if bool(task.held.any()):
        held = fourier_error(phased.density, amplitude[None], task.held)
    begin = time.perf_counter()
    with progress_of(f"{title}, polish", task.polish_steps, "error") as report:
        found = polish_cropped(
            phased.density,
            phased.support,
            amplitude,
            task.fitted,
            task.polish_steps,
            task.point_spread,
            lambda step, steps, chi_square: report(step, steps, chi_square.sqrt()),
        )
        report(task.polish_steps, task.polish_steps, found.chi_square.sqrt())  # it may have converged earlier
    seconds = time.perf_counter() - begin
    error = found.chi_square.clamp_min(0).sqrt()
    finish = Finish(error, before, held, found.point_spread, found.steps, seconds)
    return replace(phased, density=found.density), finish


def agreeing(
    task: Task, amplitude: Tensor, phased: Phased, finish: Finish | None, disagreement: float, subpixel: bool
) -> Averaged:
    """The starts that agree with the one of the least relative Fourier error on fitted pixels, as it is reported."""
    error = fourier_error(phased.density, amplitude[None], task.fitted) if finish is None else finish.error
    return average(phased.density, error, disagreement, subpixel)
