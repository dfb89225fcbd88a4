"""Side files, which hold labels or a mask beside the patterns: text, .npy, TIFF, HDF5 with one fitting data set."""

from collections.abc import Callable, Container
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.io.hdf5.file import MAGIC, opened
from spi_lightning.io.hdf5.links import list_data_sets
from spi_lightning.io.hdf5.storage import whole
from spi_lightning.io.reading import TIFF_MAGIC, format_name, note_read, reading, unsupported_format

from .tiff import TiffFrames


def read_side_file(
    path: Path,
    dimensions: tuple[int, ...],
    option: str,
    shapes: Container[tuple[int, ...]] = (),
    look: Callable[[h5py.Dataset], None] = lambda item: None,
) -> NDArray[Any]:
    """Read one array from a side file.

    Args:
        path: Text (one value or one row per line), .npy, TIFF or HDF5, recognised by its magic bytes.
        dimensions: Allowed numbers of axes, for example (1,) for labels, (2, 3) for masks.
        option: Option that named the file, for messages.
        shapes: Preferred shapes where an HDF5 file holds more than one data set with allowed axes.
        look: Function called with the data set that is read from an HDF5 file.

    Raises:
        UserError: The file is missing, unreadable or has another number of axes.
    """
    if not path.is_file():
        raise UserError(f"{option}={path}: there is no such file, and no data set of this name in the patterns' file")
    note_read(path)
    with path.open("rb") as file:
        head = file.read(8)
    with reading(path, "text, .npy, TIFF or HDF5", f"{option}="):
        if head == MAGIC:
            values = _only_dataset(path, dimensions, option, shapes, look)
        elif head.startswith(b"\x93NUMPY"):
            values = np.load(path, allow_pickle=False)
        elif head[:4] in TIFF_MAGIC:
            frames = TiffFrames(path)
            values = frames.read(0, frames.shape[0])
            values = values[0] if len(values) == 1 else values
        elif format_name(path):
            raise unsupported_format(path, "text, .npy, TIFF or HDF5")
        else:
            values = _of_text(path.read_text(encoding="utf-8-sig"))
    if values.ndim not in dimensions:
        raise UserError(
            f"{option}={path}: has shape {values.shape}; {' or '.join(map(str, dimensions))} axes are allowed"
        )
    return np.asarray(values)


def _of_text(text: str) -> NDArray[Any]:
    """Values of a text: (n,) for a single row or column, else (n, m); numbers, booleans or words.

    Columns are separated by commas, semicolons or spaces; # begins a comment; a first line of words above numbers is a
    heading.
    """
    lines = [line for line in (line.split("#")[0].strip() for line in text.splitlines()) if line]
    if not lines:
        return np.empty(0)
    mark = next((mark for mark in ",;" if any(mark in line for line in lines)), None)
    rows = [[part.strip() for part in line.rstrip(mark).split(mark)] for line in lines]
    if len(rows) > 1 and not any(map(_is_value, rows[0])) and all(map(_is_value, rows[1])):
        rows = rows[1:]
    widths = {len(row) for row in rows}
    if len(widths) > 1:
        raise ValueError(f"its lines hold {min(widths)} to {max(widths)} values")
    values: NDArray[Any] = np.array(rows)
    if np.isin(np.char.lower(values), ("true", "false")).all():
        values = np.char.lower(values) == "true"
    elif any(_is_number(value) for value in values.flat[:1]):
        values = values.astype(np.float64)
    return values.reshape(-1) if 1 in values.shape else values


def _is_value(word: str) -> bool:
    return word.lower() in ("true", "false") or _is_number(word)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _only_dataset(
    path: Path,
    dimensions: tuple[int, ...],
    option: str,
    shapes: Container[tuple[int, ...]],
    look: Callable[[h5py.Dataset], None],
) -> NDArray[Any]:
    """Values of the only data set with an allowed number of axes."""
    with opened(path) as file:
        fitting: list[h5py.Dataset] = []
        file.visititems(
            lambda _, item: fitting.append(item) if isinstance(item, h5py.Dataset) and item.ndim in dimensions else None
        )
        if len(fitting) > 1:
            fitting = [item for item in fitting if item.shape in shapes] or fitting
        if len(fitting) > 1:
            word = option.rpartition(".")[2]
            named = [item for item in fitting if word in item.name.lower()]
            fitting = named if len(named) == 1 else fitting
        if len(fitting) != 1:
            raise UserError(
                f"{option}={path}: {len(fitting)} data sets could be meant; there are: {list_data_sets(file)}"
            )
        look(fitting[0])
        values: NDArray[Any] = whole(fitting[0])[()]
    return values
