"""Iterative phasing recipes as methods of 3D phasing, with or without a polish of the density in the last support."""

import math
import warnings

import torch
from torch import Tensor

from spi_lightning.distributed import find_device
from spi_lightning.errors import UserError
from spi_lightning.phasing import phase, read_recipe
from spi_lightning.phasing.polishing.polish import polish
from spi_lightning.physics.array import middle
from spi_lightning.physics.oversampling import estimate_oversampling
from spi_lightning.physics.partial_coherence import require_width
from spi_lightning.results.hit_answer import Notes
from spi_lightning.results.volume_answer import Trace, VolumeQuestion, VolumeRuns, cut_to_box

_LOOK = 10  # updates between rows of the trace
SUPPORTS = ("half", "autocorrelation")


class IterativeVolume:
    """A recipe from random phases.

    Args:
        name: Shown in tables.
        recipe: See phasing.read_recipe; in conf/method also the name of a file in conf/phasing.
        constraint: See phasing.phase.
        support: First support: ``half`` of each axis, or a box as large as the ``autocorrelation`` tells, times margin.
        margin: Of that box.
        polish_steps: Of L-BFGS within the last support; 0: none.
        point_spread: First width of the blur by partial coherence that the polish fits along with the density, pixels;
            None: none. Patterns that are phased in float64 are taken for noise-free and coherent.
        device: Where it computes.

    Source: Wu et al. (2021), Methods.
    """

    unit = "iteration"

    def __init__(
        self,
        name: str,
        recipe: str,
        constraint: str = "complex",
        support: str = "half",
        margin: float = 1.25,
        polish_steps: int = 0,
        point_spread: float | None = None,
        device: str = "auto",
    ) -> None:
        if support not in SUPPORTS:
            raise UserError(f"settings.{name}.support={support} is unknown; choose one of {', '.join(SUPPORTS)}.")
        if margin <= 0 or polish_steps < 0:
            raise UserError(f"settings.{name}: margin must be positive, polish_steps 0 or more.")
        self.name, self.notes, self.device = name, Notes(), find_device(device)
        self.recipe, self.constraint = read_recipe(recipe), constraint
        self.support, self.margin, self.polish_steps = support, margin, polish_steps
        self.point_spread = require_width(point_spread, f"settings.{name}.point_spread")

    def answer_volumes(self, question: VolumeQuestion) -> VolumeRuns:
        """All starts at once. Raises UserError as phasing.phase does."""
        trace = Trace()
        amplitude, mask = question.fourier_amplitude.to(self.device), question.mask.to(self.device)
        if question.float64 and self.polish_steps:
            amplitude = amplitude.double()

        def watch(iteration: int, iterations: int, error: Tensor) -> None:
            if iteration % _LOOK == 0 or iteration == iterations:
                trace.add(iteration, error.square())
                question.progress(iteration, iterations, error.square())

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a recipe that fails shows in its numbers
            found = phase(
                amplitude[None],
                mask[None],
                self.recipe,
                self.constraint,
                support=first_support(self.support, amplitude, self.margin),
                starts=question.starts,
                seed=question.seed,
                progress=watch,
                least_oversampling=1.0,
            )
        density, spread = found.density * found.support, None
        if self.polish_steps:
            width = None if question.float64 else self.point_spread
            density, spread = polish_within(density, found.support, amplitude, mask, self.polish_steps, trace, width)
        return VolumeRuns.of(cut_to_box(density, found.support), found.support.flatten(1).sum(1), trace, spread)


def first_support(kind: str, amplitude: Tensor, margin: float) -> Tensor:
    """Box around the middle, (Z, Y, X) bool: half of each axis, or what the autocorrelation tells times a margin."""
    shape = amplitude.shape
    box = tuple(n // 2 for n in shape) if kind == "half" else box_of(amplitude, margin)
    support = torch.zeros(shape, dtype=torch.bool, device=amplitude.device)
    support[middle(shape, box)] = True
    return support


def box_of(amplitude: Tensor, margin: float) -> tuple[int, ...]:
    """Edges z, y, x of a box that holds the particle, voxel; amplitudes (Z, Y, X) as a VolumeQuestion has them."""
    extent = estimate_oversampling(amplitude.square().float()).extent
    return tuple(min(n, math.ceil(side * margin)) for side, n in zip(extent, amplitude.shape, strict=True))


def polish_within(
    density: Tensor,
    support: Tensor,
    amplitude: Tensor,
    mask: Tensor,
    steps: int,
    trace: Trace,
    point_spread: float | None = None,
) -> tuple[Tensor, Tensor | None]:
    """L-BFGS in the supports (S, Z, Y, X) of densities; its chi square ends the trace. Densities and point spreads."""
    count = len(density)
    patterns, masks = amplitude.expand(count, *amplitude.shape), mask.expand(count, *mask.shape)
    exact = amplitude.dtype == torch.float64
    start = density.to(torch.complex128 if exact else density.dtype)
    widths = None if point_spread is None else amplitude.new_full((count, 3), point_spread)
    polished = polish(start, patterns, masks, steps, support, point_spread=widths)
    trace.add((trace.step[-1] if trace.step else 0) + steps, polished.chi_square)
    return polished.density, polished.point_spread
