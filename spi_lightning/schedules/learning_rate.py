"""Schedules of the learning rate: in steps, with a linear rise and a cosine fall, or with an alternating optimiser."""

import math
from collections.abc import Sequence

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, StepLR

from spi_lightning.errors import UserError


def step_decay(optimizer: Optimizer, period: int = 25, decay: float = 0.95) -> StepLR:
    """Schedule that multiplies the learning rate by ``decay`` after every ``period`` epochs.

    Source: Wu et al. (2021), Methods: 0.95 every 25 (supervised) or 200 (unsupervised) epochs, without the switching.
    """
    return StepLR(optimizer, step_size=period, gamma=decay)


def rise_and_fall(optimizer: Optimizer, epochs: int, rise: float = 0.1) -> LambdaLR:
    """Schedule that rises linearly over a share ``rise`` of the epochs, then falls along half a cosine.

    Args:
        optimizer: Optimiser whose lr is the largest rate.
        epochs: Number of epochs of the refinement; later ones stay at the lowest rate, a thousandth.
        rise: Share of the epochs in which the rate rises, 0 to 1.

    Raises:
        UserError: ``epochs`` is below 1, or ``rise`` is outside [0, 1).
    """
    if epochs < 1 or not 0 <= rise < 1:
        raise UserError(f"schedule: epochs={epochs} must be 1 or more and rise={rise:g} from 0 to below 1")
    top = rise * epochs

    def factor(epoch: int) -> float:
        if epoch < top:
            return (epoch + 1) / (top + 1)
        share = min((epoch - top) / (epochs - top), 1.0)
        return max((1 + math.cos(math.pi * share)) / 2, 1e-3)

    return LambdaLR(optimizer, factor)


class AlternateEvery(LRScheduler):
    """Switch the active member of an Alternating optimiser, and lower the learning rate at each change.

    Stages are repeated in order: stage i lasts its epochs with its member, then the rate is multiplied by its decay.
    Two numbers instead of lists give the schedule of Wu et al. (2021): each member in turn for ``period`` epochs, 25
    (supervised) or 200 (unsupervised), times 0.95 after each.

    Args:
        optimizer: Optimiser of class optimizers.Alternating.
        period: Number of epochs of each stage, or one number per stage.
        decay: Factor of the learning rate after each stage, or one number per stage.
        order: Index of the member of each stage in optimizer.members; None: each in turn.

    Raises:
        UserError: The optimiser is not Alternating, a member does not exist, lists have different lengths, or a period
            is below 1.

    Source: Wu et al. (2021), Methods, "Supervised" and "Unsupervised Learning Approach".
    """

    def __init__(
        self,
        optimizer: Optimizer,
        period: int | Sequence[int] = 25,
        decay: float | Sequence[float] = 0.95,
        order: Sequence[int] | None = None,
    ) -> None:
        members = len(getattr(optimizer, "members", ()))
        if not members:
            raise UserError("schedule=alternate_every needs optimizer=adam_sgd, or another list of optimisers")
        self.order = list(range(members)) if order is None else [int(member) for member in order]
        self.periods, self.decays = self._per_stage("period", period), self._per_stage("decay", decay)
        if min(self.periods) < 1:
            raise UserError(f"schedule.period={period}: every stage takes 1 epoch or more")
        if not all(0 <= member < members for member in self.order):
            raise UserError(f"schedule.order={self.order}: optimizer.members has indices 0 to {members - 1}")
        super().__init__(optimizer)

    def _per_stage(self, name: str, value: float | Sequence[float]) -> list[float]:
        values = [value] * len(self.order) if isinstance(value, int | float) else list(value)
        if len(values) != len(self.order):
            raise UserError(f"schedule.{name}={values} has {len(values)} values for {len(self.order)} stages")
        return values

    def stage(self, epoch: int) -> tuple[int, float]:
        """Index of the active member in an epoch, and factor of its learning rate."""
        rounds, epoch = divmod(epoch, int(sum(self.periods)))
        factor = 1.0
        for decay in self.decays:
            factor *= decay**rounds
        for member, period, decay in zip(self.order, self.periods, self.decays, strict=True):
            if epoch < period:
                return member, factor
            epoch, factor = epoch - int(period), factor * decay
        raise AssertionError("the epochs of all stages add up to a round")

    def get_lr(self) -> list[float]:  # type: ignore[override]
        """Learning rates of the epoch; activates its member."""
        member, factor = self.stage(self.last_epoch)
        self.optimizer.active = member  # type: ignore[attr-defined]
        return [float(rate) * factor for rate in self.base_lrs]
