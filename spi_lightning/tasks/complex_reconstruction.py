"""Task of supervised reconstruction: amplitude and phase of a particle from its pattern."""

import warnings
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from spi_lightning.errors import UserError
from spi_lightning.fields import AMPLITUDE, FOURIER_AMPLITUDE, FRAME, MASK, PHASE, Batch
from spi_lightning.losses import SupervisedLoss
from spi_lightning.metrics import PatternMean, VolumeMetrics, twin_target
from spi_lightning.phasing import phase, read_recipe
from spi_lightning.physics.array import crop, pad

from .optimisation import Interval, MakeOptimizer, MakeSchedule
from .trained_task import TrainedTask

AXES = (-3, -2, -1)
INSIDE, BRIGHT = (
    0.05,
    0.2,
)  # amplitudes from which a voxel is of the particle, and from which a recipe decides its phase
Particle = tuple[Tensor, Tensor]


def pattern_modulus(amplitude: Tensor, phase: Tensor, shape: torch.Size) -> Tensor:
    """Fourier amplitudes (B, *shape) of particles (B, 1, z, y, x) in a box, origin at index 0; float32 or float64.

    The position of the box in the array changes phases alone, so the box lies in the corner.
    """
    real = torch.promote_types(amplitude.dtype, torch.float32)  # bfloat16 has no complex type
    density = torch.polar(amplitude[:, 0].to(real), phase[:, 0].to(real))
    if not len(density):  # a process without a share of the last batch; MKL refuses an empty transform
        return amplitude.new_zeros(0, *shape[-3:], dtype=real)
    modulus: Tensor = torch.fft.fftn(density, s=shape[-3:], dim=AXES, norm="ortho").abs()
    return modulus


def phased_on(answer: Particle, measured: Tensor, mask: Tensor, recipe: str) -> Particle:
    """Amplitude and phase (B, 1, z, y, x) after a recipe of phasing that starts from them, inside their own support.

    The support is where the amplitude exceeds INSIDE of the largest. Below BRIGHT of it phases stay as they were.

    Args:
        answer: Amplitude and phase of particles in a box, (B, 1, z, y, x), the phase in rad.
        measured, mask: (B, Z, Y, X) Fourier amplitudes and measured voxels, origin at n // 2.
        recipe: Recipe as phasing.read_recipe reads it.
    """
    box, shape = answer[0].shape[-3:], measured.shape[-3:]
    amplitude, angle = (values[:, 0].float() for values in answer)
    inside = amplitude > INSIDE * amplitude.amax(dim=AXES, keepdim=True)
    inside |= ~inside.flatten(1).any(dim=1)[:, None, None, None]  # nothing is nowhere
    start, support = pad(torch.polar(amplitude, angle), shape), pad(inside, shape)
    options: dict[str, Any] = {"constraint": "complex", "least_oversampling": 1.0, "check_centre": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a poor answer is seen by its numbers
        found = phase(measured.float(), mask, recipe, support=support, start=start, **options)
    density = crop(found.density * found.support, box)
    bright = density.abs() > BRIGHT * density.abs().amax(dim=AXES, keepdim=True)
    return density.abs()[:, None], torch.where(bright, density.angle(), angle)[:, None]


class ComplexReconstruction(TrainedTask):
    """Supervised reconstruction of amplitude and phase.

    Reads fourier_amplitude, mask, amplitude and phase (B, 1, ...) from a batch.

    Args:
        network: Fourier amplitudes (B, 1, Z, Y, X) -> amplitude and phase (B, 1, z, y, x), of the size of the targets.
        loss: Supervised loss of Eq. 6.
        metrics: Metrics, cloned for validation and test.
        optimizer, schedule, interval: Optimisation, as in TrainedTask.
        twin: Treatment of twins, ``canonical``: the targets of the file; ``either``: the loss of the twin nearer to the
            prediction.
        recipe: Recipe of phasing that answers go through in test and prediction, such as ``20*ER``; None: none.

    Source: Wu et al. (2021), "Supervised learning approach".
    """

    displayed = VolumeMetrics.names

    def __init__(
        self,
        network: nn.Module,
        loss: SupervisedLoss,
        metrics: VolumeMetrics,
        optimizer: MakeOptimizer,
        schedule: MakeSchedule | None = None,
        interval: Interval = "epoch",
        twin: Literal["canonical", "either"] = "canonical",
        recipe: str | None = None,
    ) -> None:
        # halves the time of 3D convolutions on the CPU
        super().__init__(network.to(memory_format=torch.channels_last_3d), optimizer, schedule, interval)  # type: ignore[call-overload]
        if twin not in ("canonical", "either"):
            raise UserError(f"task.twin={twin} is unknown: choose canonical or either")
        if recipe is not None:
            read_recipe(recipe)  # a mistake is named now
        self.loss, self.twin, self.recipe = loss, twin, recipe
        self.metrics = nn.ModuleDict({stage: metrics.clone() for stage in ("val", "test")})

    def forward(self, batch: Batch) -> Particle:
        """Amplitude and phase (B, 1, z, y, x) of a batch; the phase in rad."""
        return cast(Particle, self.network(batch[FOURIER_AMPLITUDE] * batch[MASK]))

    def answer(self, batch: Batch) -> Particle:
        """Amplitude and phase (B, 1, z, y, x) float32, after the recipe if there is one."""
        amplitude, phase = self(batch)
        found = amplitude.float(), phase.float()
        if self.recipe is None or not len(amplitude):
            return found
        return phased_on(found, batch[FOURIER_AMPLITUDE][:, 0], batch[MASK][:, 0], self.recipe)

    def losses_of(self, answer: Particle, batch: Batch) -> Tensor:
        """Eq. 6 of each pattern, (B,).

        Raises:
            UserError: The box of the network is not that of the particles.
        """
        target = batch[AMPLITUDE], batch[PHASE]
        if answer[0].shape != target[0].shape:
            box, particle = (list(one[0].shape[-3:]) for one in (answer, target))
            raise UserError(
                f"network.box={box}, but the particles lie in {particle} voxels: set network.box or"
                " simulate.object_size"
            )
        real = self.loss.real_space(answer, target)
        if self.twin == "either":
            real = torch.minimum(real, self.loss.real_space(answer, twin_target(*target)))
        return real + self.loss.reciprocal_space(*self.patterns_of(answer, batch))

    def patterns_of(self, answer: Particle, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Predicted and measured Fourier amplitudes and mask (B, Z, Y, X), origin at index 0."""
        measured, mask = (torch.fft.ifftshift(batch[name][:, 0], dim=AXES) for name in (FOURIER_AMPLITUDE, MASK))
        return pattern_modulus(*answer, measured.shape), measured, mask

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Mean loss of a batch."""
        return self.count_loss(self.losses_of(self(batch), batch), batch_idx)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add the errors of a batch."""
        self._evaluate(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Add the errors of a batch."""
        self._evaluate(batch, "test")

    def predict_step(self, batch: Batch, batch_idx: int = 0) -> Batch:
        """Predictions for each pattern: frame (B,); amplitude, phase (B, 1, z, y, x)."""
        amplitude, phase = self.answer(batch)
        return {FRAME: batch[FRAME], AMPLITUDE: amplitude, PHASE: phase}

    def on_validation_epoch_end(self) -> None:
        """Log the metrics of the validation."""
        self._report("val")

    def on_test_epoch_end(self) -> None:
        """Log the metrics of the test."""
        self._report("test")

    def _evaluate(self, batch: Batch, stage: str) -> None:
        answer = self.answer(batch) if stage == "test" else self(batch)
        answer = (answer[0].float(), answer[1].float())
        cast(PatternMean, self.losses[stage]).update(self.losses_of(answer, batch))
        target = batch[AMPLITUDE], batch[PHASE]
        cast(VolumeMetrics, self.metrics[stage]).update(answer, target, *self.patterns_of(answer, batch))

    def _report(self, stage: str) -> None:
        metrics = cast(VolumeMetrics, self.metrics[stage])
        self.report(stage, metrics.compute())
        metrics.reset()
