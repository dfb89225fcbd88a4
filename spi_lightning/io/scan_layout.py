"""Where an HDF5 file keeps the counts of a rocking scan, and which of its groups belong to them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py

from spi_lightning.fields import UserError
from spi_lightning.io.hdf5_file import dataset, list_keys
from spi_lightning.io.units import text

_USUAL: Final = (
    "counts",
    "entry_1/data_1/data",
    "entry_1/instrument_1/detector_1/data",
    "entry/data/data",
    "entry/instrument/detector/data",
    "data",
)
_NO_COUNTS: Final = ("mask", "bad", "good", "flat", "white", "dark", "gain", "background", "error", "sigma")
_LEAST_PIXELS: Final = 5  # along rows and columns; smaller arrays are matrices
_SHOWN: Final = 8


@dataclass(frozen=True)
class ScanLayout:
    """Data sets and groups of one scan.

    Attributes:
        keys: Names of the data sets that hold the counts, one after another.
        counts: These data sets, each (frames, rows, columns).
        entry: Group of the measurement; the file itself where there is none.
        detector: Group of the detector that counted; None where the file has none, or several of which none is it.
        cxi: Whether the file is laid out as CXI.
    """

    keys: tuple[str, ...]
    counts: tuple[h5py.Dataset, ...]
    entry: h5py.Group
    detector: h5py.Group | None
    cxi: bool

    @property
    def beside(self) -> h5py.Group:
        """Group in which the name of the counts stands."""
        parent = self.keys[0].strip("/").rpartition("/")[0]
        return self.entry.file[parent] if parent else self.entry.file

    @property
    def shape(self) -> tuple[int, int, int]:
        """(frames, rows, columns)."""
        _, rows, columns = self.counts[0].shape
        return sum(len(item) for item in self.counts), rows, columns

    def instruments(self) -> list[h5py.Group]:
        """Groups of the instrument."""
        return [item for name, item in groups(self.entry) if name.startswith("instrument") or _is(item, "NXinstrument")]


def find_scan(file: h5py.File, key: str | None) -> ScanLayout:
    """Find the counts by name, by what NeXus says, under the usual names, or as the only stack of images.

    Raises:
        UserError: A link to a file that is gone, a data set that is no stack of images, none or several such.
    """
    keys = _blocks(file, key if key is not None else _choose(file))
    counts = tuple(dataset(file, one, "data.keys.counts") for one in keys)
    for one, item in zip(keys, counts, strict=True):
        if item.ndim != 3 or item.dtype.kind not in "uif" or 0 in item.shape:
            raise UserError(
                f"{file.filename}: {one} is {item.dtype} {item.shape}; a rocking scan is (frames, rows, columns) of "
                "counts"
            )
    parts = keys[0].strip("/").split("/")
    entry = file[parts[0]] if len(parts) > 1 else file
    cxi = "cxi_version" in file or re.fullmatch(r"entry_\d+", parts[0]) is not None
    return ScanLayout(keys, counts, entry, _detector(entry, keys[0], counts[0]), cxi)


def groups(group: h5py.Group) -> list[tuple[str, h5py.Group]]:
    """Groups in a group, by name, links that lead nowhere apart."""
    found = [(name, group.get(name)) for name in group]
    return [(name, item) for name, item in found if isinstance(item, h5py.Group)]


def dead_end(file: h5py.File, key: str, depth: int = 8) -> str | None:
    """What is missing where a name is a link to something that is not there; None where it is no such link."""
    group: Any = file
    for number, name in enumerate(parts := [part for part in key.split("/") if part]):
        link = group.get(name, getlink=True) if name in group.keys() else None  # noqa: SIM118  `in` follows links
        if link is None:
            return None
        item = group.get(name)
        if item is None and isinstance(link, h5py.ExternalLink):
            there = (Path(file.filename).parent / link.filename).is_file() or Path(link.filename).is_file()
            return f"{link.path} in {link.filename}" if there else link.filename
        if item is None and isinstance(link, h5py.SoftLink):
            target = link.path if link.path.startswith("/") else f"{group.name}/{link.path}"
            return (dead_end(file, target, depth - 1) if depth else None) or link.path
        if number < len(parts) - 1 and not isinstance(item, h5py.Group):
            return None
        group = item
    return None


def _dead_ends(file: h5py.File) -> Iterator[tuple[str, str]]:
    """Names that are links to something that is not there, with what is missing."""
    waiting: list[h5py.Group] = [file["/"]]
    known: set[Any] = set()
    while waiting:
        group = waiting.pop(0)
        if group.id in known or len(known) > 10_000:
            continue
        known.add(group.id)
        for name in group:
            key = f"{group.name.rstrip('/')}/{name}"
            item = group.get(name)
            if item is None:
                missing = dead_end(file, key)
                if missing is not None:
                    yield key, missing
            elif isinstance(item, h5py.Group) and item.file == file:
                waiting.append(item)


def _choose(file: h5py.File) -> str:
    """Name of the counts."""
    for key in (*_signals(file), *_USUAL):
        missing = dead_end(file, key)
        if missing is not None:
            raise UserError(_gone(file, key, missing))
        if isinstance(file.get(key), h5py.Dataset) and file[key].ndim == 3:
            return key
    stacks = _stacks(file)
    blocks = {re.sub(r"\d+$", "", name) for name, _ in stacks}
    if len(stacks) > 1 and len(blocks) == 1:
        return stacks[0][0]
    likely = [name for name, _ in stacks if not any(word in name.rpartition("/")[2].lower() for word in _NO_COUNTS)]
    if len(likely) == 1:
        return likely[0]
    if not likely:
        for key, missing in _dead_ends(file):
            raise UserError(_gone(file, key, missing))
        raise UserError(f"{file.filename}: no data set is a stack of images, {_what_there_is(file)}")
    there = ", ".join(f"{name} {file[name].shape} {file[name].dtype}" for name in likely[:_SHOWN])
    raise UserError(f"{file.filename}: which data set holds the counts? There are: {there} (data.keys.counts=)")


def _gone(file: h5py.File, key: str, missing: str) -> str:
    return f"{file.filename}: {key} is a link to {missing}, which is not there; put it beside this file and try again"


def _what_there_is(file: h5py.File) -> str:
    """What else could be meant, for a message."""
    images: list[str] = []

    def look(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim >= 2 and min(item.shape[-2:]) > _LEAST_PIXELS:
            images.append(f"{name} {item.shape}")

    file.visititems(look)
    if images:
        return f"as a rocking scan is: there are {', '.join(images[:_SHOWN])}; data=one_frame phases a single image"
    return f"as a rocking scan is; there are: {list_keys(file)} (data.keys.counts=)"


def _signals(file: h5py.File) -> list[str]:
    """Names that NXdata groups call their signal: of the default one first; signals that are no stacks left out."""
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
    """Name of the signal of an NXdata group, if it is a stack of images or a link to nothing."""
    if not _is(group, "NXdata") and "signal" not in group.attrs:
        return []
    name = text(group.attrs["signal"]) if "signal" in group.attrs else ""
    if not name:
        marked = [one for one in group if isinstance(group.get(one), h5py.Dataset) and "signal" in group[one].attrs]
        name = marked[0] if marked else ""
    key = f"{group.name}/{name}"
    item = group.get(name) if name else None
    is_stack = isinstance(item, h5py.Dataset) and _is_stack(item)
    return [key] if name and (is_stack or (item is None and dead_end(group.file, key) is not None)) else []


def _is_stack(item: h5py.Dataset) -> bool:
    """Whether a data set could be a scan: several images of numbers."""
    shape = tuple(int(n) for n in item.shape or ())
    return len(shape) == 3 and item.dtype.kind in "uif" and shape[0] > 1 and min(shape[1:]) >= _LEAST_PIXELS


def _stacks(file: h5py.File) -> list[tuple[str, h5py.Dataset]]:
    """All stacks of images, each once, the largest first."""
    found: list[tuple[str, h5py.Dataset]] = []

    def look(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and _is_stack(item):
            found.append((name, item))

    file.visititems(look)
    for _, group in groups(file):  # visititems follows no links
        for _, inner in [("", group), *groups(group)]:
            for name in inner:
                item = inner.get(name)
                if isinstance(item, h5py.Dataset) and _is_stack(item) and item not in [known for _, known in found]:
                    found.append((f"{inner.name}/{name}".lstrip("/"), item))
    return sorted(found, key=lambda one: (-one[1].size, one[0]))


def _blocks(file: h5py.File, key: str) -> tuple[str, ...]:
    """The data set, or all of data_000001, data_000002, ... of which it is one."""
    parent, _, name = key.rpartition("/")
    match = re.fullmatch(r"(.*_)\d{3,}", name)
    group = file.get(parent or "/")
    if not match or not isinstance(group, h5py.Group):
        return (key,)
    names = sorted(one for one in group.keys() if re.fullmatch(re.escape(match.group(1)) + r"\d{3,}", one))  # noqa: SIM118
    keys = tuple(f"{parent}/{one}" if parent else one for one in names)
    for one in keys:
        missing = dead_end(file, one)
        if missing is not None:
            raise UserError(_gone(file, one, missing))
    shapes = {file[one].shape[1:] for one in keys}
    return keys if len(shapes) == 1 else (key,)


def _detector(entry: h5py.Group, key: str, item: h5py.Dataset) -> h5py.Group | None:
    """Group of the detector that holds the data set or a link to it; else the only detector of the entry."""
    target = text(item.attrs["target"]) if "target" in item.attrs else ""
    parent = entry.file.get(key.strip("/").rpartition("/")[0] or "/")
    found = [group for _, group in _detectors(entry)]
    if parent in found or (isinstance(parent, h5py.Group) and _is_detector(parent.name.rpartition("/")[2], parent)):
        return parent
    for group in found:
        held = [group.get(name) for name in group]
        if item in held or target.rpartition("/")[0] == group.name:
            return group
    images = [group for group in found if {"distance", "x_pixel_size"} & set(group)]
    return images[0] if len(images) == 1 else found[0] if len(found) == 1 else None


def _detectors(entry: h5py.Group) -> list[tuple[str, h5py.Group]]:
    """Groups of detectors in an entry or its instruments."""
    inside = [pair for _, group in groups(entry) for pair in groups(group)]
    return [(name, group) for name, group in [*inside, *groups(entry)] if _is_detector(name, group)]


def _is_detector(name: str, group: h5py.Group) -> bool:
    return _is(group, "NXdetector") or re.fullmatch(r"detector(_?\d+)?", name) is not None


def _is(group: h5py.Group, nx_class: str) -> bool:
    return "NX_class" in group.attrs and text(group.attrs["NX_class"]) == nx_class
