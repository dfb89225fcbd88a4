import math
from itertools import pairwise

import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.schedules import WeibullWeight, rise_and_fall


@pytest.mark.parametrize("scale", [0.5, 1.0, 5.0, 20.0])
def test_end_values_are_exact(scale: float) -> None:
    weight = WeibullWeight(scale=scale)
    assert weight(0.0) == 1e4 and weight(1.0) == 1.0 and weight(2.0) == 1.0
    values = [weight(step / 100) for step in range(101)]
    assert all(later < earlier for earlier, later in pairwise(values))


def test_numbers_for_the_scale_taken_here() -> None:
    weight = WeibullWeight()  # a0 = 9999 / (2 (1 - exp(-2 s))), a1 = 1e4 - 2 a0
    assert weight.a0 == pytest.approx(9999 / (2 * (1 - math.exp(-10)))) == pytest.approx(4999.73, abs=0.01)
    assert weight.a1 == pytest.approx(0.546, abs=1e-3)
    assert weight(0.5) == pytest.approx(67.9, abs=0.1)
    assert WeibullWeight(scale=1.0)(0.5) == pytest.approx(2690, abs=1)
    assert WeibullWeight(scale=math.log(1e4) / 2).a1 == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("k", [1.0, 1.5, 2.0, 5.0])
@pytest.mark.parametrize("lam", [0.1, 0.5, 2.0])
def test_the_weight_falls_between_its_ends_for_every_shape(k: float, lam: float) -> None:
    weight = WeibullWeight(k=k, lam=lam)
    values = [weight(step / 1000) for step in range(1001)]
    assert values[0] == 1e4 and values[-1] == 1
    assert all(after <= before + 1e-6 for before, after in pairwise(values))
    assert values[1] == pytest.approx(1e4, rel=0.2)  # no jump after the first step


def test_eq_8_by_hand() -> None:
    weight = WeibullWeight(k=1.5, lam=0.7, scale=2.0, a0=3.0, a1=0.2)
    n = 2.0 * 0.4
    expected = 3 * 1.5 / 0.7 * (n / 0.7) ** 0.5 * math.exp(-((n / 0.7) ** 1.5)) + 0.2
    assert weight(0.4) == pytest.approx(expected)


@pytest.mark.parametrize("wrong", [{"k": 0.5}, {"k": 5, "lam": 6}, {"lam": 0.0}, {"scale": -1.0}, {"a0": 1.0}])
def test_mistakes_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match=r"loss\.weight"):
        WeibullWeight(**wrong)


def test_rate_rises_and_falls() -> None:
    for epochs in (1, 2, 10, 200):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
        schedule, rates = rise_and_fall(optimizer, epochs), []
        for _ in range(epochs + 2):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        assert min(rates) > 0 and 1.6 < max(rates) <= 2.0 and rates[-1] == pytest.approx(2e-3)
    assert rates[:3] == pytest.approx([2 / 21, 4 / 21, 6 / 21]) and rates.index(max(rates)) == 20
    with pytest.raises(UserError, match="rise"):
        rise_and_fall(optimizer, 10, rise=1.0)
