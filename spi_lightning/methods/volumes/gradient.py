"""Direct gradient refinement of the density, without a network, as a method of 3D phasing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from spi_lightning.distributed import find_device
from spi_lightning.errors import UserError
from spi_lightning.fingerprint import Irrelevant, require_fingerprint
from spi_lightning.phasing.gradient import descend, random_start
from spi_lightning.physics.partial_coherence import require_width
from spi_lightning.progress import Listener
from spi_lightning.results.volume_answer import Trace, VolumePart, VolumeRuns

from .iterative import box_of, polish_within


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
