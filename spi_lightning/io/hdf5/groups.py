"""Groups of an HDF5 file that belong to a data set of patterns: its detector, its beam, and those above it.

CXI and NeXus keep the data of each detector in the group of that detector and link to it from elsewhere; the metadata
of a second detector or entry lie beside its own data.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import h5py

from .choice import frame_axes, is_detector
from .links import get_object, identity, is_hard_link, nx_class

_BEAM_CLASSES: Final = ("NXmonochromator", "NXbeam")
_BEAM_NAMES: Final = re.compile(r"(source_\d+|monochromator|beam|metadata|positioners)$", re.IGNORECASE)
_ABOUT: Final = re.compile(
    r"(geometry|experiment|metadata|parameters?|params|instrument|beam|source|lcls)$", re.IGNORECASE
)
_ENTRY: Final = re.compile(r"(entry|scan|run)?[_\d.]*$", re.IGNORECASE)
_MAX_DEPTH: Final = 4

Named = tuple[str, h5py.Group]


@dataclass(frozen=True)
class Surroundings:
    """Groups around a data set, by name, nearest first.

    Attributes:
        detector: Groups of its detector and of the data set itself: mask, distance, pixel size.
        beam: Groups that may hold the photon energy, those of its instrument first.
        general: Groups above it up to the root, where files without detector groups keep their metadata.
        detectors: Number of detector groups in its entry.
    """

    detector: list[Named]
    beam: list[Named]
    general: list[Named]
    detectors: int


def surroundings(file: h5py.File, key: str) -> Surroundings:
    """Groups that belong to the data set ``key``, in the opened file and in the target file of an external link."""
    item = file[key]
    parts = _behind_links(file, key.strip("/")).split("/")
    above = [("/".join(parts[:n]), file["/".join(parts[:n])]) for n in range(len(parts) - 1, 0, -1)] + [("", file)]
    entry = above[-2] if len(above) > 1 else above[-1]
    inside = list(_groups(entry, 0 if len(above) > 1 else _MAX_DEPTH - 2))
    detectors = [(name, group) for name, group in inside if is_detector(group, name)]
    own = _own_detector(item, above, detectors)
    near = [*own, *above[:1]] if len(above) > 1 else [*own]
    near += [pair for name, group in own for pair in _groups((name, group), _MAX_DEPTH - 1)]
    instrument = own[0][0].rpartition("/")[0] if own else ""
    beams = [(name, group) for name, group in inside if _is_beam(name, group)]
    beams.sort(key=lambda pair: (not pair[0].startswith(f"{instrument}/"), nx_class(pair[1]) == "NXbeam"))
    if item.file.filename != file.filename:  # behind an external link: groups beside the data there belong to them
        home = surroundings(item.file, home_key(file, key))
        near, beams = near + home.detector, home.beam + beams
    sides = [(f"{top}/{name}".strip("/"), group[name]) for top, group in above[-2:] for name in group
             if _ABOUT.match(name) and isinstance(get_object(group, name), h5py.Group)]  # fmt: skip
    return Surroundings(near, beams, [*above, *sides], len(detectors))


def _behind_links(file: h5py.File, key: str) -> str:
    """Name of a data set with soft links to groups of the same file along its path resolved."""
    parent, _, name = key.rpartition("/")
    group = file[parent or "/"]
    return f"{home_key(file, parent)}/{name}" if parent and group.file.filename == file.filename else key


def home_key(file: h5py.File, key: str) -> str:
    """Name of a data set in the file that holds it, external links followed."""
    parts, at = key.strip("/").split("/"), ""
    while parts:
        group, name = file[at or "/"], parts.pop(0)
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            return home_key(group[name].file, "/".join([link.path.strip("/"), *parts]))
        if isinstance(link, h5py.SoftLink):
            start = link.path if link.path.startswith("/") else f"{at}/{link.path}"
            return home_key(file, "/".join([start.strip("/"), *parts]))
        at = f"{at}/{name}"
    return at.strip("/")


def _groups(start: Named, depth: int) -> Iterator[Named]:
    """Groups inside a group, recursively, without following links."""
    name, group = start
    for inner in group:
        if is_hard_link(group, inner) and _is_group(group, inner):
            item = get_object(group, inner)
            if isinstance(item, h5py.Group):
                yield f"{name}/{inner}".strip("/"), item
                if depth < _MAX_DEPTH:
                    yield from _groups((f"{name}/{inner}".strip("/"), item), depth + 1)


def _is_group(group: h5py.Group, name: str) -> bool:
    """Whether a name is that of a group, without opening the object; False if it cannot be read."""
    try:
        return bool(h5py.h5o.get_info(group.id, os.fsencode(name)).type == h5py.h5o.TYPE_GROUP)
    except (KeyError, OSError, RuntimeError, ValueError):
        return False


def _own_detector(item: h5py.Dataset, above: list[Named], detectors: list[Named]) -> list[Named]:
    """Detector group of a data set: its parent, a group that links to it, or by name or number; empty if unknown."""
    name, parent = above[0]
    if len(above) > 1 and is_detector(parent, name):
        return [above[0]]
    same = identity(item)
    for one in detectors:
        for inner in one[1]:
            found = get_object(one[1], inner)
            if isinstance(found, h5py.Dataset) and found.shape == item.shape and identity(found) == same:
                return [one]
    links = [get_object(parent, inner) for inner in parent if inner.startswith("detector")]
    linked = [one for one in links if one is not None]
    if len(above) > 1 and len(linked) == 1 and isinstance(linked[0], h5py.Group):
        return [(linked[0].name, linked[0])]
    fitting = [one for one in detectors if _could_hold(one[1], item)]
    last = name.rsplit("/", 1)[-1]
    by_name = [one for one in fitting if one[0].rsplit("/", 1)[-1] == last]
    number = re.search(r"_(\d+)$", last)
    by_number = [one for one in fitting if number and one[0].endswith(f"detector_{number[1]}")]
    numbered = number is not None and any(re.search(r"_\d+$", one[0]) for one in detectors)
    for found_ones in (by_name, by_number, [] if numbered else fitting):
        if len(found_ones) == 1:
            return found_ones
    return []


def _could_hold(detector: h5py.Group, item: h5py.Dataset) -> bool:
    """Whether a detector group has no data of its own, or data of the same frame shape as a data set."""
    data = get_object(detector, "data")
    return not isinstance(data, h5py.Dataset) or frame_axes(data.shape)[-2:] == frame_axes(item.shape)[-2:]


def _is_beam(name: str, group: h5py.Group) -> bool:
    return nx_class(group) in _BEAM_CLASSES or (not nx_class(group) and bool(_BEAM_NAMES.search(name)))
