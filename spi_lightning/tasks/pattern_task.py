"""Base of the tasks whose network maps a pattern to a picture."""

from collections.abc import Callable
from typing import cast

from torch import Tensor, nn

from spi_lightning.errors import UserError
from spi_lightning.fields import DENSITY, Batch

from .optimisation import Interval, MakeOptimizer, MakeSchedule
from .trained_task import TrainedTask

PictureLoss = Callable[[Tensor, Tensor], Tensor]


class PatternTask(TrainedTask):
    """Base of tasks whose network maps a pattern to an image; subclasses define ``losses_of`` and the metrics.

    Args:
        network: network input -> picture.
        preprocess: batch -> network input.
        loss: (output, target), (..., H, W) each -> (...).
        optimizer, schedule, interval: Settings of the training, see TrainedTask.
    """

    def __init__(
        self,
        network: nn.Module,
        preprocess: nn.Module,
        loss: PictureLoss,
        optimizer: MakeOptimizer,
        schedule: MakeSchedule | None = None,
        interval: Interval = "epoch",
    ) -> None:
        super().__init__(network, optimizer, schedule, interval)
        self.preprocess, self.loss = preprocess, loss

    def forward(self, batch: Batch) -> Tensor:
        """Output of the network for a batch."""
        return cast(Tensor, self.network(self.preprocess(batch)))

    def training_output(self, batch: Batch) -> Tensor:
        """Output of the network for a training batch; subclasses may add inputs."""
        return cast(Tensor, self(batch))

    def losses_of(self, output: Tensor, batch: Batch) -> Tensor:
        """Loss of each pattern, (B,), from outputs (B, C, H, W)."""
        raise NotImplementedError

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Mean loss of a batch."""
        return self.count_loss(self.losses_of(self.training_output(batch), batch), batch_idx)


def true_density(batch: Batch) -> Tensor:
    """Density (B, 1, H, W) of a batch.

    Raises:
        UserError: The file has no densities.
    """
    if DENSITY not in batch:
        raise UserError("data: these patterns come without their densities: nothing to train on or to compare with")
    return batch[DENSITY]
