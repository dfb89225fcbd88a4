"""Files of the layout of SPInn, the published data set of Bellisario & Ekeberg (2024): patterns with their densities.

The layout has a trap. The authors' ChimeraX script stores as `data_fourier` the inverse transform of the density, and
their training squares the forward transform of that, which is the density again: that "intensity" is the squared
density, shifted. The same script names the density `intensity`. Their condor script stores as `data_fourier` the
scattered wave, and as `intensity` its squared modulus. Which script wrote a file is found by comparing the transform of
`data_fourier` with the density; patterns are |data_fourier|^2 in either case.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.fields import DENSITY
from spi_lightning.io.hdf5.file import dataset, opened
from spi_lightning.io.hdf5.links import get_object
from spi_lightning.io.patterns.hdf5 import add_hdf5_labels, add_hdf5_masks
from spi_lightning.io.patterns.pattern_file import PatternFile, PatternKeys
from spi_lightning.notes import Note
from spi_lightning.physics.twin import canonical

_WAVE: Final = "data_fourier"
_DENSITIES: Final = ("real_space", "intensity")  # names that the authors' scripts give to the density
_SAME: Final = 0.02  # relative difference of two images that are the same but for rounding
_SAMPLES: Final = 4  # frames in which the trap is looked for


@dataclass
class SpinnImages:
    """One image a frame, made of a data set as it is read; the file is opened for each read.

    Attributes:
        path: HDF5 file.
        key: Name of the data set, (N, H, W) or (H, W).
        shape: (N, H, W).
        chunk: Frames that the file stores together.
        make: From stored images (n, H, W) to those given, float32 of the same shape.
        dtype: float32.
    """

    path: Path
    key: str
    shape: tuple[int, int, int]
    chunk: int
    make: Callable[[NDArray[Any]], NDArray[np.float32]]
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float32))

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Images start..stop, (stop - start, H, W)."""
        with opened(self.path) as file:
            item = file[self.key]
            return self.make(item[start:stop] if item.ndim == 3 else item[()][None])


def is_spinn(path: Path) -> bool:
    """Whether an HDF5 file has the data sets of this layout in its root."""
    with opened(path) as file:
        wave = get_object(file, _WAVE)
        named = any(isinstance(get_object(file, name), h5py.Dataset) for name in _DENSITIES)
        return named and isinstance(wave, h5py.Dataset) and wave.dtype.kind == "c"


def open_spinn(path: Path, keys: PatternKeys, convention: str) -> PatternFile:
    """Open a file of this layout and find out which of the authors' scripts wrote it.

    Args:
        path: The file.
        keys: Masks and labels that the user names.
        convention: Sense of the mask, see masks.py.

    Returns:
        Patterns with their origin at n // 2, each divided by its maximum as in the paper. The images DENSITY, where
        there are any, are the canonical ones of each density and its twin, maximum 1.

    Raises:
        UserError: The data sets do not fit together.
    """
    with opened(path) as file:
        wave = dataset(file, _WAVE)
        shape = wave.shape if wave.ndim == 3 else (1, *wave.shape)
        if len(shape) != 3 or 0 in shape:
            raise UserError(f"{path}: {_WAVE} has shape {wave.shape}; (N, H, W) is needed; mend the file")
        key = _density_key(file, wave)
        chunk = int(wave.chunks[0]) if wave.chunks and wave.ndim == 3 else 1
        patterns = PatternFile(path, "HDF5 of SPInn", SpinnImages(path, _WAVE, shape, chunk, _patterns), sentinels=[])
        patterns.notes += [Note.of(line, str(path)) for line in (_find_trap(file, key, shape[0]) if key else [])]
        add_hdf5_labels(patterns, file, keys, file)
        add_hdf5_masks(patterns, file, _WAVE, keys.mask, convention)
        patterns.images = {DENSITY: SpinnImages(path, key, shape, chunk, _densities)} if key else {}
    return patterns


def _density_key(file: h5py.File, wave: h5py.Dataset) -> str | None:
    """real_space; else `intensity` where that is the density, as in the ChimeraX script's own file."""
    for key in _DENSITIES:
        if key not in file:
            continue
        item = dataset(file, key)
        if item.shape != wave.shape:
            raise UserError(f"{file.filename}: {key} {item.shape} does not fit {_WAVE} {wave.shape}; mend the file")
        first = (0,) if wave.ndim == 3 else ()
        if key == _DENSITIES[0] or _same_image(np.abs(np.fft.fftn(wave[first])), np.abs(item[first])):
            return key
    return None


def _find_trap(file: h5py.File, key: str, count: int) -> list[str]:
    """What is read, and whether fftn(data_fourier) is the density: looked for in a few frames, which must agree."""
    frames = np.unique(np.linspace(0, count - 1, min(count, _SAMPLES)).astype(int))
    stacked = file[_WAVE].ndim == 3
    found = []
    for frame in frames:
        wave, density = (file[name][frame] if stacked else file[name][()] for name in (_WAVE, key))
        found.append(_same_image(np.abs(np.fft.fftn(wave)), np.abs(density)))
    if any(found) != all(found):
        raise UserError(f"{file.filename}: {_WAVE} is a transform of {key} in some frames only; mend or split the file")
    notes = [f"patterns are |{_WAVE}|^2, each divided by its maximum; densities are read from {key!r}"]
    if found[0]:
        notes.append(
            f"fftn({_WAVE}) is {key} itself: squaring it, as the authors' training does, would give the squared density"
        )
    return notes


def _same_image(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Whether two images (H, W) are equal up to scale, one perhaps shifted by half its edges."""
    first = a / max(float(np.linalg.norm(a)), 1e-300)
    others = (b, np.fft.fftshift(b), np.fft.ifftshift(b))
    return any(float(np.linalg.norm(first - o / max(float(np.linalg.norm(o)), 1e-300))) < _SAME for o in others)


def _patterns(waves: NDArray[Any]) -> NDArray[np.float32]:
    """|wave|^2 of (n, H, W), the origin moved to n // 2 where the brightest pixel, which is the origin, is a corner."""
    patterns = waves.real.astype(np.float64) ** 2 + waves.imag.astype(np.float64) ** 2
    finite = np.where(np.isfinite(patterns), patterns, 0)
    at_corner = finite.reshape(len(finite), -1).argmax(1) == 0
    patterns[at_corner] = np.fft.fftshift(patterns[at_corner], axes=(1, 2))
    return _over_maximum(patterns)


def _densities(stored: NDArray[Any]) -> NDArray[np.float32]:
    """Canonical densities (n, H, W), maximum 1."""
    return canonical(torch.from_numpy(_over_maximum(stored.real.astype(np.float64))), ndim=2).numpy()


def _over_maximum(images: NDArray[np.float64]) -> NDArray[np.float32]:
    top = np.max(images, axis=(1, 2), keepdims=True, initial=0, where=np.isfinite(images))
    return np.asarray(images / np.maximum(top, np.finfo(np.float64).tiny), dtype=np.float32)
