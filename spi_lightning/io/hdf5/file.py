"""HDF5 files opened for reading, and stacks of frames read lazily; every failure is one UserError.

Names that are not UTF-8 decode as Python decodes paths, stray bytes to surrogates: h5py returns such names as bytes
and all others as str, and does not accept surrogates. With one rule for all names, a sound file with one motor named in
Latin-1 stays readable; `printable` escapes the bytes.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import h5py
import hdf5plugin  # noqa: F401  registers the compression filters of facility files
import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.files import file_stamp
from spi_lightning.io.reading import format_name, is_damage, note_read, reason, require_file, unsupported_format

from .choice import frame_axes, list_candidates, shape_of_frames
from .heaps import require_sound_heaps
from .links import list_data_sets, missing_target, similar_data_set
from .storage import Storage, require_linked_files, storage_of

MAGIC: Final = b"\x89HDF\r\n\x1a\n"
MOST_FRAMES: Final = 10**8  # in one file; labels of more would fill the memory before a frame is read
MOST_PIXELS: Final = 10**9  # of one frame
_CHECKED_LINKS: Final[set[tuple[int, ...] | None]] = set()  # stamps of files whose external links were checked
_CHECKED_HEAPS: Final[set[tuple[int, ...] | None]] = set()  # stamps of files whose global heaps were checked
_CACHE_BYTES: Final = 32 << 20  # some chunks of a facility file; h5py's 1 MiB holds none of them
_LEFT_OPEN: Final = "file is already open for"
_OPEN_FILES: Final = 32


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Context manager of an HDF5 file opened for reading.

    Raises:
        UserError: The file is missing, a folder, locked, truncated or not HDF5, or a read inside the block fails.
    """
    file = open_hdf5(path)
    try:
        with hdf5_reading(path):
            if file_stamp(path) not in _CHECKED_LINKS:
                require_linked_files(file, path)
                _CHECKED_LINKS.add(file_stamp(path))
            yield file
    finally:
        file.close()


@contextmanager
def hdf5_reading(path: Path) -> Iterator[None]:
    """Context manager of reads from an open HDF5 file; UserError for damage, broken links and missing filters."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not is_damage(error):
            raise
        raise read_failure(path, error) from error


def open_hdf5(path: Path) -> h5py.File:
    """Open an HDF5 file for reading; the caller closes it. Raises UserError as `opened` does."""
    require_file(path, "check data.path=")
    note_read(path)
    try:
        if (stamp := file_stamp(path)) not in _CHECKED_HEAPS:
            require_sound_heaps(path)
            _CHECKED_HEAPS.add(stamp)
        return h5py.File(path, "r", rdcc_nbytes=_CACHE_BYTES)
    except OSError as error:
        if _LEFT_OPEN in str(error):
            with suppress(OSError):  # a SWMR writer has or had it open: what it has written so far can be read
                return h5py.File(path, "r", rdcc_nbytes=_CACHE_BYTES, swmr=True)
        raise _open_failure(path, error) from error


def _open_failure(path: Path, error: OSError) -> UserError:
    """UserError of a locked, truncated, foreign or unreadable file, by the message of the HDF5 library."""
    text = str(error)
    if _LEFT_OPEN in text:
        return UserError(
            f"{path}: a program has the HDF5 file open for writing, or ended without closing it; wait until it closes "
            "it; only if no program writes it any more, repair a copy (h5clear -s COPY)"
        )
    if "unable to lock" in text:
        return UserError(
            f"{path}: the HDF5 file is locked by another program; close the program that writes it, or set "
            "HDF5_USE_FILE_LOCKING=FALSE to read it nevertheless"
        )
    if "truncated file" in text:
        return UserError(f"{path}: the HDF5 file is truncated, {path.stat().st_size} bytes are left; copy it again")
    if "signature not found" in text and format_name(path):
        return unsupported_format(path, "HDF5")
    if "signature not found" in text:
        return UserError(f"{path}: not an HDF5 file, or its beginning is damaged; copy it again or check the format")
    return UserError(f"{path}: the HDF5 file cannot be opened ({text})")


def read_failure(path: Path, error: Exception) -> UserError:
    """UserError of a failed read: a filter that is not installed, or damage."""
    text = reason(error)
    if "filter" in text and "not" in text:
        return UserError(f"{path}: compressed by a filter that hdf5plugin does not have ({text})")
    return UserError(f"{path}: the HDF5 file is damaged or a file it links to is missing ({text}); copy it again")


def dataset(file: h5py.File, key: str, option: str = "data.keys.photons") -> h5py.Dataset:
    """Data set by name, checked by storage.storage_of to have all of its values.

    Args:
        file: HDF5 file opened for reading.
        key: Name of the data set in the file.
        option: Option by which the user names another data set, for the message.

    Raises:
        UserError: An unknown name, a broken link or a group; values that are missing or may not be read.
    """
    item, path = look_up(file, key, option), Path(file.filename)
    storage_of(item, path).require_whole(f"{path}: {key}")
    return item


def look_up(file: h5py.File, key: str, option: str = "data.keys.photons") -> h5py.Dataset:
    """Data set by name, its values unchecked; UserError with the alternatives if there is none of that name."""
    try:
        item = file[key]
    except (KeyError, OSError, RuntimeError, ValueError) as error:
        target = missing_target(file, key)
        what = f"is a link to {target}, which does not exist" if target else "is not in the file"
        alike = similar_data_set(file, key)
        meant = f"; did you mean {option}={alike}?" if alike else ";"
        raise UserError(
            f"{file.filename}: key {key!r} {what}{meant} there are: {_fitting(file, option)} ({option}=)"
        ) from error
    if not isinstance(item, h5py.Dataset):
        raise UserError(f"{file.filename}: key {key!r} is a group; there are: {_fitting(file, option)} ({option}=)")
    return item


def _fitting(file: h5py.File, option: str) -> str:
    """List of the data sets that an option could name."""
    return list_candidates(file) if option == "data.keys.photons" else list_data_sets(file)


def frames_shape(item: h5py.Dataset, path: Path, key: str) -> tuple[int, int, int]:
    """(N, H, W) of a stack, (1, H, W) of a single frame; UserError for anything else."""
    stack_shape(frame_axes(tuple(int(n) for n in item.shape or ())), item.dtype, f"{path}: {key}")
    return shape_of_frames(item.shape)


def stack_shape(shape: tuple[int, ...], dtype: np.dtype[Any], where: str) -> tuple[int, int, int]:
    """(N, H, W) of a stack, (1, H, W) of a single frame; UserError for other shapes, no frames or no numbers."""
    if dtype.kind not in "uifb":
        kind = "complex, so phased" if dtype.kind == "c" else f"of type {dtype}"
        raise UserError(
            f"{where} is {kind}, which are not photon counts; name the measured patterns with data.keys.photons="
        )
    if len(shape) == 4:
        raise UserError(
            f"{where} has shape {shape}: it is modular (N, module, y, x); assemble the modules into (N, y, x) frames "
            "with your detector geometry first (extra_geom, psana or CrystFEL do it)"
        )
    if len(shape) not in (2, 3):
        raise UserError(f"{where} has shape {shape}; patterns are (N, H, W), or (H, W) for a single one")
    if 0 in shape:
        raise UserError(f"{where} has shape {shape}: it is empty and holds no patterns; check the file")
    rows, columns = shape[-2:]
    frames = shape[0] if len(shape) == 3 else 1
    if not (0 < frames <= MOST_FRAMES and rows > 0 and columns > 0 and rows * columns <= MOST_PIXELS):
        raise UserError(
            f"{where} has {frames} frames of {rows} x {columns} pixels by its header, more than any detector takes (at "
            f"most {MOST_FRAMES:.0e} frames of {MOST_PIXELS:.0e} pixels are read): the file is damaged; copy it again"
        )
    return frames, rows, columns


class Hdf5Frames:
    """Frames or masks of one data set, read lazily; the last 32 files used stay open in each process.

    Args:
        path: Path of the HDF5 file.
        key: Name of the data set, (N, H, W) or (H, W), perhaps with axes of one between or behind.

    Attributes:
        unmapped: (H, W) bool, True at pixels that a virtual data set maps to no source; None if there are none.
        linkable: Whether a virtual data set can map frames of this one.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = path, key
        with opened(path) as file:
            item, self.stamp = look_up(file, key), _stamp(path)
            self.shape = frames_shape(item, path, key)
            self.dtype: np.dtype[Any] = item.dtype
            self.fill = _fill_values(item)
            self.stacked = item.ndim > 2 and item.shape[0] == self.shape[0]
            self.chunk = int(item.chunks[0]) if item.chunks and self.stacked else 1
            storage: Storage = storage_of(item, path)
            self.unmapped = storage.pixels(f"{path}: {key}", self.shape)
            self.linkable = not storage.external and item.shape in (self.shape, self.shape[1:])

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames start..stop as stored, (stop - start, H, W)."""
        item = _cached(self.path, self.stamp, self.key)
        with hdf5_reading(self.path):
            block: NDArray[Any] = item[start:stop] if self.stacked else item[()]
        return block.reshape(-1, *self.shape[1:])


def _fill_values(item: h5py.Dataset) -> list[float]:
    """Fill values that a data set states: that of HDF5, and the netCDF attributes _FillValue and missing_value."""
    stated = [item.fillvalue, *(item.attrs.get(name) for name in ("_FillValue", "missing_value"))]
    numbers = [np.asarray(value).reshape(-1) for value in stated if value is not None]
    return [float(value) for values in numbers if values.dtype.kind in "uif" for value in values]


Stamp = tuple[int, int]
_OPEN: dict[tuple[int, Stamp, str], tuple[h5py.File, h5py.Dataset]] = {}


def _stamp(path: Path) -> Stamp:
    """Device and inode of a file, which differ for another file of the same name."""
    status = path.stat()
    return status.st_dev, status.st_ino


def _cached(path: Path, stamp: Stamp, key: str) -> h5py.Dataset:
    """Open data set from this process's cache of the most recently used files."""
    name = (os.getpid(), stamp, key)  # a forked child must not share its parent's handle
    kept = _OPEN.pop(name, None)
    if kept is None:
        file = open_hdf5(path)
        if _stamp(path) != stamp:
            file.close()
            raise UserError(f"{path}: the file was replaced while it was in use; start the command again")
        kept = (file, look_up(file, key))
    _OPEN[name] = kept  # last in the order of use
    if len(_OPEN) > _OPEN_FILES:
        oldest = next(iter(_OPEN))
        file = _OPEN.pop(oldest)[0]
        if oldest[0] == os.getpid():
            file.close()
    return kept[1]


try:  # h5py's own, of the releases that the lock and pyproject name
    from h5py._hl.base import CommonStateObject

    _encode: Any = CommonStateObject._e
except (ImportError, AttributeError):  # another h5py, which refuses such names and reads all others
    CommonStateObject = _encode = None
_holds: Final = h5py.Group.__contains__


def _decoded(_: Any, name: bytes | None) -> str | None:
    return None if name is None else name.decode("utf-8", "surrogateescape")


def _encoded(self: Any, name: Any, lcpl: Any = None) -> Any:
    if isinstance(name, str):
        try:
            name.encode("utf-8")
        except UnicodeEncodeError:
            name = name.encode("utf-8", "surrogateescape")
    return _encode(self, name, lcpl)


def _contains(self: h5py.Group, name: Any) -> bool:
    try:
        return bool(_holds(self, name))
    except UnicodeDecodeError:  # h5py decodes the names along the path as UTF-8
        return self.get(name) is not None


def decode_names_as_paths() -> None:
    """Patch h5py in this process to decode and encode names with surrogateescape."""
    if CommonStateObject is not None and hasattr(CommonStateObject, "_d"):
        CommonStateObject._d, CommonStateObject._e = _decoded, _encoded
        h5py.Group.__contains__ = _contains


decode_names_as_paths()
