"""Schedule of the active optimiser and its learning rate."""

from collections.abc import Sequence

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from spi_lightning.errors import UserError


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
