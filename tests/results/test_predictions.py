import csv

import h5py
import numpy as np

from spi_lightning.methods import Answer, DecisionRule, ensemble
from spi_lightning.results.predictions import Predictions


def test_files_hold_every_answer_label_and_column(tmp_path) -> None:
    rule = DecisionRule()
    values = np.array([0.2, 0.55, 0.9], dtype=np.float32)
    answers = [
        Answer(name, np.arange(3), values, values, *rule(values), 1.0, features=np.eye(3, dtype=np.float32))
        for name in ("seed/0", "seed/1")
    ]
    columns = {"photons": np.array([5.0, np.nan, 7.0]), "is_hit": np.array([True, False, True])}
    labels = {"is_single_hit": np.array([0, -1, 1])}
    Predictions(ensemble(answers, rule), answers, rule, labels, columns, np.array([1])).write(tmp_path)
    rows = list(csv.DictReader((tmp_path / "predictions.csv").open()))
    assert [row["frame"] for row in rows] == ["0", "1", "2"]
    assert [row["probability"] for row in rows] == ["0.2", "0.55", "0.9"]
    assert [row["decision"] + row["abstain"] + row["excluded"] for row in rows] == ["000", "111", "100"]
    assert [row["photons"] for row in rows] == ["5", "", "7"]
    assert rows[2]["probability:seed/1"] == "0.9"
    with h5py.File(tmp_path / "predictions.h5") as file:
        assert file.attrs["name"] == "ensemble"
        assert file["methods/1"].attrs["name"] == "seed/1"
        np.testing.assert_array_equal(file["probability"], values)
        np.testing.assert_array_equal(file["methods/0/features"], np.eye(3))
        assert list(file["columns"]) == ["photons", "is_hit"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["predictions.csv", "predictions.h5"]
