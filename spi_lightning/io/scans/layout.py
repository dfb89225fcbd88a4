"""Layout of a rocking scan in an HDF5 file: the data sets of its counts, and the groups that belong to them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.io.hdf5.file import look_up
from spi_lightning.io.hdf5.groups import surroundings
from spi_lightning.io.hdf5.links import (
    get_object,
    identity,
    list_data_sets,
    missing_target,
    nx_class,
    signal_names,
    walk,
)
from spi_lightning.io.hdf5.storage import storage_of
from spi_lightning.io.units import text

_USUAL: Final = (
    "counts",
    "entry_1/data_1/data",
    "entry_1/instrument_1/detector_1/data",
    "entry/data/data",
    "entry/instrument/detector/data",
    "data",
)
_NOT_COUNTS: Final = ("mask", "bad", "good", "flat", "white", "dark", "gain", "background", "error", "sigma")
_MIN_PIXELS: Final = 5  # along rows and columns; smaller arrays are matrices
_MAX_LISTED: Final = 8  # data sets in a message


@dataclass(frozen=True)
class ScanLayout:
    """Data sets and groups of one scan.

    Attributes:
        keys: Names of the data sets of the counts, in order.
        counts: Open data sets of the counts, each (frames, rows, columns).
        entry: Group of the measurement; the file itself if it has none.
        detector: Groups of the detector and of the counts, nearest first.
        cxi: Whether the file is laid out as CXI.
    """

    keys: tuple[str, ...]
    counts: tuple[h5py.Dataset, ...]
    entry: h5py.Group
    detector: tuple[h5py.Group, ...]
    cxi: bool

    @property
    def beside(self) -> h5py.Group:
        """Parent group of the counts."""
        parent = self.keys[0].strip("/").rpartition("/")[0]
        return self.entry.file[parent] if parent else self.entry.file

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the scan, (frames, rows, columns)."""
        shapes = [tuple(np.delete(item.shape, axes_of_one(item.shape)).tolist()) for item in self.counts]
        return sum(shape[0] for shape in shapes), *shapes[0][1:]

    def named(self) -> str:
        """Names of the data sets, and their stored shape if it has further axes of one."""
        names, stored = ", ".join(f"/{key.lstrip('/')}" for key in self.keys), self.counts[0].shape
        return names + (f", {stored} without its axis of one" if len(stored) > 3 else "")

    def read(self, rows: slice, columns: slice) -> NDArray[Any]:
        """Counts as stored, (frames, rows, columns)."""
        parts = []
        for item in self.counts:
            left, ones = iter((slice(None), rows, columns)), axes_of_one(item.shape)
            parts.append(item[tuple(0 if axis in ones else next(left) for axis in range(item.ndim))])
        return np.concatenate(parts)

    def unmapped(self) -> NDArray[np.bool_] | None:
        """Pixels (rows, columns) bool that a virtual data set maps to no source; None if all are mapped.

        Raises:
            UserError: Missing sources, or frames that nothing is mapped to.
        """
        path, found = Path(self.entry.file.filename), []
        for key, item in zip(self.keys, self.counts, strict=True):
            found.append(storage_of(item, path).pixels(f"{path}: {key}", self.shape))
        holes = [each for each in found if each is not None]
        return np.any(holes, axis=0) if holes else None

    def instruments(self) -> list[h5py.Group]:
        """Groups of the instrument."""
        return [
            item
            for name, item in groups(self.entry)
            if name.startswith("instrument") or nx_class(item) == "NXinstrument"
        ]


def find_scan(file: h5py.File, key: str | None) -> ScanLayout:
    """Find the counts by name, by the signal of NeXus, by the usual names, or as the only stack of images.

    Args:
        file: HDF5 file opened for reading.
        key: Name of the data set of the counts, None to search for it.

    Raises:
        UserError: A link to a missing file, a data set that is not a stack of images, no candidate or more than one.
    """
    keys = _blocks(file, key if key is not None else _choose(file))
    counts = tuple(look_up(file, one, "data.keys.counts") for one in keys)
    for one, item in zip(keys, counts, strict=True):
        if not _is_scan(item.shape) or item.dtype.kind not in "uif" or 0 in item.shape:
            raise UserError(
                f"{file.filename}: {one} is {item.dtype} {item.shape}; a rocking scan is (frames, rows, columns) of "
                "counts"
            )
    parts = keys[0].strip("/").split("/")
    entry = file[parts[0]] if len(parts) > 1 else file
    cxi = "cxi_version" in file or re.fullmatch(r"entry_\d+", parts[0]) is not None
    detector = tuple(group for _, group in surroundings(file, keys[0]).detector)
    return ScanLayout(keys, counts, entry, detector, cxi)


def groups(group: h5py.Group) -> list[tuple[str, h5py.Group]]:
    """Groups inside a group, by name, without broken links."""
    found = [(name, get_object(group, name)) for name in group]
    return [(name, item) for name, item in found if isinstance(item, h5py.Group)]


def _choose(file: h5py.File) -> str:
    """Name of the data set of the counts."""
    for key in (*_signals(file), *_USUAL):
        item = get_object(file, key)
        if item is None and (missing := missing_target(file, key)):
            raise UserError(_broken_link(file, key, missing))
        if isinstance(item, h5py.Dataset) and _is_scan(item.shape):
            return key
    stacks = _stacks(file)
    blocks = {re.sub(r"\d+$", "", name) for name, _ in stacks}
    if len(stacks) > 1 and len(blocks) == 1:
        return stacks[0][0]
    likely = [name for name, _ in stacks if not any(word in name.rpartition("/")[2].lower() for word in _NOT_COUNTS)]
    if len(likely) == 1:
        return likely[0]
    if not likely:
        for key, item in walk(file):
            if item is None:
                raise UserError(_broken_link(file, key, missing_target(file, key)))
        raise UserError(f"{file.filename}: no data set is a stack of images, {_alternatives(file)}")
    listed = ", ".join(f"{name} {file[name].shape} {file[name].dtype}" for name in likely[:_MAX_LISTED])
    raise UserError(
        f"{file.filename}: more than one data set could be the counts; name one with data.keys.counts=: {listed}"
    )


def _broken_link(file: h5py.File, key: str, missing: str) -> str:
    return f"{file.filename}: {key} is a link to {missing}, which does not exist; put it beside this file and try again"


def _alternatives(file: h5py.File) -> str:
    """Images or data sets of a file without stacks, as the end of a message."""
    images: list[str] = []

    def look(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim >= 2 and min(item.shape[-2:]) > _MIN_PIXELS:
            images.append(f"{name} {item.shape}")

    file.visititems(look)
    if images:
        return (
            f"as a rocking scan is: there are {', '.join(images[:_MAX_LISTED])}; data=one_frame phases a single image"
        )
    return f"as a rocking scan is; there are: {list_data_sets(file)} (data.keys.counts=)"


def _signals(file: h5py.File) -> list[str]:
    """Signals of the NXdata groups that are stacks of images, that of the default group first."""
    found: list[str] = []
    chain: Any = file
    while isinstance(chain, h5py.Group) and "default" in chain.attrs and len(found) == 0:
        following = chain.get(text(chain.attrs["default"]))
        if not isinstance(following, h5py.Group) or following == chain:
            break
        chain = following
        found += _signal_of(chain)
    for _, entry in groups(file):
        for _, group in groups(entry):
            found += _signal_of(group)
    return list(dict.fromkeys(found))


def _signal_of(group: h5py.Group) -> list[str]:
    """Name of the signal of an NXdata group, if it is a stack of images or a broken link."""
    for name in signal_names(group)[:1]:
        key, item = f"{group.name}/{name}", get_object(group, name)
        if (isinstance(item, h5py.Dataset) and _is_stack(item)) or (item is None and missing_target(group.file, key)):
            return [key]
    return []


def _is_stack(item: h5py.Dataset) -> bool:
    """Whether a data set could be a scan: a stack of two or more numeric images."""
    shape = tuple(int(n) for n in item.shape or ())
    if not _is_scan(shape) or item.dtype.kind not in "uif":
        return False
    frames, rows, columns = np.delete(shape, axes_of_one(shape))
    return bool(frames > 1 and min(rows, columns) >= _MIN_PIXELS)


def _is_scan(shape: tuple[int, ...] | None) -> bool:
    """Whether a shape is (frames, rows, columns), perhaps with axes of one more."""
    return shape is not None and len(shape) >= 3 and len(axes_of_one(shape)) == len(shape) - 3


def axes_of_one(shape: tuple[int, ...]) -> list[int]:
    """Axes of length one to remove so that three are left, those of modules (second and last) first."""
    ones = sorted((axis for axis, n in enumerate(shape) if n == 1), key=lambda axis: axis == 0)
    return ones[: max(0, len(shape) - 3)]


def without_ones(values: NDArray[Any], counts: Sequence[int]) -> NDArray[Any]:
    """Image or mask without leading axes of one, as far as the shape of ``counts`` (frames, rows, columns) allows."""
    while values.ndim > 2 and values.shape[0] == 1 and values.shape != tuple(counts):
        values = values[0]
    if values.ndim == 4 and values.shape[1] == 1:
        values = values[:, 0]
    return values


def _stacks(file: h5py.File) -> list[tuple[str, h5py.Dataset]]:
    """All stacks of images in a file, each once, the largest first."""
    found: dict[object, tuple[str, h5py.Dataset]] = {}
    for name, item in walk(file):
        if isinstance(item, h5py.Dataset) and _is_stack(item):
            found.setdefault(identity(item), (name, item))
    return sorted(found.values(), key=lambda one: (-one[1].size, one[0]))


def _blocks(file: h5py.File, key: str) -> tuple[str, ...]:
    """The data set, or all members of its numbered series data_000001, data_000002 and so on."""
    parent, _, name = key.rpartition("/")
    match = re.fullmatch(r"(.*_)\d{3,}", name)
    group = file.get(parent or "/")
    if not match or not isinstance(group, h5py.Group):
        return (key,)
    names = sorted(one for one in group.keys() if re.fullmatch(re.escape(match.group(1)) + r"\d{3,}", one))  # noqa: SIM118
    keys = tuple(f"{parent}/{one}" if parent else one for one in names)
    for one in keys:
        if get_object(file, one) is None:
            raise UserError(_broken_link(file, one, missing_target(file, one)))
    shapes = {file[one].shape[1:] for one in keys}
    return keys if len(shapes) == 1 else (key,)
