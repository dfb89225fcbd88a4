"""What tasks of pattern in, picture out have in common: optimiser, training loss, and the numbers they report."""

from collections.abc import Callable, Mapping
from typing import cast

from torch import Tensor, nn

from spi_lightning.errors import UserError
from spi_lightning.fields import DENSITY, Batch
from spi_lightning.metrics import PatternMean

from .trained_task import Interval, MakeOptimizer, MakeSchedule, TrainedTask

PictureLoss = Callable[[Tensor, Tensor], Tensor]


class PatternTask(TrainedTask):
    """Base of tasks whose network answers a pattern with a picture; subclasses define ``losses_of`` and the metrics.

    Args:
        network: network input -> picture.
        preprocess: batch -> network input.
        loss: (output, target), (..., H, W) each -> (...).
        optimizer, schedule, interval: See TrainedTask.
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
        self.losses = nn.ModuleDict({stage: PatternMean() for stage in ("val", "test")})

    def forward(self, batch: Batch) -> Tensor:
        """Output of the network for a batch."""
        return cast(Tensor, self.network(self.preprocess(batch)))

    def training_output(self, batch: Batch) -> Tensor:
        """Output of the network for a training batch; the same unless a subclass tells it more."""
        return cast(Tensor, self(batch))

    def losses_of(self, output: Tensor, batch: Batch) -> Tensor:
        """One loss per pattern, (B,)."""
        raise NotImplementedError

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Mean loss of a batch."""
        return self.count_loss(self.losses_of(self.training_output(batch), batch), batch_idx)

    def report(self, stage: str, numbers: Mapping[str, Tensor]) -> None:
        """Log the numbers of a stage with its mean loss, and keep them in ``results``."""
        mean_loss = cast(PatternMean, self.losses[stage])
        numbers = {"loss": mean_loss.compute(), **numbers}
        mean_loss.reset()
        self.results |= {f"{stage}/{name}": value.tolist() for name, value in numbers.items()}
        self.log_dict({f"{stage}/{name}": value for name, value in numbers.items() if value.is_floating_point()})


def true_density(batch: Batch) -> Tensor:
    """Density (B, 1, H, W) of a batch.

    Raises:
        UserError: The file has none.
    """
    if DENSITY not in batch:
        raise UserError("data: these patterns come without their densities: nothing to train on or to compare with.")
    return batch[DENSITY]
