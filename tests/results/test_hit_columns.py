"""Meanings of the columns of predictions.csv."""

import csv
from pathlib import Path

import numpy as np

from spi_lightning.results.hit_columns import meaning_of, meanings_of, write_columns

PAGE = Path(__file__).parents[2] / "docs" / "predictions.md"


def test_the_page_of_the_columns_says_what_the_report_says() -> None:
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    assert len(rows) >= 20
    for name, meaning in rows:
        assert meaning == meaning_of(name.strip("`")), name


def test_columns_of_the_file_are_named_as_such() -> None:
    assert meanings_of(["is_hit", "shot_energy"])[1] == ("shot_energy", "of the file of the patterns")


def test_numbers_truth_values_and_nan(tmp_path: Path) -> None:
    columns = {
        "frame": np.arange(2),
        "is_hit": np.array([True, False]),
        "size": np.array([1.23456789, np.nan], dtype=np.float32),
    }
    write_columns(tmp_path / "a.csv", columns)
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"frame": "0", "is_hit": "1", "size": "1.234568"},
        {"frame": "1", "is_hit": "0", "size": ""},
    ]
