"""Reader and writer of volumes in NumPy files: .npy with one array, .npz with named arrays."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spi_lightning.errors import UserError
from spi_lightning.files import atomic_write
from spi_lightning.io.reading import reading


def read_volume(path: str | Path, key: str | None = None) -> NDArray[np.generic]:
    """Read one array of a .npy or .npz file.

    Args:
        path: Path of the NumPy file.
        key: Name of the array in a .npz file; None for the first with three axes.

    Raises:
        UserError: A missing or damaged file, Python objects, or no array of that name.
    """
    path = Path(path)
    with reading(path, "a NumPy file"):
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            names = [key] if key else [name for name in loaded.files if loaded[name].ndim == 3][:1]
            if not names or names[0] not in loaded.files:
                listed = ", ".join(f"{name} {loaded[name].shape}" for name in loaded.files)
                raise UserError(f"{path}: no array {key or 'of three axes'}; there are: {listed} (data.keys.counts=)")
            return np.asarray(loaded[names[0]])


def write_npz(path: str | Path, arrays: Mapping[str, ArrayLike]) -> Path:
    """Write named arrays, (z, y, x) or any other shape, compressed and atomically.

    Raises:
        UserError: The file cannot be written.
    """
    path = Path(path)
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **{name: np.asarray(values) for name, values in arrays.items()})  # type: ignore[arg-type]
    return path
