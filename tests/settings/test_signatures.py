"""Signatures of parts, read by their dotted names."""

import pytest
from hydra.utils import get_object
from omegaconf import OmegaConf

from spi_lightning.locations import CONF
from spi_lightning.settings import annotations, parameters
from spi_lightning.settings.signatures import named

TARGETS = sorted({str(part._target_) for path in CONF.glob("*/*.yaml") if "_target_" in (part := OmegaConf.load(path))})


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_resolves_to_the_object_that_hydra_finds(target: str) -> None:
    assert named(target) is get_object(target)


def test_a_function_whose_module_has_its_name_is_the_function() -> None:
    assert "period" in (parameters("spi_lightning.schedules.step_decay") or {})
    assert annotations("spi_lightning.schedules.step_decay")["period"] is int


def test_an_unknown_target_has_no_parameters() -> None:
    assert parameters("spi_lightning.no.such.thing") is None and annotations("no_such_package.thing") == {}
