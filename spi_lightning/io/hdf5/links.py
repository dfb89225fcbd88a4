"""Objects of an HDF5 file by name, with soft and external links followed; a broken link gives None or a UserError."""

import os
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Final

import h5py

from spi_lightning.errors import UserError
from spi_lightning.io.units import text
from spi_lightning.printable import listed

MAX_DEPTH: Final = 8  # groups below the root
_ALIKE: Final = 0.7  # similarity from which a name is taken for a misspelt one
MOST_LISTED: Final = 12  # data sets in one message


def list_data_sets(file: h5py.File) -> str:
    """Names, shapes and dtypes of all data sets and broken links in one line, largest first."""
    found = sorted(walk(file), key=lambda pair: (pair[1] is not None, -(getattr(pair[1], "size", 0) or 0)))
    names = [
        f"{name} (a link to {missing_target(file, name)}, which does not exist)" if item is None
        else f"{name} {item.shape} {item.dtype}"
        for name, item in found if item is None or isinstance(item, h5py.Dataset)
    ]  # fmt: skip
    return listed(names, MOST_LISTED) or "no data sets at all"


def walk(file: h5py.File, max_depth: int = MAX_DEPTH) -> Iterator[tuple[str, Any]]:
    """Name and object of every data set and group, links followed, each group once; None for a broken link."""
    visited: set[object] = set()

    def inside(group: h5py.Group, prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
        if depth > max_depth or identity(group) in visited:
            return
        visited.add(identity(group))
        names = sorted(group, key=lambda name: not is_hard_link(group, name))
        for name in names:
            item = get_object(group, name)
            yield prefix + name, item
            if isinstance(item, h5py.Group):
                yield from inside(item, f"{prefix}{name}/", depth + 1)

    yield from inside(file, "", 0)


def is_hard_link(group: h5py.Group, name: str) -> bool:
    """Whether a name is a hard link, that is an object of the group itself; the object is not opened."""
    return bool(group.id.links.get_info(os.fsencode(name)).type == h5py.h5l.TYPE_HARD)


def get_object(group: h5py.Group, name: str) -> Any:
    """Object of a name in a group; None for an unknown name, a broken link, or an object that cannot be opened."""
    try:
        return group.get(name)
    except (KeyError, OSError, RuntimeError, ValueError):
        return None


def require_object(group: h5py.Group, name: str, option: str) -> Any:
    """As ``get_object``, but a broken link is an error; None for an unknown name.

    Args:
        group: Open group or file.
        name: Name of the object in the group.
        option: Option by which the user names another object, for the message.

    Raises:
        UserError: The name is a broken link.
    """
    item = get_object(group, name)
    if item is None and name in group.keys():  # noqa: SIM118  h5py follows links in `in`
        key = f"{group.name}/{name}".lstrip("/")
        target = missing_target(group.file, key) or "something"
        raise UserError(
            f"{group.file.filename}: {key!r} is a link to {target}, which does not exist; put it back or name another "
            f"with {option}="
        )
    return item


def identity(item: h5py.Dataset | h5py.Group) -> object:
    """Number of the file and address of an object, equal for all of its names."""
    about = h5py.h5o.get_info(item.id)
    return about.fileno, about.addr


def missing_target(file: h5py.File, key: str, depth: int = MAX_DEPTH) -> str:
    """File or path that a broken link names, through links of the same file; empty if the key is not a link."""
    parent, _, name = key.strip("/").rpartition("/")
    group = get_object(file, parent) if parent else file
    if not isinstance(group, h5py.Group) or name not in group.keys():  # noqa: SIM118  h5py follows links in `in`
        above = parent and get_object(file, parent) is None and depth
        return missing_target(file, parent, depth - 1) if above else ""
    link = group.get(name, getlink=True)
    if isinstance(link, h5py.ExternalLink):
        return f"{link.path} of {link.filename}"
    if not isinstance(link, h5py.SoftLink):
        return ""
    target = link.path if link.path.startswith("/") else f"{parent}/{link.path}"
    broken = depth and get_object(file, target) is None
    return (missing_target(file, target, depth - 1) if broken else "") or link.path


def nx_class(group: h5py.Group | h5py.Dataset) -> str:
    """NeXus class of a group; empty if it states none."""
    return text(group.attrs["NX_class"]) if "NX_class" in group.attrs else ""


def signal_names(group: h5py.Group) -> list[str]:
    """Names of the signal of an NXdata group: by its attribute, or as in older files by that of the data set."""
    if "signal" in group.attrs and group.attrs["signal"] is not None:
        return [text(group.attrs["signal"])]
    if nx_class(group) != "NXdata":
        return []
    items = [(name, get_object(group, name)) for name in group]
    return [
        name for name, item in items if isinstance(item, h5py.Dataset) and text(item.attrs.get("signal", "")) == "1"
    ]


def similar_data_set(file: h5py.File, key: str) -> str:
    """Full name of the data set whose last part is that of a key, or is spelt much like it; empty without one."""
    found = [name for name, item in walk(file) if isinstance(item, h5py.Dataset)]
    names = {name.rpartition("/")[2]: name for name in reversed(found)}
    near = get_close_matches(key.rpartition("/")[2], names, 1, _ALIKE)
    return names[near[0]] if near else ""
