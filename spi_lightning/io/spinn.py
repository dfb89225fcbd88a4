"""The data set that the authors of P2 deposited: patterns and densities in HDF5, with a trap.

Their ChimeraX script stores the inverse transform of the density as `data_fourier`, and their training squares the
forward transform of that, which is the density again: the "intensity" is the squared density, shifted. Their condor
script stores the scattered wave itself. What a file holds is found by comparing the transform of `data_fourier` with
`real_space`; the intensity given here is the squared modulus of the wave in either case.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.io.hdf5.file import dataset, list_keys, open_hdf5, opened, read_failure

_WAVE, _DENSITY, _INTENSITY = "data_fourier", "real_space", "intensity"
_SAME = 0.02  # relative difference of two images that are the same but for rounding
_SAMPLES = 4


@dataclass
class SpinnFile:
    """A deposited file, opened lazily.

    Attributes:
        path: The file.
        shape: (N, H, W).
        trap: True where the forward transform of the stored wave is the density, so that squaring it, as the authors'
            training does, gives no diffraction pattern.
        density_key: Data set of the density, None without one (condor route).
        notes: One line for each choice made.
    """

    path: Path
    shape: tuple[int, int, int]
    trap: bool
    density_key: str | None
    notes: list[str]

    def intensity(self, frames: NDArray[np.int64]) -> NDArray[np.float32]:
        """Diffraction patterns (n, H, W), origin at n // 2, each divided by its maximum as in the paper."""
        wave = self._read(_WAVE, frames)
        pattern = wave.real.astype(np.float64) ** 2 + wave.imag.astype(np.float64) ** 2
        if not np.isfinite(pattern).all():
            raise UserError(f"{self.path}: {_WAVE} holds values that are no numbers in some of the frames asked for")
        return _over_maximum(np.stack([_centred(image) for image in pattern]))

    def density(self, frames: NDArray[np.int64]) -> NDArray[np.float32]:
        """Projected densities (n, H, W), maximum 1.

        Raises:
            UserError: The file has none.
        """
        if self.density_key is None:
            raise UserError(f"{self.path}: there are no densities in it, only diffraction patterns")
        return _over_maximum(self._read(self.density_key, frames).real.astype(np.float64))

    def authors_intensity(self, frames: NDArray[np.int64]) -> NDArray[np.float32]:
        """What the authors' training script computes, (n, H, W): with the trap the squared density; to compare."""
        spectrum = np.fft.fftshift(np.fft.fftn(self._read(_WAVE, frames), axes=(1, 2)), axes=(1, 2))
        return _over_maximum(np.abs(spectrum) ** 2)

    def _read(self, key: str, frames: NDArray[np.int64]) -> NDArray[Any]:
        index = np.asarray(frames, dtype=np.int64)
        order = np.unique(index)
        if len(order) and not (order[0] >= 0 and order[-1] < self.shape[0]):
            raise UserError(f"{self.path}: frames 0 to {self.shape[0] - 1} are there, not {order[[0, -1]].tolist()}")
        with opened(self.path) as file:
            stored = file[key] if self.shape[0] > 1 or file[key].ndim == 3 else file[key][()][None]
            return np.asarray(stored[order])[np.searchsorted(order, index)]


def open_spinn(path: str | Path) -> SpinnFile:
    """Open a file of the authors' layout and find out which of their scripts wrote it.

    Raises:
        UserError: It is not of this layout, or its data sets do not fit together.
    """
    path = Path(path)
    file = open_hdf5(path)
    try:
        wave = dataset(file, _WAVE)
        shape = wave.shape if wave.ndim == 3 else (1, *wave.shape)
        if len(shape) != 3 or wave.dtype.kind not in "cf" or 0 in shape:
            raise UserError(
                f"{path}: {_WAVE} has shape {wave.shape} and type {wave.dtype}; complex (N, H, W) is needed"
            )
        key = _density_key(file, wave)
        trap, notes = _find_trap(file, key, shape[0]) if key else (False, [])
    except (OSError, RuntimeError) as error:
        raise read_failure(path, error) from error
    finally:
        file.close()
    return SpinnFile(path, (shape[0], shape[1], shape[2]), trap, key, [f"{path}: {note}" for note in notes])


def _density_key(file: h5py.File, wave: h5py.Dataset) -> str | None:
    """real_space; else `intensity` where that is the density, as in the ChimeraX script's own file."""
    for key in (_DENSITY, _INTENSITY):
        item = file.get(key)
        if isinstance(item, h5py.Dataset):
            if item.shape != wave.shape:
                raise UserError(f"{file.filename}: {key} {item.shape} does not fit {_WAVE} {wave.shape}")
            if key == _DENSITY or _is_density(item, wave):
                return key
    if _INTENSITY in file:
        return None
    raise UserError(f"{file.filename}: neither {_DENSITY} nor {_INTENSITY} is there; there are: {list_keys(file)}")


def _is_density(item: h5py.Dataset, wave: h5py.Dataset) -> bool:
    first = (0,) if wave.ndim == 3 else ()
    return _same_image(np.abs(np.fft.fftn(wave[first or ...])), np.abs(item[first or ...]))


def _find_trap(file: h5py.File, key: str, count: int) -> tuple[bool, list[str]]:
    """Whether fftn(data_fourier) is the density, in a few frames; they must agree."""
    frames = np.unique(np.linspace(0, count - 1, min(count, _SAMPLES)).astype(int))
    stacked = file[_WAVE].ndim == 3
    verdicts = []
    for frame in frames:
        wave, density = (file[name][frame] if stacked else file[name][()] for name in (_WAVE, key))
        verdicts.append(_same_image(np.abs(np.fft.fftn(wave)), np.abs(density)))
    if any(verdicts) != all(verdicts):
        raise UserError(f"{file.filename}: {_WAVE} is a transform of {key} in some frames only; mend or split the file")
    notes = [f"the density is read from {key!r}"]
    if verdicts[0]:
        notes.append(
            f"fftn({_WAVE}) is {key} itself: squaring it, as the authors' training does, gives the squared density;"
            f" |{_WAVE}|^2 is used as the intensity"
        )
    return bool(verdicts[0]), notes


def _same_image(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Whether two images are equal up to scale, one perhaps shifted by half its edges."""
    first = a / max(float(np.linalg.norm(a)), 1e-300)
    others = (b, np.fft.fftshift(b), np.fft.ifftshift(b))
    return any(float(np.linalg.norm(first - o / max(float(np.linalg.norm(o)), 1e-300))) < _SAME for o in others)


def _centred(pattern: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move the origin to n // 2 if the brightest pixel, which is the origin, is at the corner."""
    row, column = np.unravel_index(int(pattern.argmax()), pattern.shape)
    at_corner = row == 0 and column == 0
    return np.fft.fftshift(pattern) if at_corner else pattern


def _over_maximum(images: NDArray[Any]) -> NDArray[np.float32]:
    top = np.maximum(images.max(axis=(1, 2), keepdims=True), np.finfo(np.float64).tiny)
    return np.asarray(images / top, dtype=np.float32)
