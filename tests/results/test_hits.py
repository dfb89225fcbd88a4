import csv

import h5py
import numpy as np

from spi_lightning import results
from spi_lightning.notes import Note
from spi_lightning.results.answered import Cost
from spi_lightning.results.decision import DecisionRule
from spi_lightning.results.hit_answer import HitAnswer, mean_answer
from spi_lightning.results.hits import DecidedAnswer, HitResult, MethodFacts


def result() -> HitResult:
    """Two networks and their ensemble on three frames."""
    rule, values = DecisionRule(), np.array([0.2, 0.55, 0.9], dtype=np.float32)
    answers = [HitAnswer(values, values, features=np.eye(3, dtype=np.float32)) for _ in range(2)]
    return HitResult(
        path="a.h5",
        format="HDF5",
        shape=(3, 8, 8),
        rule=rule,
        primary_name="ensemble",
        answers=[DecidedAnswer.of(f"seed/{seed}", answer, rule) for seed, answer in enumerate(answers)],
        ensemble=DecidedAnswer.of("ensemble", mean_answer(answers), rule),
        methods={f"seed/{seed}": MethodFacts(Cost(1.5, 20.0)) for seed in range(2)},
        labels={"is_single_hit": np.array([0, -1, 1])},
        columns={"photons": np.array([5.0, np.nan, 7.0]), "is_hit": np.array([True, False, True])},
        excluded=np.array([1]),
        metrics={"test/accuracy": 1.0, "test/auroc": None},
        notes=(Note.warning("beware", "seed/0"),),
    )


def test_files_hold_every_answer_label_and_column(tmp_path) -> None:
    result().save(tmp_path)
    rows = list(csv.DictReader((tmp_path / "predictions.csv").open()))
    assert [row["frame"] for row in rows] == ["0", "1", "2"]
    assert [row["probability"] for row in rows] == ["0.2", "0.55", "0.9"]
    assert [row["decision"] + row["abstain"] + row["excluded"] for row in rows] == ["000", "111", "100"]
    assert [row["photons"] for row in rows] == ["5", "", "7"]
    assert rows[2]["probability:seed/1"] == "0.9"
    with h5py.File(tmp_path / "predictions.h5") as file:
        np.testing.assert_array_equal(file["ensemble/decision"], [0, 1, 1])
        np.testing.assert_array_equal(file["answers/0/features"], np.eye(3))
        assert list(file["columns"]) == ["is_hit", "photons"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["predictions.csv", "predictions.h5"]


def test_a_run_is_read_as_typed_tables(tmp_path) -> None:
    result().save(tmp_path)
    read = results.read(tmp_path)
    assert isinstance(read, HitResult) and read.primary.name == "ensemble" and read.primary.features is None
    np.testing.assert_array_equal(read.table()["probability:seed/0"], read.answers[0].probability)
    assert read.methods["seed/1"].cost == Cost(1.5, 20.0) and read.notes == (Note.warning("beware", "seed/0"),)
    assert read.metrics == {"test/accuracy": 1.0, "test/auroc": None}
    assert [one.name for one in read.each_once] == ["seed/0", "seed/1", "ensemble"]


def test_frames_of_training_labels_are_not_scored() -> None:
    made = result()
    assert made.label is not None and made.label.tolist() == [0, -1, 1]
    object.__setattr__(made, "training_frames", np.array([0, 2]))
    assert made.label is None
