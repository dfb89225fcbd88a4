"""Values of the wrong type are named before anything is built of them."""

import re
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from spi_lightning.apps import evaluate, orient, phase
from spi_lightning.apps.configuration.value_types import check_types
from spi_lightning.errors import UserError

CONF = Path(__file__).parents[3] / "conf"
EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))


def config_of(*words: str) -> Any:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", [*words, "folder=runs/x"])


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_passes(experiment: str) -> None:
    check_types(config_of(f"experiment={experiment}"), "train", {})


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("task.half_hidden=abc", "task.half_hidden=abc must be a number"),
        ("task.twin=3", "task.twin=3 must be text"),
        ("data.batch_size=2.5", "data.batch_size=2.5 must be a whole number"),
        ("data.patterns.train=many", "data.patterns.train=many must be a whole number"),
        ("network.latent=x", "network.latent=x must be a whole number"),
        ("optimizer.lr=fast", "optimizer.lr=fast must be a number"),
        ("seed=one", "seed=one must be a whole number"),
        ("task.threshold=low", "task.threshold=low must be a number or null"),
    ],
)
def test_names_the_setting_and_what_it_takes(word: str, message: str) -> None:
    with pytest.raises(UserError) as raised:
        check_types(config_of("experiment=bellisario_support", word), "train", {})
    assert message in str(raised.value)


def test_settings_of_other_data_are_named_with_what_takes_them_away() -> None:
    words = ("experiment=bellisario_support", "data=supports", "data.path=x.h5")
    with pytest.raises(UserError, match=r"data\.\w+ is not a setting of .*leave it out with ~data\.\w+"):
        check_types(config_of(*words), "train", {})


def test_parts_that_cannot_be_found_are_left_to_those_who_call_them() -> None:
    check_types(OmegaConf.create({"a": {"_target_": "no.such.thing", "b": "c"}}), "train", {})


TYPES = {app.__name__.rpartition(".")[2]: app.TYPES for app in (evaluate, orient, phase)}
APPS = {"evaluate": ["data.path=x.h5"], "phase": ["data.path=x.h5"], "orient": ["data.path=x.cxi"]}


def composed(app: str, *words: str) -> Any:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(app, [*APPS[app], *words])


@pytest.mark.parametrize("app", APPS)
def test_the_apps_own_defaults_pass(app: str) -> None:
    check_types(composed(app), app, TYPES[app])


@pytest.mark.parametrize(
    ("app", "word"),
    [
        ("evaluate", "preprocess.bin=2"),
        ("evaluate", "training_labels.frames=[3,4]"),
        ("evaluate", "checkpoint=runs/x"),
        ("evaluate", "cache=null"),
        ("evaluate", "name=2024"),
        ("evaluate", "seed=1e4"),
        ("phase", "point_spread=null"),
        ("phase", "polish_steps=20"),
        ("phase", "least_oversampling=0"),
        ("orient", "detector.beam_centre=[63.5,64]"),
        ("orient", "emc.beta_schedule=1.25 2"),
        ("orient", "threads=4"),
    ],
)
def test_sound_values_of_the_apps_pass(app: str, word: str) -> None:
    check_types(composed(app, word), app, TYPES[app])


@pytest.mark.parametrize(
    ("app", "word", "message"),
    [
        ("evaluate", "batch_size=null", "must be a whole number"),
        ("evaluate", "batch_size=1e30", "must be a whole number"),
        ("evaluate", "decision.threshold=null", "must be a number"),
        ("evaluate", "decision.threshold=1.5", "must lie between 0 and 1"),
        ("evaluate", "decision=abc", "must be names and values"),
        ("evaluate", "bootstrap=null", "must be names and values"),
        ("evaluate", "training_labels.per_class=abc", "must be a whole number or null"),
        ("evaluate", "training_labels.frames=[a]", "must be a whole number"),
        ("evaluate", "preprocess.crop=nan", "must be a whole number or null"),
        ("evaluate", "selection.method=-1", "must be text or null"),
        ("evaluate", "views=abc", "must be none or flips or dihedral or null"),
        ("evaluate", "cache=0", "must be text or null"),
        ("evaluate", "trust=nan", r"must be text or a list such as \[a,b\]"),
        ("evaluate", "device=null", "must be text"),
        ("evaluate", "hits.threshold=inf", "is infinite"),
        ("evaluate", "seed=4294967296", "must be below"),
        ("phase", "starts=null", "must be a whole number"),
        ("phase", "polish_steps=abc", "must be a whole number or auto"),
        ("phase", "phasing.recipe=[]", "must be text"),
        ("phase", "data.threshold=-1", "must not be negative"),
        ("orient", "detector.distance=-1", "must be above 0"),
        ("orient", "detector.beam_centre=[1,2,3]", "must be a list of 2 values or null"),
        ("orient", "crop=abc", "must be a whole number or null"),
        ("orient", "emc.num_div=-1", "must be above 0"),
        ("orient", "keep=some", "must be last or all"),
        ("orient", "start=null", "must be names and values"),
    ],
)
def test_values_of_the_apps_are_held_against_what_they_take(app: str, word: str, message: str) -> None:
    with pytest.raises(UserError, match=rf"^{re.escape(word.partition('=')[0])}.*{message}"):
        check_types(composed(app, word), app, TYPES[app])


def test_a_range_rises() -> None:
    with pytest.raises(UserError, match=r"simulate.geometry.distance=\[0.6,0.5\] must be the lower value"):
        check_types(config_of("simulate.geometry.distance=[0.6,0.5]"), "train", {})
    check_types(config_of("simulate.geometry.distance=[0.5,0.5]"), "train", {})


def test_an_unknown_augmentation_is_named_also_where_nothing_is_trained() -> None:
    with pytest.raises(UserError, match=r"data\.augment=abc must be none or flips or dihedral"):
        check_types(config_of("data=hits", "data.path=x.h5", "data.augment=abc"), "train", {})
