"""Which optimiser works in which epoch, and how fast it learns."""

from collections.abc import Sequence

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from spi_lightning.errors import UserError


class AlternateEvery(LRScheduler):
    """Hands the work of an Alternating optimiser from member to member, and lowers the learning rate at each change.

    The stages are gone through in order, again and again: stage i takes its epochs with its member, then the rate is
    multiplied by its decay. Two numbers instead of lists are Wu et al. (2021): each member in turn for ``period``
    epochs, 25 (supervised) or 200 (unsupervised), times 0.95 after each.

    Args:
        optimizer: An optimizers.Alternating.
        period: Epochs of a stage, or one number per stage.
        decay: Factor of the learning rate after a stage, or one number per stage.
        order: Member of each stage, as its place in optimizer.members; each in turn if None.

    Raises:
        UserError: Not an Alternating optimiser, a member that does not exist, lists of different lengths, or a period
            below 1.

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
            raise UserError("schedule=alternate_every needs optimizer=adam_sgd, or another list of optimisers.")
        self.order = list(range(members)) if order is None else [int(member) for member in order]
        self.periods, self.decays = self._per_stage("period", period), self._per_stage("decay", decay)
        if min(self.periods) < 1:
            raise UserError(f"schedule.period={period}: every stage takes 1 epoch or more.")
        if not all(0 <= member < members for member in self.order):
            raise UserError(f"schedule.order={self.order}: optimizer.members has places 0 to {members - 1}.")
        super().__init__(optimizer)

    def _per_stage(self, name: str, value: float | Sequence[float]) -> list[float]:
        values = [value] * len(self.order) if isinstance(value, int | float) else list(value)
        if len(values) != len(self.order):
            raise UserError(f"schedule.{name}={values} has {len(values)} values for {len(self.order)} stages.")
        return values

    def stage(self, epoch: int) -> tuple[int, float]:
        """Member that works in an epoch, and factor of its learning rate."""
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
        """Learning rates of the epoch; also puts its member to work."""
        member, factor = self.stage(self.last_epoch)
        self.optimizer.active = member  # type: ignore[attr-defined]
        return [float(rate) * factor for rate in self.base_lrs]
