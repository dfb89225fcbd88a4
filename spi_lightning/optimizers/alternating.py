"""Alternation of optimisers over one set of weights."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from spi_lightning.errors import UserError

MakeOptimizer = Callable[..., Optimizer]


class Alternating(Optimizer):
    """Adam and SGD (or any other optimisers) in turn; each keeps its state while another is active.

    It acts as one optimiser: one learning rate for schedules, one list of weights for clipping, one state dict with the
    states of all members and the index of the active one. A schedule (schedules.AlternateEvery) sets ``active``.

    Args:
        parameters: Parameters of one network.
        members: Constructors of the optimisers from parameter groups and lr; an lr of a member (``{lr: 0.1}``) stays in
            proportion to the common one.
        lr: Common learning rate of all members.

    Raises:
        UserError: There are no members, or the state dict is of other members.

    Source: Wu et al. (2021), Methods: "two optimizers, ADAM and SGD, ... switching every 200 epochs".
    """

    def __init__(self, parameters: Iterable[nn.Parameter], members: Sequence[MakeOptimizer], lr: float = 0.01) -> None:
        if not members:
            raise UserError("optimizer.members is empty: name one optimiser or more")
        self.members: list[Optimizer] = []
        self.shares: list[float] = []  # learning rate over the common one
        super().__init__(list(parameters), {"lr": lr})
        for make in members:
            own = getattr(make, "keywords", {}).get("lr")
            groups = [{"params": group["params"]} for group in self.param_groups]
            self.members.append(make(groups, lr=lr if own is None else own))
            self.shares.append(1.0 if own is None else own / lr)
        self.active = 0

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Any:  # type: ignore[override]
        """One step of the active member at the common learning rate; returns its loss, a scalar."""
        member = self.members[self.active]
        for mine, group in zip(self.param_groups, member.param_groups, strict=True):
            group["lr"] = mine["lr"] * self.shares[self.active]
        return member.step(closure)  # type: ignore[arg-type]

    def state_dict(self) -> dict[str, Any]:
        """States of all members, their order and the active one."""
        members = [{"name": type(member).__name__, **member.state_dict()} for member in self.members]
        return {**super().state_dict(), "members": members, "active": self.active}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore a state_dict() bit for bit."""
        stored = state_dict.get("members", [])
        names = [type(member).__name__ for member in self.members]
        if [member["name"] for member in stored] != names:
            found = ", ".join(member["name"] for member in stored) or "one optimiser"
            raise UserError(f"the checkpoint has the state of {found}, optimizer.members are {', '.join(names)}")
        super().load_state_dict({key: state_dict[key] for key in ("state", "param_groups")})
        for member, values in zip(self.members, stored, strict=True):
            member.load_state_dict({key: values[key] for key in ("state", "param_groups")})
        self.active = int(state_dict["active"])
