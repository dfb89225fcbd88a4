"""Numbers against the ranges of their names."""

import re
from typing import Any

import pytest

from spi_lightning.errors import UserError
from spi_lightning.settings import check_range


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("simulate.geometry.distance", [-1, -1], "must be above 0"),
        ("simulate.shape", [0, 64], "must be above 0"),
        ("simulate.shape", [], "is empty"),
        ("simulate.experiment.pulse_energy", -1, "must be above 0"),
        ("simulate.experiment.focus_diameter", 0, "must be above 0"),
        ("simulate.resolution", 0, "must be above 0"),
        ("simulate.at_once", 0, "must be above 0"),
        ("simulate.measurement.background", [-1, 0], "must not be negative"),
        ("simulate.bad_pixels.shift", -3, "must not be negative"),
        ("simulate.geometry.photon_energy", [float("nan")] * 2, "is not a number"),
        ("simulate.scene.kinds", {"single": -1}, "must not be negative"),
        ("network.widths", [], "is empty"),
        ("network.widths", [-4, 8], "must be above 0"),
        ("network.dropout", 2, "must lie between 0 and 1"),
        ("preprocess.bin", 0, "must be above 0"),
        ("trainer.max_epochs", 0, "would train nothing"),
        ("data.num_workers", -1, "must not be negative"),
        ("seed", -1, "must not be negative"),
        ("schedule.order", [], "is empty"),
        ("optimizer.lr", 1e45, "is not a learning rate"),
        ("loss.anything", float("nan"), "is not a number"),
    ],
)
def test_a_number_that_cannot_be_is_named(name: str, value: Any, message: str) -> None:
    with pytest.raises(UserError, match=rf"^{re.escape(name)}=\S+ {message}$|^{re.escape(name)}=\S+ {message}:"):
        check_range(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("preprocess.crop", None),
        ("simulate.bad_pixels.gap", [0, 0]),
        ("optimizer.lr", 1e-3),
        ("data.online", False),
        ("task.logits", True),
        ("trainer.max_steps", -1),
        ("data.geometry.step_deg", -0.01),
        ("schedule.T_max", -1),
        ("loss.class_weight", None),
        ("network.dropout", 0),
        ("simulate.scene.particle.core_contrast", [-0.8, 0.8]),
    ],
)
def test_sound_numbers_pass(name: str, value: Any) -> None:
    check_range(name, value)


def test_starts_of_negative_overlap_may_be_kept() -> None:
    check_range("disagreement", 1.5)
    with pytest.raises(UserError, match="must not be negative"):
        check_range("disagreement", -0.1)
