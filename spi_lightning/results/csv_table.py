"""Columns as CSV."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spi_lightning.files import atomic_write


def write_columns(path: Path, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write columns (N,) as CSV by an atomic write: seven digits, an empty cell for NaN, 0 and 1 for bool."""
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(_as_text(values) for values in columns.values()), strict=True))


def _as_text(values: NDArray[Any]) -> list[str]:
    if values.dtype.kind == "b":
        values = values.astype(np.int64)
    if values.dtype.kind == "f":
        return ["" if np.isnan(value) else f"{value:.7g}" for value in values.tolist()]
    return [str(value) for value in values.tolist()]
