"""Several optimisers over one set of weights, one at work at a time."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from spi_lightning.errors import UserError

MakeOptimizer = Callable[..., Optimizer]


class Alternating(Optimizer):
    """Adam and SGD (or any others) taking turns; each keeps its own state while another works.

    To the outside it is one optimiser: one learning rate that schedules change, one list of weights that clipping
    reads, one state dict with the states of all members and the place of the active one. Who works is set by a
    schedule (schedules.AlternateEvery) in ``active``.

    Args:
        parameters: Of one network.
        members: Each makes an optimiser from parameter groups and lr; an lr of its own (``{lr: 0.1}``) stays in
            proportion to the common one.
        lr: Learning rate, of all members.

    Raises:
        UserError: No members, or a state dict of other members.

    Source: Wu et al. (2021), Methods: "two optimizers, ADAM and SGD, ... switching every 200 epochs".
    """

    def __init__(self, parameters: Iterable[nn.Parameter], members: Sequence[MakeOptimizer], lr: float = 0.01) -> None:
        if not members:
            raise UserError("optimizer.members is empty: name one optimiser or more.")
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
        """One step of the member at work, at the common learning rate."""
        member = self.members[self.active]
        for mine, group in zip(self.param_groups, member.param_groups, strict=True):
            group["lr"] = mine["lr"] * self.shares[self.active]
        return member.step(closure)  # type: ignore[arg-type]

    def state_dict(self) -> dict[str, Any]:
        """States of all members, their order and who is at work."""
        members = [{"name": type(member).__name__, **member.state_dict()} for member in self.members]
        return {**super().state_dict(), "members": members, "active": self.active}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where state_dict() was taken, bit for bit."""
        stored = state_dict.get("members", [])
        names = [type(member).__name__ for member in self.members]
        if [member["name"] for member in stored] != names:
            found = ", ".join(member["name"] for member in stored) or "one optimiser"
            raise UserError(f"the checkpoint has the state of {found}, optimizer.members are {', '.join(names)}.")
        super().load_state_dict({key: state_dict[key] for key in ("state", "param_groups")})
        for member, values in zip(self.members, stored, strict=True):
            member.load_state_dict({key: values[key] for key in ("state", "param_groups")})
        self.active = int(state_dict["active"])
