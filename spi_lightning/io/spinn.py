"""Reader of SPInn files, the published data set of Bellisario & Ekeberg (2024): patterns with their densities.

The layout is ambiguous. The authors' ChimeraX script stores as `data_fourier` the inverse transform of the density, and
their training squares the forward transform of that, which is the density again: that "intensity" is the squared
density, shifted. The same script names the density `intensity`. Their condor script stores as `data_fourier` the
scattered wave, and as `intensity` its squared modulus. The script that wrote a file is found by comparing the transform
of `data_fourier` with the density; patterns are |data_fourier|^2 in either case.
"""

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
from spi_lightning.io.patterns.assembly import sample_indices
from spi_lightning.io.patterns.hdf5 import add_hdf5_labels, add_hdf5_masks
from spi_lightning.io.patterns.pattern_file import PatternFile, PatternKeys
from spi_lightning.notes import Note
from spi_lightning.physics.twin import canonical

_WAVE: Final = "data_fourier"
_DENSITIES: Final = ("real_space", "intensity")  # names of the density in the authors' scripts
_SAME: Final = 0.02  # relative difference of two images that are equal up to rounding
_SAMPLES: Final = 4  # frames in which data_fourier is compared with the density


@dataclass
class SpinnImages:
    """One image per frame, computed from a data set when it is read; the file is opened for each read.

    Attributes:
        path: Path of the HDF5 file.
        key: Name of the data set, (N, H, W) or (H, W).
        shape: Number of frames, rows and columns, (N, H, W).
        chunk: Number of frames that the file stores together.
        make: Function from stored images (n, H, W) to float32 images of the same shape.
        dtype: Number type of the images, float32.
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
    """Open a SPInn file, written by either of the authors' scripts.

    Args:
        path: Path of the HDF5 file.
        keys: Names of masks and labels.
        convention: Convention of the mask, see masks/convention.py.

    Returns:
        Patterns (N, H, W) with their origin at n // 2, each divided by its maximum as in the paper. The images DENSITY,
        if the file has any, are the canonical ones of each density and its twin, maximum 1.

    Raises:
        UserError: The data sets do not fit together.
    """
    with opened(path) as file:
        wave = dataset(file, _WAVE)
        shape = wave.shape if wave.ndim == 3 else (1, *wave.shape)
        if len(shape) != 3 or 0 in shape:
            raise UserError(f"{path}: {_WAVE} has shape {wave.shape}, not (N, H, W); correct the file")
        key = _density_key(file, wave)
        chunk = int(wave.chunks[0]) if wave.chunks and wave.ndim == 3 else 1
        patterns = PatternFile(path, "HDF5 of SPInn", SpinnImages(path, _WAVE, shape, chunk, _patterns), sentinels=[])
        patterns.notes += [Note.of(line, str(path)) for line in (_describe_wave(file, key, shape[0]) if key else [])]
        add_hdf5_labels(patterns, file, keys, file)
        add_hdf5_masks(patterns, file, _WAVE, keys.mask, convention)
        patterns.images = {DENSITY: SpinnImages(path, key, shape, chunk, _densities)} if key else {}
    return patterns


def _density_key(file: h5py.File, wave: h5py.Dataset) -> str | None:
    """Name of the density: real_space; else `intensity` if that is the density, as in the ChimeraX script's file."""
    for key in _DENSITIES:
        if key not in file:
            continue
        item = dataset(file, key)
        if item.shape != wave.shape:
            raise UserError(f"{file.filename}: {key} {item.shape} does not fit {_WAVE} {wave.shape}; correct the file")
        first = (0,) if wave.ndim == 3 else ()
        if key == _DENSITIES[0] or _same_image(np.abs(np.fft.fftn(wave[first])), np.abs(item[first])):
            return key
    return None


def _describe_wave(file: h5py.File, key: str, count: int) -> list[str]:
    """Notes on the data sets read, and whether fftn(data_fourier) is the density in a few frames, which must agree."""
    stacked = file[_WAVE].ndim == 3
    found = []
    for frame in sample_indices(count, _SAMPLES):
        wave, density = (file[name][frame] if stacked else file[name][()] for name in (_WAVE, key))
        found.append(_same_image(np.abs(np.fft.fftn(wave)), np.abs(density)))
    if any(found) != all(found):
        raise UserError(f"{file.filename}: {_WAVE} is a transform of {key} in some frames only; split the file")
    notes = [f"patterns are |{_WAVE}|^2, each divided by its maximum; densities are read from {key!r}"]
    if found[0]:
        notes.append(
            f"fftn({_WAVE}) is {key} itself: squaring it, as the authors' training does, would give the squared density"
        )
    return notes


def _same_image(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Whether two images (H, W) are equal up to scale and a shift by half of their edges."""
    first = a / max(float(np.linalg.norm(a)), 1e-300)
    others = (b, np.fft.fftshift(b), np.fft.ifftshift(b))
    return any(float(np.linalg.norm(first - o / max(float(np.linalg.norm(o)), 1e-300))) < _SAME for o in others)


def _patterns(waves: NDArray[Any]) -> NDArray[np.float32]:
    """|wave|^2 (n, H, W) with the origin, which is the brightest pixel, moved from a corner to n // 2."""
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
