"""Direct gradient refinement of the density as a method of 3D phasing: what the network adds is seen beside it."""

import torch
from torch import Tensor

from spi_lightning.distributed import find_device
from spi_lightning.errors import UserError
from spi_lightning.phasing.gradient import descend, random_start
from spi_lightning.physics.partial_coherence import require_width
from spi_lightning.results.hit_answer import Notes
from spi_lightning.results.volume_answer import Trace, VolumeQuestion, VolumeRuns

from .iterative import box_of, polish_within


class GradientVolume:
    """Adam on the density in a box from random phases, then L-BFGS.

    Args:
        name: Shown in tables.
        steps, rate: See phasing.gradient.descend.
        margin: Of the box around the particle's extent.
        polish_steps: Of L-BFGS.
        point_spread: See IterativeVolume.
        device: Where it computes.
    """

    unit = "epoch"

    def __init__(
        self,
        name: str,
        steps: int = 500,
        rate: float = 0.1,
        margin: float = 1.25,
        polish_steps: int = 200,
        point_spread: float | None = None,
        device: str = "auto",
    ) -> None:
        if steps < 1 or rate <= 0 or margin <= 0:
            raise UserError(f"settings.{name}: steps, rate and margin must be positive.")
        self.name, self.notes, self.device = name, Notes(), find_device(device)
        self.steps, self.rate, self.margin, self.polish_steps = steps, rate, margin, polish_steps
        self.point_spread = require_width(point_spread, f"settings.{name}.point_spread")

    def answer_volumes(self, question: VolumeQuestion) -> VolumeRuns:
        """All starts at once."""
        trace, count = Trace(), question.starts
        amplitude, mask = question.fourier_amplitude.to(self.device), question.mask.to(self.device)
        if question.float64:
            amplitude = amplitude.double()
        start = random_start(amplitude, mask, box_of(amplitude, self.margin), count, question.seed)

        def watch(step: int, steps: int, chi_square: Tensor) -> None:
            trace.add(step, chi_square)
            question.progress(step, steps, chi_square)

        patterns, masks = amplitude.expand(count, *amplitude.shape), mask.expand(count, *mask.shape)
        density = descend(start, patterns, masks, self.steps, self.rate, watch)
        spread = None
        if self.polish_steps:
            width, whole = None if question.float64 else self.point_spread, torch.ones_like(density, dtype=torch.bool)
            density, spread = polish_within(density, whole, amplitude, mask, self.polish_steps, trace, width)
        return VolumeRuns.of(density, density.abs().new_full((count,), density[0].numel()), trace, spread)
