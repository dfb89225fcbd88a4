"""The polish with shrink-wrap: supports follow the density, and held-out voxels tell how large they may be."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.phasing.engine import phase
from spi_lightning.phasing.held_out import hold_out
from spi_lightning.phasing.recipes.recipe import read_recipe
from spi_lightning.phasing.shrinkwrap import blurred
from spi_lightning.physics.agreement import held_out_chi_square
from spi_lightning.physics.array import pad
from spi_lightning.physics.partial_coherence import blurred_amplitude, require_width
from spi_lightning.progress import Progress

from .cropped import boxes_around
from .exact import Exact, polish_exactly
from .polish import polish

_SIGMA, _LEVEL = 1.0, 0.1  # of the shrink-wrap of the beamline's recipe, see conf/phasing/wu_iterative.yaml
_AXES = (-3, -2, -1)


@dataclass(frozen=True)
class Wrapping:
    """How polish_wrapped() goes about it.

    growth: numbers of voxels that may be free, as multiples of what a shrink-wrap at a tenth keeps. A density known up
    to some resolution rings outside its particle, so that more than 1 is right unless counting noise forbids it.
    rounds: of drawing the support anew and polishing in it. steps: of L-BFGS in each round; last_steps: in the last,
    where noise-free patterns repay a thousand (in float64). sigma: of the blur before supports are drawn, voxel.
    exact: the end for noise-free patterns, see Exact; None: they are treated like all others.
    point_spread: first width, in pixels along each axis, of the blur by partial coherence and by the pixels themselves,
    fitted along with the density; None: patterns are taken for coherent. Noise-free ones always are.
    validation: share of the fitted voxels kept from the trial of each growth; the growth that meets them best is used
    for all members, on all voxels. seed: of their draw. recipe: of phasing, done first; it leads a network's answer out
    of dead ends; None: none.
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
            raise UserError(f"polish: growth={list(self.growth)} is above 0, rounds and steps are 1 or more.")
        if not 0 < self.validation < 0.5:
            raise UserError(f"polish: validation={self.validation:g} is a share of the voxels, above 0 and below 0.5.")
        require_width(self.point_spread, "wrapping.point_spread")
        if self.recipe is not None:
            read_recipe(self.recipe, "wrapping.recipe")


@dataclass(frozen=True)
class Wrapped:
    """What polish_wrapped() found.

    Attributes:
        density: (B, Z, Y, X) complex, in the units of the Fourier amplitudes, 0 outside the support.
        support: (B, Z, Y, X) bool.
        chi_square: (B,) relative squared error over the measured voxels.
        growth: The one used; of noise-free patterns what the supports came to.
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
    """Polish densities in supports that follow them and that may grow beyond the box they come in.

    Args:
        density: (B, z, y, x) complex, in a box of any size up to that of the pattern.
        fourier_amplitude: (B, Z, Y, X) float, sqrt(photons), origin at n // 2.
        mask: (B, Z, Y, X) bool, True = measured.
        wrapping: Its options.
        progress: Called with iterations done and in all and chi square (B,), during ``recipe`` and of noise-free
            patterns.

    Raises:
        UserError: Shapes that do not fit, see polish().

    Source: shrink-wrap: Marchesini et al. (2003), Phys. Rev. B 68, 140101; the choice of its volume is ours.
    """
    wrapping = wrapping or Wrapping()
    shape = fourier_amplitude.shape[-3:]
    if density.ndim != 4 or any(side > n for side, n in zip(density.shape[1:], shape, strict=True)):
        raise UserError(f"polish: densities {tuple(density.shape)} do not fit into patterns of {tuple(shape)}.")
    whole, done = pad(density, shape), 0
    if wrapping.recipe is not None:
        whole = phased_further(whole, fourier_amplitude, mask, wrapping.recipe, progress)
        done = read_recipe(wrapping.recipe).iterations
    if wrapping.exact is None or not wrapping.exact.serves(fourier_amplitude, mask):
        return _wrapped(whole, fourier_amplitude, mask, wrapping)
    support, volume = largest_voxels(whole, wrapped_volume(whole)), wrapped_volume(whole)
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
    """Polish whole arrays in supports of the growth that serves best."""
    volume, growth, tried = wrapped_volume(whole), float(wrapping.growth[0]), []
    if len(wrapping.growth) > 1:
        fitted, kept = hold_out(mask, wrapping.validation, wrapping.seed, ndim=3, pairs=False)
        for factor in wrapping.growth:
            found, _, spread = polish_rounds(whole, fourier_amplitude, fitted, factor * volume, wrapping, trial=True)
            tried.append(float(_chi_square(found, fourier_amplitude, fitted, kept, spread).median()))
        growth = float(wrapping.growth[tried.index(min(tried))])
    found, support, spread = polish_rounds(whole, fourier_amplitude, mask, growth * volume, wrapping)
    error = _chi_square(found, fourier_amplitude, mask, mask, spread)
    return Wrapped(found, support, error, growth, tuple(tried), spread)


def largest_voxels(density: Tensor, voxels: Tensor, sigma: float = 0.0) -> Tensor:
    """Where the blurred amplitude of (B, z, y, x) is largest: bool, (B,) ``voxels`` of them, from 1 to all."""
    amplitude = density.abs()
    order = blurred(amplitude, sigma, 3).flatten(1).argsort(1, descending=True).argsort(1)
    inside: Tensor = order < voxels.round().clamp(1, order.shape[1])[:, None]
    return inside.view(amplitude.shape)


def wrapped_volume(density: Tensor) -> Tensor:
    """Voxels (B,) that a shrink-wrap of sigma 1 and threshold 0.1 keeps of (B, z, y, x)."""
    smooth = blurred(density.abs(), _SIGMA, 3).flatten(1)
    return (smooth > _LEVEL * smooth.amax(1, keepdim=True)).sum(1).to(smooth.dtype)


def phased_further(
    density: Tensor, fourier_amplitude: Tensor, mask: Tensor, recipe: str, progress: Progress | None = None
) -> Tensor:
    """What a recipe makes of densities (B, Z, Y, X), in single precision."""
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
    """Densities, supports (B, Z, Y, X) of ``voxels`` (B,), and point spreads (B, 3); a trial has two rounds only."""
    spread = None
    if wrapping.point_spread is not None:
        spread = fourier_amplitude.new_full((len(density), 3), wrapping.point_spread)
    rounds = [wrapping.steps] * min(2, wrapping.rounds) if trial else [wrapping.steps] * (wrapping.rounds - 1)
    for steps in rounds if trial else [*rounds, wrapping.last_steps]:
        support = largest_voxels(density, voxels, wrapping.sigma)
        place = boxes_around(support)
        found = polish(
            density[place], fourier_amplitude, mask, steps, support[place], tolerance=1e-4, point_spread=spread
        )
        density, spread = torch.zeros_like(density), found.point_spread
        density[place] = found.density
    return density, support, spread


def _chi_square(
    density: Tensor, fourier_amplitude: Tensor, fitted: Tensor, held_out: Tensor, point_spread: Tensor | None
) -> Tensor:
    """Chi square (B,) over ``held_out`` at the scale of ``fitted``, of densities with their origin at voxel 0."""
    coherent = torch.fft.fftn(density, dim=_AXES, norm="ortho").abs()
    predicted = torch.fft.fftshift(blurred_amplitude(coherent, point_spread), dim=_AXES)
    return held_out_chi_square(predicted, fourier_amplitude, fitted, held_out)
