"""Exact polish of noise-free patterns: HIO in a support as tight as the particle, then L-BFGS down to rounding."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.phasing.engine import phase
from spi_lightning.phasing.recipe import read_recipe
from spi_lightning.phasing.shrinkwrap import largest_voxels
from spi_lightning.physics.array import box_around
from spi_lightning.progress import Progress

from .polish import polish

_SIGMA = 0.7  # voxel, as in the recipe
_HOPELESS = 3e-4  # chi square above which, after one turn, a pattern is noisy
_NOISE = 0.25  # variance of the square root of a Poisson count


@dataclass(frozen=True)
class Exact:
    """Options of polish_exactly().

    Attributes:
        recipe: Phasing recipe. Long HIO leaves the local minima that alternate HIO and ER fall back into, and a support
            with hardly a voxel to spare distinguishes them from the true density.
        turns: Largest number of repetitions for starts that are not solved yet.
        steps: Steps of L-BFGS in each of two supports.
        margin: Voxels of the first support over those of the last support of the recipe.
        level: Share of the largest amplitude above which a voxel belongs to the second support.
        solved: Chi square below which a start is solved, and the smaller of two supports is preferred.
        kept: Chi square above which the result is discarded: the pattern is noisy or not solved.
        noise: Chi square by photon counting below which patterns count as noise-free; in float64 all do.
    """

    recipe: str = "800*HIO(0.7) + 60*ER + shrinkwrap(0.7, 0.15)/10"
    turns: int = 4
    steps: int = 100
    margin: float = 1.3
    level: float = 3e-4
    solved: float = 1e-8
    kept: float = 1e-6
    noise: float = 1e-7

    def __post_init__(self) -> None:
        read_recipe(self.recipe, "wrapping.exact.recipe")
        if min(self.turns, self.steps) < 1 or self.margin < 1 or not 0 <= self.level < 1:
            raise UserError("polish: turns and steps are 1 or more, margin is 1 or more, level from 0 to below 1")

    def applies_to(self, fourier_amplitude: Tensor, mask: Tensor) -> bool:
        """Whether patterns (B, Z, Y, X), sqrt(photons), count as noise-free.

        Counting alone leaves the true density a chi square of a quarter of the voxels over the photons.
        """
        if fourier_amplitude.dtype == torch.float64:
            return True
        photons = (mask * fourier_amplitude.square()).flatten(1).sum(1)
        left = _NOISE * mask.expand(fourier_amplitude.shape).flatten(1).sum(1) / photons
        return bool((left < self.noise).all())


@dataclass
class ExactlyPolished:
    """Result of polish_exactly().

    Attributes:
        density: (B, Z, Y, X) complex128, 0 outside the support.
        support: (B, Z, Y, X) bool, True inside.
        chi_square: (B,) relative squared error over the measured voxels.
    """

    density: Tensor
    support: Tensor
    chi_square: Tensor


@torch.no_grad()
def polish_exactly(
    density: Tensor,
    fourier_amplitude: Tensor,
    mask: Tensor,
    support: Tensor,
    exact: Exact,
    progress: Progress | None = None,
) -> ExactlyPolished:
    """Fit noise-free patterns down to rounding, in supports that shrink to the particle.

    Args:
        density: (B, Z, Y, X) complex start.
        fourier_amplitude, mask: (B, Z, Y, X) float and bool, origin at n // 2.
        support: (B, Z, Y, X) bool, initial support.
        exact: Options of the exact polish.
        progress: Called with the iterations done, their largest number and the lowest chi square (B,).

    Source: HIO: Fienup (1982), Appl. Opt. 21, 2758; shrink-wrap: Marchesini et al. (2003), Phys. Rev. B 68, 140101.
    """
    density, support = density.to(torch.complex128, copy=True), support.clone()
    fourier_amplitude = fourier_amplitude.double()
    found = ExactlyPolished(density.clone(), support.clone(), density.abs().new_full((len(density),), torch.inf))
    lowest, done = found.chi_square.clone(), 0
    most = exact.turns * (read_recipe(exact.recipe).iterations + 2 * exact.steps)
    for _ in range(exact.turns):
        left = (found.chi_square > exact.solved).nonzero()[:, 0]
        if not len(left):
            break

        def watch(iteration: int, chi: Tensor, left: Tensor = left, before: int = done) -> None:
            lowest[left] = torch.minimum(lowest[left], chi.to(lowest.dtype))
            if progress is not None:
                progress(before + iteration, most, lowest.clone())

        done += _turn(found, density, support, left, fourier_amplitude, mask, exact, watch)
        if (found.chi_square > _HOPELESS).all():
            break
    return found


def _turn(
    found: ExactlyPolished,
    density: Tensor,
    support: Tensor,
    left: Tensor,
    fourier_amplitude: Tensor,
    mask: Tensor,
    exact: Exact,
    watch: Callable[[int, Tensor], None],
) -> int:
    """One turn of recipe and polish for the starts ``left`` (n,); better results go into ``found``."""
    pattern, measured, recipe = fourier_amplitude[left], mask[left], read_recipe(exact.recipe)
    phased = phase(
        pattern.float(),
        measured,
        recipe,
        "complex",
        support=support[left],
        start=density[left].to(torch.complex64),
        progress=lambda iteration, _, error: watch(iteration, error.square()),
        least_oversampling=1.0,
    )
    trial, inside = (phased.density * phased.support).to(density.dtype), phased.support
    density[left], support[left] = trial, inside
    steps = recipe.iterations
    for bare in (False, True):
        inside = (
            _bare(trial, exact.level)
            if bare
            else largest_voxels(trial, (exact.margin * _volume(inside)).ceil(), _SIGMA)
        )
        box = (slice(None), *box_around(inside, 3))
        polished = polish(
            trial[box].contiguous(),
            pattern,
            measured,
            exact.steps,
            inside[box].contiguous(),
            soften=3.0,
            progress=lambda step, _, chi, before=steps: watch(before + step, chi),  # type: ignore[misc]
        )
        steps += exact.steps
        trial = torch.zeros_like(trial)
        trial[box] = polished.density
        fewer = _volume(inside) < _volume(found.support[left])
        better = (polished.chi_square < found.chi_square[left]) | (fewer & (polished.chi_square < exact.solved))
        found.density[left[better]], found.support[left[better]] = trial[better], inside[better]
        found.chi_square[left[better]] = polished.chi_square[better]
    return steps


def _volume(support: Tensor) -> Tensor:
    """Numbers of voxels of supports, (B, Z, Y, X) bool -> (B,)."""
    return support.flatten(1).sum(1)


def _bare(density: Tensor, level: float) -> Tensor:
    """Support (B, Z, Y, X) bool where the amplitude exceeds ``level`` times its largest value."""
    amplitude = density.abs()
    return amplitude > level * amplitude.flatten(1).amax(1)[:, None, None, None]
