"""A network trained with ground truth as a method of 3D phasing: its prediction alone, in one pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch

from spi_lightning.distributed import find_device
from spi_lightning.fields import AMPLITUDE, FOURIER_AMPLITUDE, FRAME, MASK, PHASE
from spi_lightning.fingerprint import Irrelevant, require_fingerprint
from spi_lightning.methods.resized import size_refused
from spi_lightning.physics.agreement import chi_square
from spi_lightning.progress import Listener
from spi_lightning.results.volume_answer import Trace, VolumePart, VolumeRuns
from spi_lightning.tasks.checkpoint import find_checkpoint, load_task
from spi_lightning.tasks.complex_reconstruction import ComplexReconstruction, pattern_modulus


@dataclass(frozen=True)
class VolumeCheckpoint:
    """Prediction of a trained network; it is deterministic: one density for any number of starts.

    Args:
        checkpoint: Checkpoint file, or run folder, whose best checkpoint is taken.
        instantiate: Function that makes objects of configs with ``_target_``, such as hydra.utils.instantiate.
        name: Name of the method in tables.
        device: Device of the computation.

    Raises:
        UserError: No such run or checkpoint, or an unknown device.

    Source: Wu et al. (2021), "Supervised learning approach".
    """

    unit: ClassVar[str] = "epoch"
    checkpoint: Path
    instantiate: Callable[..., Any]
    name: Irrelevant[str] = "network"
    device: Irrelevant[str] = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "checkpoint", find_checkpoint(self.checkpoint))
        find_device(self.device)
        require_fingerprint(self)

    @cached_property
    def task(self) -> ComplexReconstruction:
        """Task of the checkpoint with its network, on the device; UserError for a checkpoint of another task."""
        return load_task(self.checkpoint, self.instantiate, ComplexReconstruction)[0].to(find_device(self.device))

    def answer(self, part: VolumePart, listener: Listener) -> VolumeRuns:
        """Predict the density of one pattern.

        Raises:
            UserError: The network cannot take patterns of this shape.
        """
        trace, task = Trace(), self.task
        pattern, mask = (values.to(task.device)[None, None] for values in (part.fourier_amplitude, part.mask))
        batch = {FOURIER_AMPLITUDE: pattern, MASK: mask, FRAME: torch.zeros(1, dtype=torch.int64)}
        remedy = "give data.size= the size it was trained at"
        with torch.inference_mode(), size_refused(self.name, self.checkpoint, part.mask.shape, remedy):
            predicted = task.predict_step(batch)
        amplitude, phase = (predicted[name].float() for name in (AMPLITUDE, PHASE))
        measured, masked = (torch.fft.ifftshift(values[:, 0], dim=(-3, -2, -1)) for values in (pattern, mask))
        trace.add(0, chi_square(pattern_modulus(amplitude, phase, pattern.shape), measured, masked))
        return VolumeRuns.of(torch.polar(amplitude[:, 0], phase[:, 0]), trace)
