"""Adam and SGD over one set of weights: who works when, at what rate, and that nothing is lost by a resume."""

import functools
from typing import Any

import pytest
import torch
from torch import nn

from spi_lightning.errors import UserError
from spi_lightning.optimizers import Alternating
from spi_lightning.schedules import AlternateEvery, step_decay

MEMBERS = (torch.optim.Adam, functools.partial(torch.optim.SGD, momentum=0.9))


def made(**schedule: Any) -> tuple[nn.Linear, Alternating, AlternateEvery]:
    torch.manual_seed(3)
    network = nn.Linear(5, 2)
    optimizer = Alternating(network.parameters(), MEMBERS, lr=0.01)
    return network, optimizer, AlternateEvery(optimizer, **(schedule or {"period": 2, "decay": 0.5}))


def train(parts: tuple[nn.Linear, Alternating, AlternateEvery], epochs: range) -> None:
    network, optimizer, schedule = parts
    for epoch in epochs:
        torch.manual_seed(epoch)
        for _ in range(3):
            optimizer.zero_grad()
            network(torch.randn(4, 5)).square().mean().backward()
            nn.utils.clip_grad_norm_(network.parameters(), 0.1)
            optimizer.step()
        schedule.step()


def test_members_take_turns_and_the_rate_falls() -> None:
    _, optimizer, schedule = made()
    found = []
    for _ in range(7):
        found.append((optimizer.active, optimizer.param_groups[0]["lr"]))
        optimizer.step()
        schedule.step()
    assert [member for member, _ in found] == [0, 0, 1, 1, 0, 0, 1]
    assert [rate for _, rate in found] == pytest.approx([0.01, 0.01, 0.005, 0.005, 0.0025, 0.0025, 0.00125])


def test_periods_decays_and_order_are_set_stage_by_stage() -> None:
    _, _, schedule = made(period=[1, 3, 2], decay=[1.0, 0.1, 0.5], order=[1, 0, 1])
    members = [schedule.stage(epoch)[0] for epoch in range(8)]
    factors = [schedule.stage(epoch)[1] for epoch in range(8)]
    assert members == [1, 0, 0, 0, 1, 1, 1, 0]
    assert factors == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.05, 0.05])


def test_each_stage_is_the_plain_optimiser() -> None:
    network, optimizer, schedule = made(period=100)
    plain = nn.Linear(5, 2)
    plain.load_state_dict(network.state_dict())
    adam = torch.optim.Adam(plain.parameters(), lr=0.01)
    train((network, optimizer, schedule), range(3))
    for epoch in range(3):
        torch.manual_seed(epoch)
        for _ in range(3):
            adam.zero_grad()
            plain(torch.randn(4, 5)).square().mean().backward()
            nn.utils.clip_grad_norm_(plain.parameters(), 0.1)
            adam.step()
    assert torch.equal(network.weight, plain.weight)


@pytest.mark.parametrize("cut", [1, 2, 3, 5])
def test_resume_is_bit_for_bit(cut: int, tmp_path: Any) -> None:
    whole, first, second = made(), made(), made()
    train(whole, range(8))
    train(first, range(cut))
    torch.save([part.state_dict() for part in first], tmp_path / "state.pt")
    for part, state in zip(second, torch.load(tmp_path / "state.pt", weights_only=True), strict=True):
        part.load_state_dict(state)
    train(second, range(cut, 8))
    for name, value in whole[0].state_dict().items():
        assert torch.equal(value, second[0].state_dict()[name])
    for one, other in zip(whole[1].members, second[1].members, strict=True):
        assert str(one.state_dict()) == str(other.state_dict())


def test_a_member_may_have_its_own_rate() -> None:
    network = nn.Linear(5, 2)
    members = (torch.optim.Adam, functools.partial(torch.optim.SGD, lr=0.5))
    optimizer = Alternating(network.parameters(), members, lr=0.01)
    optimizer.param_groups[0]["lr"], optimizer.active = 0.001, 1
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = network.weight.detach().clone()
    optimizer.step()
    torch.testing.assert_close(before - network.weight, torch.full_like(before, 0.05))


def test_step_decay() -> None:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    schedule = step_decay(optimizer, period=2, decay=0.5)
    rates = []
    for _ in range(5):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == [1, 1, 0.5, 0.5, 0.25]


def test_mistakes_are_named() -> None:
    network = nn.Linear(5, 2)
    with pytest.raises(UserError, match="members is empty"):
        Alternating(network.parameters(), [])
    with pytest.raises(UserError, match="alternate_every needs"):
        AlternateEvery(torch.optim.Adam(network.parameters()))
    optimizer = Alternating(network.parameters(), MEMBERS)
    with pytest.raises(UserError, match="indices 0 to 1"):
        AlternateEvery(optimizer, order=[2])
    with pytest.raises(UserError, match="2 stages"):
        AlternateEvery(optimizer, period=[1, 2, 3])
    with pytest.raises(UserError, match="1 epoch or more"):
        AlternateEvery(optimizer, period=0)
    with pytest.raises(UserError, match=r"members are Adam, SGD"):
        optimizer.load_state_dict(torch.optim.Adam(network.parameters()).state_dict())
