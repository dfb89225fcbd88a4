"""Storage of HDF5 data sets: contiguous in their file, virtual (mapped from sources), or external raw files.

HDF5 silently returns fill values where a virtual data set maps nothing, where a source is missing or too short, and
beyond the end of a raw file; and external storage can name any file that the user may read. All of this is checked
once, before the first value is read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.io.reading import missing, note_read, require_file

from .selections import points, selected, unmapped_cells

RAW_STORAGE: Final = "SPI_RAW_STORAGE"


@dataclass
class Storage:
    """Storage of a data set, and the parts of it that no source is mapped to.

    Attributes:
        holes: Grid of bool cells, one axis per axis of the data set, True where nothing is mapped; None without holes.
        cuts: For each axis the first index of every cell, and the length of the axis.
        external: Whether the data set or one of its sources has external raw storage.
        sources: Name, shape and storage of sources that are virtual themselves and have holes.
    """

    holes: NDArray[np.bool_] | None = None
    cuts: list[NDArray[np.int64]] = field(default_factory=list)
    external: bool = False
    sources: list[tuple[str, tuple[int, ...], Storage]] = field(default_factory=list)

    def pixels(self, where: str, shape: tuple[int, int, int]) -> NDArray[np.bool_] | None:
        """Unmapped pixels (H, W) bool of frames of ``shape`` (N, H, W), equal in all frames; None if all are mapped.

        Raises:
            UserError: Whole frames are unmapped, or some pixels in some frames only.
        """
        found = [] if self.holes is None else [self._own_pixels(where)]
        for name, stored, source in self.sources:
            if stored[-2:] != shape[1:]:
                source.require_whole(name)
            inner = source.pixels(name, (0, *shape[1:]))
            found += [] if inner is None else [inner]
        return np.any(found, axis=0) if found else None

    def _own_pixels(self, where: str) -> NDArray[np.bool_]:
        """Unmapped pixels (H, W) bool of this data set itself, without its sources."""
        assert self.holes is not None
        lengths = [len(ends) - 1 for ends in self.cuts if ends[-1] > 1]  # without axes of one
        lengths = [1] * (3 - len(lengths)) + lengths
        frames = self.holes.reshape(lengths)
        empty = frames.all(axis=(1, 2))
        if empty.any() or (frames != frames[0]).any():
            what = "frames" if empty.any() else "parts of frames"
            wrong = empty if empty.any() else (frames != frames[0]).any(axis=(1, 2))
            raise UserError(
                f"{where}: nothing is mapped to {what} {self._named(wrong)} of this virtual data set, which HDF5 fills "
                "with a constant; map them, or read the source files themselves with data.path=[FILE,FILE]"
            )
        rows, columns = (np.diff(ends) for ends in [ends for ends in self.cuts if ends[-1] > 1][-2:])
        return np.repeat(np.repeat(frames[0], rows, axis=0), columns, axis=1)

    def require_whole(self, where: str) -> None:
        """Raise UserError if any element is unmapped."""
        for name, _, source in self.sources:
            source.require_whole(name)
        if self.holes is not None:
            wrong = self.holes.reshape(len(self.holes), -1).any(axis=1)
            raise UserError(
                f"{where}: nothing is mapped to entries {self._named(wrong)} of this virtual data set, which HDF5 "
                "fills with a constant; map them"
            )

    def _named(self, wrong: Any) -> str:
        """First and last index of the first five ranges of unmapped entries along the first axis, as text."""
        cuts = self.cuts[0]
        if len(wrong) != len(cuts) - 1:
            return "of some axes"
        edges = np.flatnonzero(np.diff(np.r_[False, wrong, False].astype(np.int8)))
        ranges = [(int(cuts[a]), int(cuts[b]) - 1) for a, b in edges.reshape(-1, 2)]
        listed = ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in ranges[:5])
        return listed + (f" and {len(ranges) - 5} more ranges" if len(ranges) > 5 else "")


def storage_of(item: h5py.Dataset, path: Path, chain: tuple[object, ...] = ()) -> Storage:
    """Check and record the files behind a data set: they exist, hold what is mapped from them, and may be read.

    Args:
        item: Data set of an open file.
        path: Path of the file that was opened, for messages.
        chain: Identities of the data sets that map this one, to detect cycles.

    Raises:
        UserError: A source, a data set in it or a raw file is missing or too short; external storage outside the folder
            of the file that names it, unless the environment variable SPI_RAW_STORAGE names a folder that contains it.
    """
    about = h5py.h5o.get_info(item.id)
    own = (about.fileno, about.addr)
    if own in chain:
        raise UserError(f"{path}: {item.name}: virtual data sets map each other in a cycle; write the data set again")
    found = Storage(external=bool(item.external))
    home = _file_of(item)
    if not chain and home.resolve() != path.resolve():
        note_read(home)
    if item.external:
        _check_raw(item, path)
    if not item.is_virtual:
        return found
    needed: dict[str, dict[str, list[Any]]] = {}
    mapped = item.virtual_sources()
    for source in mapped:
        for name, key in _numbered(source, home, item, path):
            needed.setdefault(name, {}).setdefault(key, []).append(source)
    for name, keys in needed.items():
        _add_sources(item, name, keys, path, found, (*chain, own))
    found.cuts, holes = unmapped_cells(item.shape, mapped)
    found.holes = holes if holes.any() else None
    return found


def whole(item: h5py.Dataset) -> h5py.Dataset:
    """The data set itself, checked to have all of its values; raises as storage_of does."""
    path = _file_of(item)
    storage_of(item, path).require_whole(f"{path}: {item.name}")
    return item


def _file_of(item: h5py.Dataset) -> Path:
    """Path of the file that holds a data set, also behind an external link."""
    return Path(os.fsdecode(item.file.filename))


def _add_sources(
    item: h5py.Dataset,
    name: str,
    keys: dict[str, list[Any]],
    path: Path,
    found: Storage,
    chain: tuple[object, ...],
) -> None:
    """Check the source data sets in one file: they exist, are large enough, and may be read."""
    home, where = _file_of(item), f"{path}: {item.name}"
    target = home if name == "." else located(name, home)
    if target is None:
        raise UserError(f"{where}: its values lie in {missing(name, home)}")
    note_read(target)
    try:
        file = h5py.File(target, "r")  # closed after its last use: close() searches all open objects of the process
        for key, mapped in keys.items():
            source = file.get(key)
            _check_extent(source, where, f"{key} of {target}", mapped, item.shape)
            inner = storage_of(source, path, chain)
            found.external |= inner.external
            if inner.holes is not None or inner.sources:
                found.sources.append((f"{where}: {target}: {key}", tuple(source.shape), inner))
    except (OSError, KeyError, RuntimeError) as error:
        raise UserError(f"{where}: its source {target} cannot be read ({error}); copy it again") from error


def require_linked_files(file: h5py.File, path: Path) -> None:
    """Refuse external links to pipes and devices, on which HDF5 would wait for ever."""

    def look(name: bytes, link: Any) -> None:
        if link.type == h5py.h5l.TYPE_EXTERNAL:
            target = Path(os.fsdecode(file.id.links.get_val(name)[0]))
            paths = (path.parent / target, path.resolve().parent / target, target)
            first = next((each for each in paths if each.exists()), None)
            if first is not None and not first.is_dir():
                require_file(first, f"it is the target of the link {os.fsdecode(name)} of {path}; write the link again")

    file.id.links.visit(look, info=True)


def located(name: str, home: Path) -> Path | None:
    """Path of the file that HDF5 reads for a name in ``home``: absolute, in the folder of ``home``, or in the cwd."""
    path = Path(name)
    paths = [path] if path.is_absolute() else []
    relative = path.name if path.is_absolute() else name
    paths += [home.parent / relative, home.resolve().parent / relative, Path(relative)]
    return next((each for each in paths if each.is_file()), None)


def _check_extent(source: Any, where: str, name: str, mapped: list[Any], shape: tuple[int, ...]) -> None:
    """Refuse a source that is not a data set, or smaller than what a data set of ``shape`` maps from it."""
    if not isinstance(source, h5py.Dataset):
        raise UserError(
            f"{where}: its values are those of {name}, which does not exist; write the virtual data set again"
        )
    for part in mapped:
        numbered = _has_number(part.file_name) or _has_number(part.dset_name)
        needed = points(selected(part.vspace, shape, 1 if numbered else None))
        if points(selected(part.src_space, source.shape)) < needed:
            raise UserError(
                f"{where}: {name} has shape {source.shape}, less than what is mapped from it; copy it again"
            )


def _numbered(source: Any, home: Path, item: h5py.Dataset, path: Path) -> Iterator[tuple[str, str]]:
    """File and data set of a source; for names like ``part%b.h5``, all that the extent of the data set needs."""
    if not (_has_number(source.file_name) or _has_number(source.dset_name)):
        yield _filled(source.file_name, 0), _filled(source.dset_name, 0)
        return
    start, stride, count, _ = source.vspace.get_regular_hyperslab()
    axis = next((k for k, n in enumerate(count) if n == h5py.h5s.UNLIMITED), 0)
    blocks = max(0, -(-(item.shape[axis] - start[axis]) // stride[axis]))
    for number in range(blocks):
        yield _filled(source.file_name, number), _filled(source.dset_name, number)
    later = [k for k in range(blocks + 1, blocks + 1000) if located(_filled(source.file_name, k), home)]
    if _has_number(source.file_name) and later:
        name = _filled(source.file_name, blocks)
        raise UserError(
            f"{path}: {item.name}: its values lie in numbered files, of which {name} is missing, but "
            f"{_filled(source.file_name, later[0])} exists; put it back beside {home.name}"
        )


def _has_number(name: str) -> bool:
    """Whether the name of a source has a number to be filled in: ``%b``, while ``%%`` is a plain per cent sign."""
    return "%b" in name.replace("%%", "")


def _filled(name: str, number: int) -> str:
    return re.sub("%([%b])", lambda found: "%" if found[1] == "%" else str(number), name)


def _check_raw(item: h5py.Dataset, path: Path) -> None:
    """Refuse external raw files outside the allowed folders, missing ones and those that are too short."""
    home, where, left = _file_of(item), f"{path}: {item.name}", int(item.nbytes)
    for name, offset, size in item.external:
        stated = Path(os.fsdecode(name))
        if not stated.is_absolute() and os.environ.get("HDF5_EXTFILE_PREFIX") != "${ORIGIN}":
            raise UserError(
                f"{where}: its values lie in the raw file {stated}, which HDF5 would look for where the program runs; "
                "import spi_lightning before h5py, and leave HDF5_EXTFILE_PREFIX unset"
            )
        raw = (home.resolve().parent / stated).resolve()
        allowed = [home.resolve().parent]
        if os.environ.get(RAW_STORAGE):
            allowed.append(Path(os.environ[RAW_STORAGE]).resolve())
        if not any(raw.is_relative_to(folder) for folder in allowed):
            raise UserError(
                f"{where}: its values are the bytes of {raw}, external raw storage outside the folder of the file; "
                f"if that is meant, allow it by {RAW_STORAGE}={raw.parent} before the command"
            )
        if not raw.is_file():
            raise UserError(f"{where}: its values lie in the raw file {raw}, which does not exist; put it back")
        needed = left if size == h5py.h5f.UNLIMITED else min(int(size), left)
        available = raw.stat().st_size - int(offset)
        if available < needed:
            raise UserError(
                f"{where}: its values lie in the raw file {raw}, which is too short ({max(available, 0)} of {needed} "
                "bytes); copy it again"
            )
        left -= needed
        note_read(raw)
    if left > 0:
        raise UserError(
            f"{where}: its raw files hold {left} bytes less than its shape {item.shape} needs; write the data set again"
        )
