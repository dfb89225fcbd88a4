"""Columns as CSV, read back by Python's own reader."""

import csv
from pathlib import Path

import numpy as np

from spi_lightning.results.csv_table import write_columns


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
