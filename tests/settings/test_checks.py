"""Configurations as plain containers, against the dataclasses that take them."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from spi_lightning.errors import UserError
from spi_lightning.settings import check_settings, field_types, filled, unknown_setting


@dataclass(frozen=True)
class Inner:
    size: int | None = None


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    threshold: float = 0.5
    anything: Any = None


TYPES = field_types(Outer)


def test_fields_are_settings_by_their_full_names() -> None:
    assert set(TYPES) == {"inner", "inner.size", "threshold"}
    assert filled(Outer, {"inner": {"size": 3}, "threshold": 0.1, "anything": "x", "more": 1}) == Outer(
        Inner(3), 0.1, "x"
    )


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"inner": {"size": "x"}}, "inner.size=x must be a whole number or null"),
        ({"inner": {"size": 0}}, "inner.size=0 must be above 0"),
        ({"inner": 3}, "inner=3 must be names and values"),
        ({"threshold": None}, "threshold=null must be a number"),
        ({"batch_size": "x"}, "batch_size=x must be a whole number"),
        ({"part": {"_target_": "torch.optim.SGD", "colour": 1}}, "part.colour is not a setting of torch.optim.SGD"),
    ],
)
def test_the_first_value_that_does_not_fit_is_named(config: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_settings(config, {"batch_size": 3}, TYPES)


def test_sound_settings_and_interpolations_pass() -> None:
    check_settings({"inner": {"size": "${x}"}, "threshold": 1, "batch_size": 1e1}, {"batch_size": 3}, TYPES)


def test_a_misspelt_setting_is_distinguished_from_one_of_another_group() -> None:
    there = {"batch_size": 3, "preparation": {"size": 1}}
    assert "did you mean data.batch_size?" in unknown_setting("data.batchsize", "data", there)
    assert "did you mean data.preparation.size?" in unknown_setting("data.size", "data", there)
