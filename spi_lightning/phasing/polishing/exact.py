"""The end for noise-free patterns: HIO in a support as tight as the particle, then a polish that meets the pattern."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.phasing.engine import phase
from spi_lightning.phasing.recipes.recipe import read_recipe
from spi_lightning.phasing.shrinkwrap import blurred
from spi_lightning.physics.array import box_around
from spi_lightning.progress import Progress

from .polish import polish

_SIGMA = 0.7  # voxel, as in the recipe
_HOPELESS = 3e-4  # chi square that no start of a noise-free pattern has kept after a turn: this one is noisy
_NOISE = 0.25  # variance of the square root of a Poisson count


@dataclass(frozen=True)
class Exact:
    """How polish_exactly() goes about it.

    recipe: of phasing. Long HIO leaves the local minima that turns of HIO and ER fall back into, and a support with
    hardly a voxel to spare is what tells them from the truth. turns: of it, for what is not solved yet. steps: of
    L-BFGS, in each of two supports. room: voxels of the first over those of the recipe's last; level: amplitude over
    the largest from which a voxel is in the second, once the density outside the particle has gone. solved: chi square
    from which nothing more is tried, and fewer voxels are better than less. kept: chi square above which the answer is
    thrown away, as the pattern is not free of noise or not solved. noise: chi square left by the counting of photons,
    below which patterns are taken for noise-free; in float64 it is tried with all.
    """

    recipe: str = "800*HIO(0.7) + 60*ER + shrinkwrap(0.7, 0.15)/10"
    turns: int = 4
    steps: int = 100
    room: float = 1.3
    level: float = 3e-4
    solved: float = 1e-8
    kept: float = 1e-6
    noise: float = 1e-7

    def __post_init__(self) -> None:
        read_recipe(self.recipe, "wrapping.exact.recipe")
        if min(self.turns, self.steps) < 1 or self.room < 1 or not 0 <= self.level < 1:
            raise UserError("polish: turns and steps are 1 or more, room is 1 or more, level from 0 to below 1.")

    def serves(self, fourier_amplitude: Tensor, mask: Tensor) -> bool:
        """Shall it be tried with patterns (B, Z, Y, X), sqrt(photons)?

        Counting alone leaves the density that diffracts a chi square of a quarter of the voxels over the photons.
        """
        if fourier_amplitude.dtype == torch.float64:
            return True
        photons = (mask * fourier_amplitude.square()).flatten(1).sum(1)
        left = _NOISE * mask.expand(fourier_amplitude.shape).flatten(1).sum(1) / photons
        return bool((left < self.noise).all())


@dataclass
class ExactlyPolished:
    """Densities (B, Z, Y, X) complex128, 0 outside their supports (B, Z, Y, X) bool; chi_square (B,)."""

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
    """Meet noise-free patterns to rounding, in supports that shrink to the particle.

    Args:
        density: (B, Z, Y, X) complex, a start.
        fourier_amplitude, mask: (B, Z, Y, X) float and bool, origin at n // 2.
        support: (B, Z, Y, X) bool, the first.
        exact: Its options.
        progress: Called with the iterations done, the most there may be, and the lowest chi square (B,).

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
    """Recipe and polish for those ``left``; better answers go into ``found``, where the recipe came into its start."""
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
        inside = _bare(trial, exact.level) if bare else _roomy(trial, inside, exact.room)
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
        fewer = inside.flatten(1).sum(1) < found.support[left].flatten(1).sum(1)
        better = (polished.chi_square < found.chi_square[left]) | (fewer & (polished.chi_square < exact.solved))
        found.density[left[better]], found.support[left[better]] = trial[better], inside[better]
        found.chi_square[left[better]] = polished.chi_square[better]
    return steps


def _roomy(density: Tensor, inside: Tensor, room: float) -> Tensor:
    """The largest voxels of the blurred amplitude, ``room`` times as many as are ``inside``."""
    amplitude = density.abs()
    order = blurred(amplitude, _SIGMA, 3).flatten(1).argsort(1, descending=True).argsort(1)
    larger: Tensor = order < (room * inside.flatten(1).sum(1))[:, None]
    return larger.view(amplitude.shape)


def _bare(density: Tensor, level: float) -> Tensor:
    """Where the amplitude itself is above ``level`` times its largest."""
    amplitude = density.abs()
    return amplitude > level * amplitude.flatten(1).amax(1)[:, None, None, None]
