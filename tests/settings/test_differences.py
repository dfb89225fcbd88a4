"""Differences between configurations, carried over to a third."""

import pytest

from spi_lightning.errors import UserError
from spi_lightning.settings import as_words, differences, laid_over, unused_parts, word_of
from spi_lightning.settings.differences import ABSENT


def test_differences_name_every_setting_once() -> None:
    old, new = {"a": {"b": 1, "c": [1, 2]}, "d": 3}, {"a": {"b": 2, "c": [1, 2]}, "e": None}
    assert list(differences(old, new)) == [("a.b", 1, 2), ("d", 3, ABSENT), ("e", ABSENT, None)]
    assert word_of(ABSENT) == "absent" and word_of(3) == "3"


def test_changes_and_named_settings_are_laid_over_a_configuration_that_stays() -> None:
    base = {"a": {"b": 7, "c": 8}, "d": 9, "f": "${x}"}
    before, after = {"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 5, "c": 2}, "g": {"h": 1}}
    assert laid_over(base, before, after, ["a.c", "g"]) == {"a": {"b": 5, "c": 2}, "f": "${x}", "g": {"h": 1}}
    assert base == {"a": {"b": 7, "c": 8}, "d": 9, "f": "${x}"}


def test_another_part_replaces_the_whole_and_settings_of_an_unknown_part_are_merged() -> None:
    base = {"part": {"_target_": "a", "x": 1, "only_of_a": 2}, "own": {"_target_": "c", "y": 1, "z": 2}}
    before = {"part": {"_target_": "a", "x": 5}}
    after = {"part": {"_target_": "b", "x": 5}, "own": {"y": 3}}
    assert laid_over(base, before, after) == {
        "part": {"_target_": "b", "x": 5},
        "own": {"_target_": "c", "y": 3, "z": 2},
    }
    assert laid_over(base, {}, {"own": {}}, ["own.z", "gone.x"])["own"] == {"_target_": "c", "y": 1}


def test_nested_settings_are_words() -> None:
    assert list(as_words({"task": {"epochs": 300, "levels": [1, 2]}, "seed": None})) == [
        "task.epochs=300",
        "task.levels=[1, 2]",
        "seed=null",
    ]
    with pytest.raises(UserError, match="is not a mapping"):
        list(as_words(3))


def test_a_part_is_used_where_another_used_part_names_it() -> None:
    part = {"_target_": "x"}
    config = {
        "task": {"network": "${network}"},
        "network": {**part, "size": "${loss.size}"},
        "loss": part,
        "metric": part,
    }
    assert unused_parts(config, ["network", "loss", "metric", "schedule"]) == {"metric"}
