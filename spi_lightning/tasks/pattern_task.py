"""What tasks of pattern in, picture out have in common: optimiser, training loss, and the numbers they report."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import pytorch_lightning as pl
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics import MeanMetric

from spi_lightning.fields import DENSITY, Batch, UserError
from spi_lightning.metrics import PatternMean

PictureLoss = Callable[[Tensor, Tensor], Tensor]
MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]
MakeSchedule = Callable[[Optimizer], LRScheduler]


class PatternTask(pl.LightningModule):
    """Base of tasks whose network answers a pattern with a picture; subclasses define ``losses_of`` and the metrics.

    Args:
        network: network input -> picture.
        preprocess: batch -> network input.
        loss: (output, target), (..., H, W) each -> (...).
        optimizer: parameters -> optimiser.
        schedule: optimiser -> learning-rate schedule, moved on each step; constant if None.
    """

    def __init__(
        self,
        network: nn.Module,
        preprocess: nn.Module,
        loss: PictureLoss,
        optimizer: MakeOptimizer,
        schedule: MakeSchedule | None = None,
    ) -> None:
        super().__init__()
        self.network, self.preprocess, self.loss = network, preprocess, loss
        self.make_optimizer, self.make_schedule = optimizer, schedule
        self.train_loss = MeanMetric(nan_strategy="disable")
        self.train_loss.persistent(True)  # so that the mean of an epoch survives a resume in its middle
        self.losses = nn.ModuleDict({stage: PatternMean() for stage in ("val", "test")})
        self.results: dict[str, Any] = {}

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
        if batch_idx == 0:  # not at the start of the epoch, by which a run resumed at its very end does not come
            self.train_loss.reset()
        loss = self.losses_of(self.training_output(batch), batch).mean()
        self.train_loss.update(loss.detach())
        return loss

    def configure_optimizers(self) -> Any:
        """The optimiser, and the schedule if there is one, both made for this network's weights."""
        optimizer = self.make_optimizer(self.network.parameters())
        if self.make_schedule is None:
            return optimizer
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": self.make_schedule(optimizer), "interval": "step"},
        }

    def on_fit_start(self) -> None:
        """Raise UserError if there is nothing to validate on: the best checkpoint is chosen by it."""
        if self.trainer.limit_val_batches and not self.trainer.datamodule.patterns_in("val"):  # type: ignore[attr-defined]
            raise UserError("the validation split is empty: raise val in data.patterns or data.fractions.")

    def on_train_epoch_end(self) -> None:
        """Log the mean training loss of the epoch."""
        self.log("train/loss", self.train_loss.compute(), prog_bar=True)

    def report(self, stage: str, numbers: Mapping[str, Tensor]) -> None:
        """Log the numbers of a stage with its mean loss, and keep them in ``results``."""
        mean_loss = cast(PatternMean, self.losses[stage])
        numbers = {"loss": mean_loss.compute(), **numbers}
        mean_loss.reset()
        self.results |= {f"{stage}/{name}": value.tolist() for name, value in numbers.items()}
        self.log_dict({f"{stage}/{name}": value for name, value in numbers.items() if value.is_floating_point()})
        if stage == "val" and not math.isfinite(self.results["val/loss"]):
            raise UserError(f"step {self.global_step}: the validation loss is no number; try a smaller optimizer.lr.")


def true_density(batch: Batch) -> Tensor:
    """Density (B, 1, H, W) of a batch.

    Raises:
        UserError: The file has none.
    """
    if DENSITY not in batch:
        raise UserError("data: these patterns come without their densities: nothing to train on or to compare with.")
    return batch[DENSITY]
