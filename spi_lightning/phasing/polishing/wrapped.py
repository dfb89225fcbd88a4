"""Polish with shrink-wrap: supports follow the density, and held-out voxels select their size."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.phasing.checks import hold_out
from spi_lightning.phasing.engine import phase
from spi_lightning.phasing.recipe import read_recipe
from spi_lightning.phasing.shrinkwrap import blurred, largest_voxels
from spi_lightning.physics.agreement import held_out_chi_square, predicted_amplitude
from spi_lightning.physics.array import pad
from spi_lightning.physics.partial_coherence import require_width
from spi_lightning.progress import Progress

from .cropped import boxes_around
from .exact import Exact, polish_exactly
from .polish import polish

_SIGMA, _LEVEL = 1.0, 0.1  # of the shrink-wrap of the beamline's recipe, see conf/phasing/wu_iterative.yaml
_AXES = (-3, -2, -1)


@dataclass(frozen=True)
class Wrapping:
    """Options of polish_wrapped().

    Attributes:
        growth: Candidate sizes of the support, as multiples of the voxels that a shrink-wrap at a tenth keeps. A
            density of limited resolution rings outside its particle, so that more than 1 is right unless counting noise
            forbids it.
        rounds: Number of supports drawn, each followed by a polish.
        steps: Steps of L-BFGS in each round but the last.
        last_steps: Steps in the last round, where noise-free patterns gain from a thousand (in float64).
        sigma: Standard deviation of the blur before supports are drawn, voxel.
        validation: Share of the fitted voxels held out in the trial of each growth; the growth that fits them best is
            used for all members, on all voxels.
        seed: Seed of the held-out voxels.
        recipe: Phasing recipe run first, which leads the result of a network out of local minima; None: none.
        exact: Options for noise-free patterns, see Exact; None: they are treated like all others.
        point_spread: Initial width along each axis of a fitted blur by partial coherence and pixels, pixel; None:
            coherent patterns, as noise-free ones always are.
    """

    growth: Sequence[float] = (1.0, 1.6, 2.5, 4.0)
    rounds: int = 4
    steps: int = 50
    last_steps: int = 50
    sigma: float = 0.7
    validation: float = 0.05
    seed: int = 1234
    recipe: str | None = None
    exact: Exact | None = field(default_factory=Exact)
    point_spread: float | None = 0.5

    def __post_init__(self) -> None:
        if not self.growth or min(self.growth) <= 0 or min(self.rounds, self.steps, self.last_steps) < 1:
            raise UserError(f"polish: growth={list(self.growth)} is above 0, rounds and steps are 1 or more")
        if not 0 < self.validation < 0.5:
            raise UserError(f"polish: validation={self.validation:g} is a share of the voxels, above 0 and below 0.5")
        require_width(self.point_spread, "wrapping.point_spread")
        if self.recipe is not None:
            read_recipe(self.recipe, "wrapping.recipe")


@dataclass(frozen=True)
class Wrapped:
    """Result of polish_wrapped().

    Attributes:
        density: (B, Z, Y, X) complex, in the units of the Fourier amplitudes, 0 outside the support.
        support: (B, Z, Y, X) bool, True inside.
        chi_square: (B,) relative squared error over the measured voxels.
        growth: Growth in use; for noise-free patterns that of the final supports.
        point_spread: (B, 3) widths of the blur by partial coherence, pixels; None if none was fitted.
        validation_chi_square: Median over the members for each growth tried; empty if there was one only.
    """

    density: Tensor
    support: Tensor
    chi_square: Tensor
    growth: float
    validation_chi_square: tuple[float, ...]
    point_spread: Tensor | None = None


@torch.no_grad()
def polish_wrapped(
    density: Tensor,
    fourier_amplitude: Tensor,
    mask: Tensor,
    wrapping: Wrapping | None = None,
    progress: Progress | None = None,
) -> Wrapped:
    """Polish densities in supports that follow them and may exceed their initial box.

    Args:
        density: (B, z, y, x) complex, in a box of any size up to that of the pattern.
        fourier_amplitude: (B, Z, Y, X) float, sqrt(photons), origin at n // 2.
        mask: (B, Z, Y, X) bool, True = measured.
        wrapping: Options of the polish; None: the defaults.
        progress: Called during ``recipe`` and for noise-free patterns with the iterations done, their largest number
            and chi square (B,).

    Raises:
        UserError: Shapes do not match, see polish().

    Source: shrink-wrap: Marchesini et al. (2003), Phys. Rev. B 68, 140101; the volume is chosen here.
    """
    wrapping = wrapping or Wrapping()
    shape = fourier_amplitude.shape[-3:]
    if density.ndim != 4 or any(side > n for side, n in zip(density.shape[1:], shape, strict=True)):
        raise UserError(f"polish: densities {tuple(density.shape)} do not fit into patterns of {tuple(shape)}")
    whole, done = pad(density, shape), 0
    if wrapping.recipe is not None:
        whole = phased_further(whole, fourier_amplitude, mask, wrapping.recipe, progress)
        done = read_recipe(wrapping.recipe).iterations
    if wrapping.exact is None or not wrapping.exact.applies_to(fourier_amplitude, mask):
        return _wrapped(whole, fourier_amplitude, mask, wrapping)
    volume = wrapped_volume(whole)
    support = largest_voxels(whole, volume)
    watch = None if progress is None else lambda step, steps, chi: progress(done + step, done + steps, chi)
    found = polish_exactly(whole, fourier_amplitude, mask, support, wrapping.exact, watch)
    left, coherent = found.chi_square > wrapping.exact.kept, replace(wrapping, point_spread=None)
    if left.all():
        return _wrapped(whole, fourier_amplitude, mask, wrapping)
    if left.any():
        other = _wrapped(whole[left], fourier_amplitude[left], mask[left], coherent)
        found.density[left], found.support[left] = other.density.to(found.density.dtype), other.support
        found.chi_square[left] = other.chi_square.to(found.chi_square.dtype)
    growth = float((found.support.flatten(1).sum(1) / volume).median())
    return Wrapped(found.density.to(whole.dtype), found.support, found.chi_square, growth, ())


def _wrapped(whole: Tensor, fourier_amplitude: Tensor, mask: Tensor, wrapping: Wrapping) -> Wrapped:
    """Polish whole arrays (B, Z, Y, X) in supports of the growth that fits the held-out voxels best."""
    volume, growth, tried = wrapped_volume(whole), float(wrapping.growth[0]), []
    if len(wrapping.growth) > 1:
        fitted, kept = hold_out(mask, wrapping.validation, wrapping.seed, ndim=3, pairs=False)
        for factor in wrapping.growth:
            found, _, spread = polish_rounds(whole, fourier_amplitude, fitted, factor * volume, wrapping, trial=True)
            tried.append(
                float(held_out_chi_square(predicted_amplitude(found, spread), fourier_amplitude, fitted, kept).median())
            )
        growth = float(wrapping.growth[tried.index(min(tried))])
    found, support, spread = polish_rounds(whole, fourier_amplitude, mask, growth * volume, wrapping)
    error = held_out_chi_square(predicted_amplitude(found, spread), fourier_amplitude, mask, mask)
    return Wrapped(found, support, error, growth, tuple(tried), spread)


def wrapped_volume(density: Tensor) -> Tensor:
    """Number of voxels (B,) that a shrink-wrap of sigma 1 and threshold 0.1 keeps of densities (B, z, y, x)."""
    smooth = blurred(density.abs(), _SIGMA, 3).flatten(1)
    return (smooth > _LEVEL * smooth.amax(1, keepdim=True)).sum(1).to(smooth.dtype)


def phased_further(
    density: Tensor, fourier_amplitude: Tensor, mask: Tensor, recipe: str, progress: Progress | None = None
) -> Tensor:
    """Densities (B, Z, Y, X) after a phasing recipe, in single precision."""
    support = largest_voxels(density, wrapped_volume(density))
    found = phase(
        fourier_amplitude.float(),
        mask,
        recipe,
        "complex",
        support=support,
        start=density.to(torch.complex64),
        progress=None if progress is None else lambda step, steps, error: progress(step, steps, error.square()),
        least_oversampling=1.0,
    )
    return (found.density * found.support).to(density.dtype)


def polish_rounds(
    density: Tensor, fourier_amplitude: Tensor, mask: Tensor, voxels: Tensor, wrapping: Wrapping, trial: bool = False
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Rounds of polish in supports of ``voxels`` (B,): densities, supports (B, Z, Y, X), point spreads (B, 3)."""
    spread = None
    if wrapping.point_spread is not None:
        spread = fourier_amplitude.new_full((len(density), 3), wrapping.point_spread)
    rounds = [wrapping.steps] * min(2, wrapping.rounds) if trial else [wrapping.steps] * (wrapping.rounds - 1)
    for steps in rounds if trial else [*rounds, wrapping.last_steps]:
        support = largest_voxels(density, voxels, wrapping.sigma)
        box = boxes_around(support)
        found = polish(density[box], fourier_amplitude, mask, steps, support[box], tolerance=1e-4, point_spread=spread)
        density, spread = torch.zeros_like(density), found.point_spread
        density[box] = found.density
    return density, support, spread
