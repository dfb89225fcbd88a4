"""A network trained with ground truth as a method of 3D phasing: its answer alone, in one pass."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch

from spi_lightning.distributed import find_device
from spi_lightning.fields import AMPLITUDE, FOURIER_AMPLITUDE, FRAME, MASK, PHASE
from spi_lightning.methods.size_mismatch import size_refused
from spi_lightning.physics.agreement import chi_square
from spi_lightning.results.hit_answer import Notes
from spi_lightning.results.volume_answer import Trace, VolumeQuestion, VolumeRuns
from spi_lightning.tasks.checkpoint import find_checkpoint, load_task
from spi_lightning.tasks.complex_reconstruction import ComplexReconstruction, pattern_modulus


class VolumeCheckpoint:
    """What the network of a checkpoint answers; there is no chance in it, so one answer whatever ``starts`` says.

    Args:
        name: Shown in tables.
        checkpoint: Run folder (its best checkpoint is taken) or .ckpt file.
        instantiate: Makes objects of configs with ``_target_``; hydra.utils.instantiate.
        device: Where it computes.

    Raises:
        UserError: No such run or checkpoint, or one of another task.

    Source: Wu et al. (2021), "Supervised learning approach".
    """

    unit = "epoch"

    def __init__(
        self, name: str, checkpoint: str | Path, instantiate: Callable[..., Any], device: str = "auto"
    ) -> None:
        self.name, self.notes, self.device = name, Notes(), find_device(device)
        self.path = find_checkpoint(checkpoint)
        task, self.config = load_task(self.path, instantiate, ComplexReconstruction)
        self.task = cast(ComplexReconstruction, task).to(self.device).eval()

    def answer_volumes(self, question: VolumeQuestion) -> VolumeRuns:
        """One pass.

        Raises:
            UserError: The network cannot take patterns of this shape.
        """
        trace = Trace()
        pattern, mask = (values.to(self.device)[None, None] for values in (question.fourier_amplitude, question.mask))
        batch = {FOURIER_AMPLITUDE: pattern, MASK: mask, FRAME: torch.zeros(1, dtype=torch.int64)}
        mend = "give data.size= the size it was trained at"
        with torch.inference_mode(), size_refused(self.name, self.path, question.mask.shape, mend):
            answer = self.task.predict_step(batch)
        amplitude, phase = (answer[name].float() for name in (AMPLITUDE, PHASE))
        measured, masked = (torch.fft.ifftshift(values[:, 0], dim=(-3, -2, -1)) for values in (pattern, mask))
        trace.add(0, chi_square(pattern_modulus(amplitude, phase, pattern.shape), measured, masked))
        density = torch.polar(amplitude[:, 0], phase[:, 0])
        return VolumeRuns.of(density, density.abs().new_full((1,), density[0].numel()), trace)
