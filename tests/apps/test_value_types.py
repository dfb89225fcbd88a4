"""Values of the wrong type are named before anything is built of them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from spi_lightning.apps.value_ranges import check_range
from spi_lightning.apps.value_types import check_types, misfit
from spi_lightning.fields import UserError

CONF = Path(__file__).parents[2] / "conf"
EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (1, float),
        (1.5, float | None),
        (None, float | None),
        ([1, 2], Sequence[float]),
        ([0.1, 5], tuple[float, float]),
        ({"train": 3}, Mapping[str, int]),
        ("x", Any),
        ("auto", int | str),
        ("${other}", int),
        ("???", int),
        ([1, None], Sequence[float | None]),
    ],
)
def test_what_fits(value: Any, hint: Any) -> None:
    assert misfit(value, hint) is None


@pytest.mark.parametrize(
    ("value", "hint", "place"),
    [
        ("abc", float, ""),
        (1.5, int, ""),
        (True, int, ""),
        (1, bool, ""),
        (3, str, ""),
        (None, int, ""),
        ("abc", Sequence[int], ""),
        ([1, "b"], Sequence[int], "[1]"),
        ({"train": "many"}, Mapping[str, int], ".train"),
        ([1, "b"], Sequence[int] | None, "[1]"),
    ],
)
def test_what_does_not(value: Any, hint: Any, place: str) -> None:
    wrong = misfit(value, hint)
    assert wrong is not None and wrong[0] == place


def config_of(*words: str) -> Any:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", [*words, "folder=runs/x"])


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_passes(experiment: str) -> None:
    check_types(config_of(f"experiment={experiment}"), "train")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("task.hints=abc", "task.hints=abc must be a number"),
        ("task.twin=3", "task.twin=3 must be text"),
        ("data.batch_size=2.5", "data.batch_size=2.5 must be a whole number"),
        ("data.patterns.train=many", "data.patterns.train=many must be a whole number"),
        ("network.latent=x", "network.latent=x must be a whole number"),
        ("optimizer.lr=fast", "optimizer.lr=fast must be a number"),
        ("seed=one", "seed=one must be a whole number"),
        ("task.threshold=low", "task.threshold=low must be a number or null"),
    ],
)
def test_names_the_setting_and_what_it_takes(word: str, said: str) -> None:
    with pytest.raises(UserError) as raised:
        check_types(config_of("experiment=bellisario_support", word), "train")
    assert said in str(raised.value)


def test_settings_of_other_data_are_named_with_what_takes_them_away() -> None:
    words = ("experiment=bellisario_support", "data=supports", "data.path=x.h5")
    with pytest.raises(UserError, match=r"data\.\w+ is no setting of .*leave it out with ~data\.\w+"):
        check_types(config_of(*words), "train")


def test_parts_that_cannot_be_found_are_left_to_those_who_call_them() -> None:
    check_types(OmegaConf.create({"a": {"_target_": "no.such.thing", "b": "c"}}), "train")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("simulate.geometry.distance", [-1, -1], "must be above 0"),
        ("simulate.shape", [0, 64], "must be above 0"),
        ("simulate.shape", [], "is empty"),
        ("simulate.geometry.photon_energy", [float("nan")] * 2, "is not a number"),
        ("simulate.scene.kinds", {"single": -1}, "must not be negative"),
        ("network.widths", [], "is empty"),
        ("network.widths", [-4, 8], "must be above 0"),
        ("network.dropout", 2, "must lie between 0 and 1"),
        ("preprocess.bin", 0, "must be above 0"),
        ("data.num_workers", -1, "must not be negative"),
        ("seed", -1, "must not be negative"),
        ("schedule.order", [], "is empty"),
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


def test_a_pair_has_two_values() -> None:
    assert misfit([1, 2, 3], tuple[int, int]) == ("", [1, 2, 3], ["a list of 2 values"])
    assert misfit([0.5], tuple[float, float]) is not None and misfit([1, 2, 3], tuple[int, ...]) is None
