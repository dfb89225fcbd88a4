"""Settings in which runs differ."""

from pathlib import Path
from typing import Any

from spi_lightning.results.runs import Run, varied_settings


def run(settings: dict[str, Any], *words: str) -> Run:
    return Run(Path("x"), settings=settings, words=dict(word.split("=") for word in words))


def columns(*runs: Run) -> dict[str, tuple[str, ...]]:
    return {column.key: column.values for column in varied_settings(runs)}


def test_interpolated_copies_and_folders_are_no_settings() -> None:
    def settings(lr: float, name: str) -> dict[str, Any]:
        optimizer = {"_target_": "spi_lightning.optimizers.adam", "lr": lr}
        return {"folder": name, "optimizer": optimizer, "task": {"optimizer": optimizer, "folder": name}, "seed": 0}

    assert columns(run(settings(1e-3, "a")), run(settings(1e-2, "b"))) == {"optimizer.lr": ("0.001", "0.01")}


def test_an_experiment_explains_what_comes_with_it() -> None:
    first = run({"network": {"_target_": "a.One", "width": 4}, "seed": 1}, "experiment=one")
    second = run({"network": {"_target_": "a.Two"}, "seed": 1}, "experiment=two")
    assert columns(first, second) == {"experiment": ("one", "two")}


def test_settings_that_vary_together_are_all_listed_where_they_were_named() -> None:
    runs = [run({"lr": lr, "dropout": dropout}, f"lr={lr}", f"dropout={dropout}") for lr, dropout in ((1, 0), (2, 0.5))]
    assert columns(*runs) == {"lr": ("1", "2"), "dropout": ("0", "0.5")}


def test_seeds_explain_nothing_but_copies_of_themselves() -> None:
    runs = [run({"seed": seed, "task": {"seed": seed}, "lr": lr}, f"seed={seed}") for seed, lr in ((1, 3), (2, 4), (3, 4))]
    assert columns(*runs) == {"seed": ("1", "2", "3"), "lr": ("3", "4", "4")}


def test_a_group_that_some_commands_named_is_listed_by_its_class() -> None:
    runs = [run({"network": {"_target_": "a.b.Tiny"}}, "network=tiny_cnn"), run({"network": {"_target_": "a.b.Large"}})]
    assert columns(*runs) == {"network": ("Tiny", "Large")}
    named = run({"network": {"_target_": "a.b.Large"}}, "network=large")
    assert columns(runs[0], named) == {"network": ("tiny_cnn", "large")}


def test_a_mapping_of_a_command_varies_by_its_keys() -> None:
    runs = [
        Run(Path(), settings={"data": {"patterns": {"train": n, "val": 10}}}, words={"data.patterns": f"{{train: {n}, val: 10}}"})
        for n in (100, 200)
    ]
    assert [(one.key, one.values) for one in varied_settings(runs)] == [("data.patterns.train", ("100", "200"))]


def test_one_run_varies_nothing() -> None:
    assert columns(run({"lr": 1}, "lr=1")) == {}
