"""Stages of a reconstruction: their progress, and the polish of the phased starts within their last supports.

Phasing and polish are stages of a pattern and of each of its halves. The polish fits the blur by partial coherence.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Final

from torch import Tensor

from spi_lightning.notes import Note
from spi_lightning.phasing import Phased
from spi_lightning.phasing.polishing.cropped import polish_cropped
from spi_lightning.physics.agreement import fourier_error
from spi_lightning.physics.partial_coherence import LARGEST_SPREAD
from spi_lightning.progress import Progress, ProgressBar, no_progress

from .problem import PhasingProblem

Stages = Callable[[str, int, str], AbstractContextManager[Progress]]
"""Called with the title of a stage, its number of iterations and the name of its error; gives its progress."""

_EVERY: Final = 20  # iterations between changes of a bar, each of which waits for the device


@contextmanager
def bars(title: str, iterations: int, error_name: str) -> Iterator[Progress]:
    """A bar for each stage, with the iteration and the least error of the starts.

    The error of iterates is the relative Fourier error before an update, whose projections change it further; the
    densities that are written have another one.
    """
    with ProgressBar(always=True) as drawn:
        bar = drawn.add_task(title, total=iterations)

        def update(iteration: int, iterations: int, error: Tensor) -> None:
            if iteration % _EVERY == 0 or iteration == iterations:
                words = f"{title}, {error_name} {float(error.min()):.2e}"
                drawn.update(bar, completed=iteration, description=words)

        yield update


@contextmanager
def silent(title: str, iterations: int, error_name: str) -> Iterator[Progress]:
    """No progress at all."""
    yield no_progress


_WIDEST: Final = 0.98  # of the largest width, from which the blur may be wider than it


@dataclass(frozen=True)
class Polish:
    """How the polish of S starts ended.

    Attributes:
        error: (S,) relative Fourier error on the fitted pixels.
        before, held_out_before: (S,) relative Fourier error of the recipe alone, on fitted and held-out pixels; NaN:
            none is held out.
        point_spread: (S, axes) root mean square widths of the blur by partial coherence, pixels; None: none fitted.
        steps: Number of L-BFGS steps taken.
        seconds: Wall time of the polish, s.
    """

    error: Tensor
    before: Tensor
    held_out_before: Tensor
    point_spread: Tensor | None
    steps: int
    seconds: float

    def median_spread(self, kept: Tensor) -> Tensor | None:
        """(axes) widths of the blur, pixels, the median over the kept starts (S,) bool; None: none fitted."""
        return None if self.point_spread is None else self.point_spread[kept].quantile(0.5, dim=0)

    def numbers(self, kept: Tensor) -> dict[str, float | int]:
        """Steps, time (s), and the typical width of the blur along each axis, pixels; ``kept`` (S,) bool."""
        numbers: dict[str, float | int] = {"polish_steps": self.steps, "polish_seconds": round(self.seconds, 3)}
        spread = self.median_spread(kept)
        if spread is not None:
            numbers |= {f"point_spread/{axis}": float(w) for axis, w in zip("zyx"[-len(spread) :], spread, strict=True)}
        return numbers

    def notes(self, best: int, kept: Tensor, error: float, held_out: float, element: str) -> list[Note]:
        """Lines on what the polish gained and which blur it found.

        Args:
            best: Index of the best kept start.
            kept: (S,) bool, starts that agree.
            error, held_out: Relative Fourier error of that start after the polish, on fitted and held-out pixels.
            element: Word for the elements of the pattern, ``pixel`` or ``voxel``.
        """
        text = f"polish: {self.steps} steps of L-BFGS took the relative Fourier error of the best kept start from "
        text += f"{float(self.before[best]):.3g} to {error:.3g}"
        if held_out == held_out:  # not NaN
            before = float(self.held_out_before[best])
            text += f", on held-out {element}s from {before:.3g} to {held_out:.3g}"
            text += (
                "" if held_out <= before else "; what it fits there is not confirmed here: polish_steps=0 leaves it out"
            )
        lines, spread = [Note.of(text)], self.median_spread(kept)
        if spread is not None:
            names = ", ".join("zyx"[-len(spread) :])
            widths = ", ".join(f"{width:.2f}" for width in spread.tolist())
            line = f"blur by partial coherence along {names}: {widths} pixels of the pattern (root mean square)"
            if float(spread.max()) > _WIDEST * LARGEST_SPREAD:
                line += f"; {LARGEST_SPREAD:.2f} is the widest that can be fitted: the pattern may be blurred further"
            lines.append(Note.of(line))
        return lines


def polish_starts(
    problem: PhasingProblem, amplitude: Tensor, phased: Phased, title: str, stages: Stages
) -> tuple[Phased, Polish]:
    """The starts after L-BFGS in their last supports; their error curves stay those of the recipe.

    Args:
        problem: Pattern and settings that are phased.
        amplitude: (spatial) Fourier amplitudes that the starts were phased from, of the pattern or of half its photons.
        phased: The starts after the recipe.
        title: Words on the pattern, for the progress.
        stages: Progress of each stage, such as ``bars`` or ``silent``.
    """
    before = fourier_error(phased.density, amplitude[None], problem.fitted)
    held_out = problem.held_out_error(phased.density, amplitude)
    begin = time.perf_counter()
    with stages(f"{title}, polish", problem.polish_steps, "error") as report:
        found = polish_cropped(
            phased.density,
            phased.support,
            amplitude,
            problem.fitted,
            problem.polish_steps,
            problem.settings.point_spread,
            lambda step, steps, chi_square: report(step, steps, chi_square.sqrt()),
        )
        report(problem.polish_steps, problem.polish_steps, found.chi_square.sqrt())  # it may have converged earlier
    seconds = time.perf_counter() - begin
    error = found.chi_square.clamp_min(0).sqrt()
    finish = Polish(error, before, held_out, found.point_spread, found.steps, seconds)
    return replace(phased, density=found.density), finish
