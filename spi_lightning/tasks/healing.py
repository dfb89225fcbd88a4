"""Task of healing: denoising of patterns and inpainting of their gaps."""

from typing import cast

import torch
from torch import Tensor

from spi_lightning.fields import FRAME, INTENSITY, MASK, Batch
from spi_lightning.losses import relative_rms
from spi_lightning.metrics import PatternMean
from spi_lightning.physics.fourier import fourier

from .foreign_part import errors_of
from .optimisation import Interval, MakeOptimizer, MakeSchedule
from .trained_task import PatternTask, PictureLoss, true_density


class Healing(PatternTask):
    """Denoising and inpainting of patterns. Reads intensity, mask, density (B, 1, H, W) from a batch.

    The input is Fourier amplitudes relative to the largest measured one, and the mask. The target is |fourier(
    density)|, scaled to the photons counted in the measured pixels.

    Args:
        network: Map (B, 2, H, W) -> (B, 1, H, W) Fourier amplitude, see networks.HealingUNet.
        preprocess: data.PatternInput with kinds=[intensity], scale=sqrt, mask_channel=true.
        loss: Function of output and target, (..., H, W) each -> (...).
        optimizer, schedule, interval: Optimisation, as in TrainedTask.

    Metrics: error, the relative error of the amplitudes ||healed - true|| / ||true||, and gap_error, the same over
    unmeasured pixels; measured_error and measured_gap_error, those of the measured pattern.

    Source: Bellisario & Ekeberg (2024), Sect. 5.
    """

    displayed = ("error", "measured_error", "gap_error", "measured_gap_error")

    def __init__(
        self,
        network: torch.nn.Module,
        preprocess: torch.nn.Module,
        loss: PictureLoss,
        optimizer: MakeOptimizer,
        schedule: MakeSchedule | None = None,
        interval: Interval = "epoch",
    ) -> None:
        super().__init__(network, preprocess, loss, optimizer, schedule, interval)
        self.errors = torch.nn.ModuleDict({name: PatternMean() for name in self.displayed})

    def losses_of(self, output: Tensor, batch: Batch) -> Tensor:
        """Loss of each pattern, (B,)."""
        target = true_amplitude(batch)
        with errors_of("loss", self.loss, output, target):
            return self.loss(output, target).mean(dim=1)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add the errors of a batch."""
        self._evaluate(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Add the errors of a batch."""
        self._evaluate(batch, "test")

    def predict_step(self, batch: Batch, batch_idx: int = 0) -> Batch:
        """Healed patterns: frame (B,), intensity (B, 1, H, W) in the unit of the input, mask (B, 1, H, W) all True."""
        healed = self(batch).square() * peak(batch)
        return {FRAME: batch[FRAME], INTENSITY: healed, MASK: torch.ones_like(batch[MASK])}

    def on_validation_epoch_end(self) -> None:
        """Log the errors."""
        self._report("val")

    def on_test_epoch_end(self) -> None:
        """Log the errors."""
        self._report("test")

    def _evaluate(self, batch: Batch, stage: str) -> None:
        healed, truth, mask = self(batch), true_amplitude(batch), batch[MASK]
        measured = torch.where(mask, batch[INTENSITY], 0.0).clamp(min=0).sqrt() / peak(batch).sqrt()
        cast(PatternMean, self.losses[stage]).update(self.losses_of(healed, batch))
        for name, picture in (("error", healed), ("measured_error", measured)):
            self._mean(name).update(relative_rms(picture, truth))
            gaps = ~mask.flatten(1).all(dim=1)
            self._mean(name.replace("error", "gap_error")).update(relative_rms(picture, truth, ~mask)[gaps])

    def _report(self, stage: str) -> None:
        numbers = {name: self._mean(name).compute() for name in self.displayed}
        self.report(stage, {name: value for name, value in numbers.items() if not value.isnan()})
        for name in self.displayed:
            self._mean(name).reset()

    def _mean(self, name: str) -> PatternMean:
        return cast(PatternMean, self.errors[name])


def peak(batch: Batch) -> Tensor:
    """Largest measured intensity of each pattern, (B, 1, 1, 1)."""
    measured = torch.where(batch[MASK], batch[INTENSITY], 0.0)
    return measured.amax(dim=(-2, -1), keepdim=True).clamp(min=torch.finfo(measured.dtype).tiny)


def true_amplitude(batch: Batch) -> Tensor:
    """True amplitudes |fourier(density)| in units of the largest measured one, (B, 1, H, W)."""
    truth = fourier(true_density(batch), ndim=2).abs()
    counted = torch.where(batch[MASK], batch[INTENSITY], 0.0).sum(dim=(-2, -1), keepdim=True)
    expected = (truth.square() * batch[MASK]).sum(dim=(-2, -1), keepdim=True)
    return truth * (counted / expected.clamp(min=torch.finfo(truth.dtype).tiny) / peak(batch)).sqrt()
