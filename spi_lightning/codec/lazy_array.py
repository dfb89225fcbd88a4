"""Array in a file, read when it is indexed, for results larger than the memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LazyArray:
    """Array in an HDF5 file; can be pickled, as it holds no open file.

    A dataclass whose field has this type takes any array when it is written and gets a LazyArray when it is read.

    Attributes:
        path: HDF5 file that holds the array.
        name: Path of the data set in the file.
        shape: Shape of the array.
        dtype: Number type of its values.
    """

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """Part of the array, as h5py indexes it."""
        with h5py.File(self.path, "r") as file:
            return np.asarray(file[self.name][index]).astype(self.dtype, copy=False)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The whole array, read."""
        values = self[()]
        return values if dtype is None else values.astype(dtype)
