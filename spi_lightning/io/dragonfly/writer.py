"""Writer of sparse Dragonfly .emc photon files, in one pass over patterns that need not fit into memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from spi_lightning.errors import UserError
from spi_lightning.files import atomic_write
from spi_lightning.write_errors import new_hdf5

from .emc_layouts import HEADER

Sparse = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]


def write_emc(path: str | os.PathLike[str], photons: Iterable[ArrayLike], form: str = "binary") -> int:
    """Write patterns as a sparse .emc file.

    Args:
        path: Path of the file, written atomically.
        photons: Batches (n, H, W) or single patterns (H, W) of whole counts >= 0, all of one detector.
        form: "binary" (every version of Dragonfly reads it) or "hdf5".

    Returns:
        Number of patterns written.

    Raises:
        UserError: No patterns, other shapes, negative or fractional counts, unknown form, or a failed write.
    """
    if form not in ("binary", "hdf5"):
        raise UserError(f"emc form={form} is unknown; choose binary or hdf5")
    with atomic_write(Path(path)) as temporary:
        frames = _sparse_frames(photons, Path(path))
        return _write_binary(temporary, frames) if form == "binary" else _write_hdf5(temporary, frames)


def _sparse_frames(photons: Iterable[ArrayLike], path: Path) -> Iterator[tuple[int, Sparse]]:
    """Number of pixels and the lists place_ones, place_multi, count_multi of each pattern, checked to be counts."""
    shape: tuple[int, ...] | None = None
    number = 0
    for item in photons:
        batch = np.asarray(item)
        batch = batch[None] if batch.ndim == 2 else batch
        shape = shape or batch.shape[1:]
        if batch.ndim != 3 or batch.shape[1:] != shape:
            raise UserError(
                f"{path}: pattern {number} has shape {batch.shape[1:]}, those before {shape}; write one detector a file"
            )
        for frame in batch.reshape(len(batch), -1):
            if not (np.isfinite(frame).all() and (frame >= 0).all() and (frame == np.rint(frame)).all()):
                raise UserError(
                    f"{path}: pattern {number} holds NaN, negative or fractional values, which are not photon counts"
                )
            counts = frame.astype(np.int32)
            multi = np.flatnonzero(counts > 1).astype(np.int32)
            yield counts.size, (np.flatnonzero(counts == 1).astype(np.int32), multi, counts[multi])
            number += 1
    if number == 0:
        raise UserError(f"{path}: no patterns were selected, so there is nothing to write")


def _write_binary(temporary: Path, frames: Iterator[tuple[int, Sparse]]) -> int:
    """Write the three lists to unnamed temporary files, then concatenate them after the header."""
    ones: list[int] = []
    multi: list[int] = []
    pixels = 0
    with ExitStack() as stack:
        lists = [stack.enter_context(TemporaryFile(dir=temporary.parent)) for _ in range(3)]
        for size, sparse in frames:
            pixels = size
            ones.append(len(sparse[0]))
            multi.append(len(sparse[1]))
            for file, values in zip(lists, sparse, strict=True):
                file.write(values.astype("<i4").tobytes())
        with temporary.open("wb") as out:
            header = np.zeros(HEADER // 4, "<i4")
            header[:3] = len(ones), pixels, 0
            for values in (header, np.array(ones, "<i4"), np.array(multi, "<i4")):
                out.write(values.tobytes())
            for file in lists:
                file.seek(0)
                shutil.copyfileobj(file, out)
    return len(ones)


def _write_hdf5(temporary: Path, frames: Iterator[tuple[int, Sparse]]) -> int:
    """Append the lists of each pattern to growing data sets."""
    number = 0
    with new_hdf5(temporary) as file:
        kind: Any = h5py.vlen_dtype(np.int32)
        lists = [
            file.create_dataset(name, (0,), kind, maxshape=(None,), chunks=(1024,))
            for name in ("place_ones", "place_multi", "count_multi")
        ]
        for pixels, sparse in frames:
            if number == 0:
                file["num_pix"] = np.array([pixels], np.int32)
            for item, values in zip(lists, sparse, strict=True):
                item.resize(number + 1, axis=0)
                item[number] = values
            number += 1
    return number
