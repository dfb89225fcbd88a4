"""Phasing without a network as methods of 3D phasing: recipes and gradient descent, each with or without a polish."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from spi_lightning.distributed import find_device
from spi_lightning.errors import UserError
from spi_lightning.fingerprint import Irrelevant, require_fingerprint
from spi_lightning.phasing import phase, read_recipe
from spi_lightning.phasing.gradient import descend, random_start
from spi_lightning.phasing.polishing.polish import polish
from spi_lightning.physics.array import middle
from spi_lightning.physics.oversampling import estimate_oversampling
from spi_lightning.physics.partial_coherence import require_width
from spi_lightning.progress import Listener
from spi_lightning.results.volume_answer import Trace, VolumePart, VolumeRuns, cut_to_box

_INTERVAL = 10  # updates between rows of the trace
SUPPORTS = ("half", "autocorrelation")


@dataclass(frozen=True)
class IterativeVolume:
    """A recipe from random phases.

    Args:
        recipe: Recipe as phasing.read_recipe reads it; in conf/method also the name of a file in conf/phasing.
        name: Name of the method in tables.
        constraint: Constraint on the density inside the support, see phasing.phase.
        support: First support: ``half`` of each axis, or a box of the extent of the ``autocorrelation`` times margin.
        margin: Edge of that box over the particle's extent.
        polish_steps: Number of L-BFGS steps within the last support; 0: none.
        point_spread: Initial width of the blur by partial coherence that the polish fits along with the density,
            pixels; None: none. Patterns that are phased in float64 are taken for noise-free and coherent.
        device: Device of the computation.

    Raises:
        UserError: A recipe with a mistake, an unknown support or device, or numbers out of range.

    Source: Wu et al. (2021), Methods.
    """

    unit: ClassVar[str] = "iteration"
    recipe: str
    name: Irrelevant[str] = "iterative"
    constraint: str = "complex"
    support: str = "half"
    margin: float = 1.25
    polish_steps: int = 0
    point_spread: float | None = None
    device: Irrelevant[str] = "auto"

    def __post_init__(self) -> None:
        if self.support not in SUPPORTS:
            choices = ", ".join(SUPPORTS)
            raise UserError(f"settings.{self.name}.support={self.support} is unknown; choose one of {choices}")
        if self.margin <= 0 or self.polish_steps < 0:
            raise UserError(f"settings.{self.name}: margin must be positive, polish_steps 0 or more")
        read_recipe(self.recipe)
        require_width(self.point_spread, f"settings.{self.name}.point_spread")
        find_device(self.device)
        require_fingerprint(self)

    def answer(self, part: VolumePart, listener: Listener) -> VolumeRuns:
        """Phase all starts of one pattern together. Raises UserError as phasing.phase does."""
        trace, device = Trace(), find_device(self.device)
        amplitude, mask = part.fourier_amplitude.to(device), part.mask.to(device)
        if part.float64 and self.polish_steps:
            amplitude = amplitude.double()
        support = first_support(self.support, amplitude, self.margin)
        options = {"constraint": self.constraint, "starts": part.starts, "seed": part.seed}
        density, support = run_recipe(amplitude, mask, self.recipe, support, trace, listener, **options)
        spread = None
        if self.polish_steps:
            density, spread = polish_within(density, support, part, self.polish_steps, trace, self.point_spread)
        return VolumeRuns.of(cut_to_box(density, support), trace, support.flatten(1).sum(1), spread)


def first_support(kind: str, amplitude: Tensor, margin: float) -> Tensor:
    """Box around the middle, (Z, Y, X) bool: half of each axis, or the extent of the autocorrelation times a margin."""
    shape = amplitude.shape
    box = tuple(n // 2 for n in shape) if kind == "half" else box_of(amplitude, margin)
    support = torch.zeros(shape, dtype=torch.bool, device=amplitude.device)
    support[middle(shape, box)] = True
    return support


def box_of(amplitude: Tensor, margin: float) -> tuple[int, ...]:
    """Edges z, y, x of a box that holds the particle, voxel; amplitudes (Z, Y, X) as in a VolumePart."""
    extent = estimate_oversampling(amplitude.square().float()).extent
    return tuple(min(n, math.ceil(side * margin)) for side, n in zip(extent, amplitude.shape, strict=True))


def run_recipe(
    amplitude: Tensor, mask: Tensor, recipe: str, support: Tensor, trace: Trace, listener: Listener, **options: Any
) -> tuple[Tensor, Tensor]:
    """Phase one pattern; its errors are added to a trace.

    Args:
        amplitude, mask: (Z, Y, X) Fourier amplitudes and measured voxels.
        recipe: Recipe as phasing.read_recipe reads it.
        support: (Z, Y, X) bool, the first support.
        trace: Trace to which every tenth update is added, counted from its last step.
        listener: Listener to which these updates are reported.
        options: Further arguments of phasing.phase, such as ``starts`` and ``seed``.

    Returns:
        (S, Z, Y, X) densities within their last supports, and these supports.
    """
    before = trace.step[-1] if trace.step else 0

    def report(iteration: int, iterations: int, error: Tensor) -> None:
        if iteration % _INTERVAL == 0 or iteration == iterations:
            trace.add(before + iteration, error.square())
            listener.progress(iteration, iterations, error.square())

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a recipe that fails is seen by its numbers
        found = phase(
            amplitude[None], mask[None], recipe, support=support, progress=report, least_oversampling=1.0, **options
        )
    return found.density * found.support, found.support


def polish_within(
    density: Tensor, support: Tensor, part: VolumePart, steps: int, trace: Trace, point_spread: float | None
) -> tuple[Tensor, Tensor | None]:
    """Refine densities by L-BFGS within their supports; the final chi square ends the trace.

    Args:
        density, support: (S, z, y, x) complex and bool.
        part: Pattern that they are fitted to; float64 where it is noise-free, and then without a blur.
        steps: Number of L-BFGS steps.
        trace: Trace to which one row is added.
        point_spread: Initial width of the blur by partial coherence, pixels; None: none.

    Returns:
        (S, Z, Y, X) densities, and (S, 3) fitted widths in pixels, None without a blur.
    """
    count, amplitude = len(density), part.fourier_amplitude.to(density.device)
    amplitude = amplitude.double() if part.float64 else amplitude
    start = density.to(torch.complex128 if part.float64 else density.dtype)
    patterns = amplitude.expand(count, *amplitude.shape)
    masks = part.mask.to(density.device).expand(count, *amplitude.shape)
    widths = None if point_spread is None or part.float64 else amplitude.new_full((count, 3), point_spread)
    polished = polish(start, patterns, masks, steps, support, point_spread=widths)
    trace.add((trace.step[-1] if trace.step else 0) + steps, polished.chi_square)
    return polished.density, polished.point_spread


@dataclass(frozen=True)
class GradientVolume:
    """Adam on the density in a box from random phases, then L-BFGS.

    Args:
        name: Name of the method in tables.
        steps, lr: Number of steps and learning rate of Adam, see phasing.gradient.descend.
        margin: Edge of the box over the particle's extent.
        polish_steps: Number of L-BFGS steps; 0: none.
        point_spread: Initial width of the blur by partial coherence, pixels, see IterativeVolume; None: none.
        device: Device of the computation.

    Raises:
        UserError: Numbers out of range, or an unknown device.
    """

    unit: ClassVar[str] = "epoch"
    name: Irrelevant[str] = "gradient"
    steps: int = 500
    lr: float = 0.1
    margin: float = 1.25
    polish_steps: int = 200
    point_spread: float | None = None
    device: Irrelevant[str] = "auto"

    def __post_init__(self) -> None:
        if self.steps < 1 or self.lr <= 0 or self.margin <= 0:
            raise UserError(f"settings.{self.name}: steps, lr and margin must be positive")
        require_width(self.point_spread, f"settings.{self.name}.point_spread")
        find_device(self.device)
        require_fingerprint(self)

    def answer(self, part: VolumePart, listener: Listener) -> VolumeRuns:
        """Refine all starts of one pattern together."""
        trace, count, device = Trace(), part.starts, find_device(self.device)
        amplitude, mask = part.fourier_amplitude.to(device), part.mask.to(device)
        if part.float64:
            amplitude = amplitude.double()
        start = random_start(amplitude, mask, box_of(amplitude, self.margin), count, part.seed)

        def report(step: int, steps: int, chi_square: Tensor) -> None:
            trace.add(step, chi_square)
            listener.progress(step, steps, chi_square)

        patterns, masks = amplitude.expand(count, *amplitude.shape), mask.expand(count, *mask.shape)
        density, spread = descend(start, patterns, masks, self.steps, self.lr, report), None
        if self.polish_steps:
            whole = torch.ones_like(density, dtype=torch.bool)
            density, spread = polish_within(density, whole, part, self.polish_steps, trace, self.point_spread)
        return VolumeRuns.of(density, trace, point_spread=spread)
