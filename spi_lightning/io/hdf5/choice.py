"""Which data set of an HDF5 file holds the patterns: decided by meaning, then by type and size.

What could be patterns is a data set of numbers with two axes of some length, (N, H, W) or (H, W), which its name does
not call a mask, a correction or a result. Of these are taken, the first rule that holds for any deciding:

1. the signal of the default NXdata group, by the attributes ``default`` and ``signal`` of NeXus;
2. the usual names in the root of the file, in their order;
3. the signal of any NXdata group, the data of a detector, the places of CXI;
4. any other stack; 5. any other image.

Where a rule holds for two different data sets the user decides. Data sets of one frame shape in one group that are
numbered, as in the master files of EIGER, are one series.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import h5py
import numpy as np

from spi_lightning.errors import UserError
from spi_lightning.fields import BEAM_CENTRE, FIELDS, PHOTONS
from spi_lightning.io.units import text
from spi_lightning.printable import printable

USUAL: Final = (PHOTONS, "patterns", "adu", "counts", "frames", "images", "intensities", "data")
_USUAL_OF_IMAGES: Final = ("intensity", "image", "pattern", "real", "diffraction")
_DETECTOR: Final = re.compile(r"detector(_\d+)?$", re.IGNORECASE)
_CXI_DATA: Final = re.compile(r"entry_\d+/(data_\d+|image_\d+|instrument_\d+/detector_\d+)/data$")
_NUMBERED: Final = re.compile(r"(.*?)_?(\d+)$")
_NOT_PATTERNS: Final = re.compile(
    r"mask|(^|_)(good|bad|valid|invalid|dead|hot)(_|$)|pixels$|never_lit|artefact|artifact|dark|white_?field|flat|"
    r"background|pedestal|offset|gain|noise|error|variance|sigma|weight|matrix|vectors?$|translation|rotation|"
    r"orientation|quaternion|transform|position|coordinate|corner|label|table|index|indices|hist|spectrum|imag$|"
    r"phase|support|density|geometry|calib|thumbnail|preview|"
    r"(^|_)(err|errs|std|var|sum|mean|avg|average|median|total|min|max|projection|bg|reference)(_|$)",
    re.IGNORECASE,
)
_LEAST: Final = 4  # pixels along each axis, unless a stack has the name of one
_LEAST_OF_IMAGE: Final = 16  # of a single image that nothing but its size speaks for
_LONGEST: Final = 8  # ratio of its sides; beyond, it is a table
_DEEPEST: Final = 8
_SHOWN: Final = 12


@dataclass(frozen=True)
class Candidate:
    """A data set that could be patterns, or a link to one that is not there.

    Attributes:
        key: Its name in the file that was opened.
        rank: Number of the rule that speaks for it; smaller is likelier.
        why: The rule in words.
        shape, dtype: Of the data set; empty for a link to nothing.
        identity: What is the same for all names of one data set.
        missing: What a link names that is not there; empty for a data set.
    """

    key: str
    rank: float
    why: str
    shape: tuple[int, ...] = ()
    dtype: str = ""
    identity: object = None
    missing: str = ""

    def __str__(self) -> str:
        return (
            f"{self.key} {self.shape} {self.dtype}" if not self.missing else f"{self.key} ({self.missing}, not there)"
        )


@dataclass(frozen=True)
class Choice:
    """The data sets that hold the patterns, in order, and why they were taken."""

    keys: list[str]
    why: str


def choose_patterns(file: h5py.File, option: str = "data.keys.photons") -> Choice:
    """The data set, or the numbered series, that holds the patterns.

    Args:
        file: Open file.
        option: Option by which the user names one, for the messages.

    Raises:
        UserError: None could be, two could be alike, or the one that should be is a link to a file that is not there.
    """
    found = _candidates(file, deep=False)
    if not found or found[0].rank >= 3:  # else nothing deeper in the file is likelier
        found = _candidates(file)
    if not found:
        raise UserError(
            f"{file.filename}: no data set looks like patterns; there are: {every_data_set(file)} ({option}=)"
        )
    best = [one for one in found if one.rank == found[0].rank]
    series = _series(best)
    missing = next((one for one in (series or best) if one.missing), None)
    if missing is not None and (series or len({one.missing for one in best}) == 1):
        raise UserError(
            f"{file.filename}: the patterns {missing.key!r} are a link to {missing.missing}, which is not there; put "
            f"it back, or name other patterns with {option}="
        )
    if series:
        first, last = series[0].key, series[-1].key
        return Choice([one.key for one in series], f"a series of {len(series)} data sets, {first!r} to {last!r}")
    if len({one.identity for one in best}) > 1:
        raise UserError(
            f"{file.filename}: more than one data set could be the patterns; name one with {option}=; "
            f"likeliest first: {_listed(_candidates(file))}"
        )
    return Choice([best[0].key], best[0].why)


def likely_patterns(file: h5py.File) -> str:
    """Names, shapes and types of the data sets that could be patterns, likeliest first; of all where none could."""
    found = _candidates(file)
    return _listed(found) if found else every_data_set(file)


def every_data_set(file: h5py.File) -> str:
    """Names, shapes and types of all data sets and of links to nothing, largest first, in one line."""
    found = sorted(walk(file), key=lambda pair: (pair[1] is not None, -(getattr(pair[1], "size", 0) or 0)))
    names = [
        f"{name} (a link to {missing_target(file, name)}, which is not there)" if item is None
        else f"{name} {item.shape} {item.dtype}"
        for name, item in found if item is None or isinstance(item, h5py.Dataset)
    ]  # fmt: skip
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) + more) or "no data sets at all"


def _listed(found: list[Candidate]) -> str:
    kept = list({one.identity if not one.missing else one.key: one for one in reversed(found)}.values())[::-1]
    more = f" and {len(kept) - _SHOWN} more" if len(kept) > _SHOWN else ""
    return ", ".join(map(str, kept[:_SHOWN])) + more


def walk(file: h5py.File, deepest: int = _DEEPEST) -> Iterator[tuple[str, Any]]:
    """Every data set and group by its name, links followed, each group once; None for a link to nothing."""
    seen: set[object] = set()

    def inside(group: h5py.Group, prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
        if depth > deepest or identity(group) in seen:
            return
        seen.add(identity(group))
        names = sorted(group, key=lambda name: not is_hard_link(group, name))
        for name in names:
            item = there(group, name)
            yield prefix + name, item
            if isinstance(item, h5py.Group):
                yield from inside(item, f"{prefix}{name}/", depth + 1)

    yield from inside(file, "", 0)


def is_hard_link(group: h5py.Group, name: str) -> bool:
    """Whether an object lies in a group itself; it stays closed."""
    return bool(group.id.links.get_info(os.fsencode(name)).type == h5py.h5l.TYPE_HARD)


def there(group: h5py.Group, name: str) -> Any:
    """What a name stands for; None where it is a link to nothing, or cannot be opened."""
    try:
        return group.get(name)
    except (KeyError, OSError, RuntimeError, ValueError):
        return None


def held(group: h5py.Group, name: str, option: str) -> Any:
    """As ``there``, but UserError for a link to nothing: what a file means to hold is not left out in silence."""
    item = there(group, name)
    if item is None and name in group.keys():  # noqa: SIM118  h5py follows links in `in`
        key = f"{group.name}/{name}".lstrip("/")
        target = missing_target(group.file, key) or "something"
        raise UserError(
            f"{group.file.filename}: {key!r} is a link to {target}, which is not there; put it back or name another "
            f"with {option}="
        )
    return item


def identity(item: h5py.Dataset | h5py.Group) -> object:
    """What is the same for all names of one object."""
    about = h5py.h5o.get_info(item.id)
    return about.fileno, about.addr


def missing_target(file: h5py.File, key: str, depth: int = _DEEPEST) -> str:
    """File or path that a link to nothing names, followed through links in the same file; empty if it is no link."""
    parent, _, name = key.strip("/").rpartition("/")
    group = there(file, parent) if parent else file
    if not isinstance(group, h5py.Group) or name not in group.keys():  # noqa: SIM118  h5py follows links in `in`
        above = parent and there(file, parent) is None and depth
        return missing_target(file, parent, depth - 1) if above else ""
    link = group.get(name, getlink=True)
    if isinstance(link, h5py.ExternalLink):
        return f"{link.path} of {link.filename}"
    if not isinstance(link, h5py.SoftLink):
        return ""
    target = link.path if link.path.startswith("/") else f"{parent}/{link.path}"
    return (missing_target(file, target, depth - 1) if depth and there(file, target) is None else "") or link.path


def _candidates(file: h5py.File, deep: bool = True) -> list[Candidate]:
    """Everything that could be patterns, likeliest first; if not deep, of the root and the default NXdata group."""
    default, found = _default_signal(file), list(walk(file, _DEEPEST if deep else 0))
    if default and not deep:
        found.append((default, there(file, default)))
    signals: set[str] = set()
    for name, item in [("", file), *found]:
        if isinstance(item, h5py.Group):
            signals |= {f"{name}/{signal}".strip("/") for signal in _signals(item)}
    candidates = []
    for name, item in dict(found).items():
        rank, why = _rule(file, name, default, signals)
        if item is None:
            if rank < 4:
                target = missing_target(file, name)
                candidates.append(Candidate(name, rank, why, identity=name, missing=target or "something"))
        elif isinstance(item, h5py.Dataset) and could_be_patterns(item, name, by_meaning=rank < 4):
            stack = len(frame_axes(item.shape)) == 3
            if rank > 4:
                rank, why = (4.0, "the only stack") if stack else (5.0, "the only image")
            elif rank > 1 and not stack:
                rank += 0.5 if rank >= 3 else 2.5  # after any stack of the same rule, or for its name of any rule
            candidates.append(Candidate(name, rank, why, item.shape, str(item.dtype), identity(item)))
    numbered = {_series_of(one.key): one for one in candidates if not one.missing}
    for name, item in dict(found).items():
        beside = numbered.get(_series_of(name)) if item is None and _series_of(name) else None
        if beside is not None and beside.rank >= 4:  # a part of the series is gone
            target = missing_target(file, name) or "something"
            candidates.append(Candidate(name, beside.rank, beside.why, identity=name, missing=target))
    return sorted(candidates, key=lambda one: (one.rank, one.key))


def _series_of(name: str) -> str:
    """Name of a numbered data set without its number; empty for others."""
    match = _NUMBERED.match(name.rsplit("/", 1)[-1])
    return f"{name.rpartition('/')[0]}/data" if match and match[1] == "data" else ""


def frame_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(N, H, W) or (H, W) of a stored shape: last axes of one (libspimage) and single modules fall out."""
    if len(shape) in (3, 4) and shape[-1] == 1 and min(shape[-3:-1]) > 1:
        shape = shape[:-1]
    return (shape[0], *shape[2:]) if len(shape) == 4 and shape[1] == 1 else shape


def could_be_patterns(item: h5py.Dataset, name: str, by_meaning: bool) -> bool:
    """Whether type, name and size allow that a data set holds patterns."""
    if item.dtype.kind not in "uifbc" or item.shape is None:
        return False
    last = name.rsplit("/", 1)[-1]
    plain = printable(last) == last  # the words of a name with control characters say nothing of what it holds
    if not by_meaning and plain and (_NOT_PATTERNS.search(last) or last in FIELDS or last == BEAM_CENTRE):
        return False
    shape = frame_axes(item.shape)
    if len(shape) not in (2, 3, 4) or (len(shape) == 4 and not by_meaning and item.size < 4096):
        return False
    if min(shape[-2:]) < (2 if by_meaning and len(shape) == 3 else _LEAST):
        return False
    if len(shape) == 2 and (not by_meaning or "/" not in name):
        return min(shape) >= _LEAST_OF_IMAGE and max(shape) <= _LONGEST * min(shape)
    return True


def _rule(file: h5py.File, name: str, default: str, signals: set[str]) -> tuple[float, str]:
    """Number and words of the first rule that speaks for a name."""
    parent, _, last = name.rpartition("/")
    if name == default:
        return 1, "the signal of the default NXdata group"
    if not parent and last in USUAL:
        return 2 + USUAL.index(last) / 100, "a usual name"
    if not parent and last in _USUAL_OF_IMAGES:
        return 2.1 + _USUAL_OF_IMAGES.index(last) / 100, "a usual name"
    if name in signals:
        return 3, "the signal of an NXdata group"
    if _CXI_DATA.search(name):
        return 3, "a place of CXI"
    if (parent and last.lower() in (*USUAL, *_USUAL_OF_IMAGES)) or (_NUMBERED.match(last) and last.startswith("data_")):
        group = there(file, parent)
        if isinstance(group, h5py.Group) and is_detector(group, parent):
            return 3.2, "the data of a detector"
        if isinstance(group, h5py.Group) and last.startswith("data_") and _class(group) == "NXdata":
            return 3, "a series in an NXdata group"
    return 9, ""


def is_detector(group: h5py.Group, name: str) -> bool:
    """Whether a group is a detector, by its NeXus class or its name."""
    return _class(group) == "NXdetector" or (not _class(group) and bool(_DETECTOR.search(name.rsplit("/", 1)[-1])))


def _class(group: h5py.Group) -> str:
    return text(group.attrs["NX_class"]) if "NX_class" in group.attrs else ""


def _signals(group: h5py.Group) -> list[str]:
    """Names of the signal of an NXdata group: by its attribute, or as older files say it, by that of the data set."""
    if "signal" in group.attrs and group.attrs["signal"] is not None:
        return [text(group.attrs["signal"])]
    if _class(group) != "NXdata":
        return []
    marked = []
    for name in group:
        item = there(group, name)
        if isinstance(item, h5py.Dataset) and text(item.attrs.get("signal", "")) == "1":
            marked.append(name)
    return marked


def _default_signal(file: h5py.File) -> str:
    """Name of the data set to which ``default`` and ``signal`` lead from the root, or its only entry; empty if none."""
    group, name = file, ""
    for _ in range(_DEEPEST):
        signals = _signals(group)
        if signals:
            return f"{name}/{signals[0]}".strip("/")
        step = text(group.attrs["default"]) if "default" in group.attrs else "" if name else _only_entry(file)
        inner = there(group, step) if step else None
        if not isinstance(inner, h5py.Group):
            return ""
        group, name = inner, f"{name}/{step}"
    return ""


def _only_entry(file: h5py.File) -> str:
    """Name of the NXentry of a file that has one; else empty."""
    groups = [(name, there(file, name)) for name in file]
    entries = [name for name, group in groups if isinstance(group, h5py.Group) and _class(group) == "NXentry"]
    return entries[0] if len(entries) == 1 else ""


def _series(best: list[Candidate]) -> list[Candidate]:
    """Candidates that are numbered data sets of one group and one frame shape, in order; none if they are not."""
    numbers: dict[str, tuple[str, int]] = {}
    for one in best:
        match = _NUMBERED.match(one.key.rsplit("/", 1)[-1])
        if not match or match[1] != "data":
            return []
        numbers[one.key] = (one.key.rsplit("/", 1)[0], int(match[2]))
    shapes = {one.shape[-2:] for one in best if not one.missing}
    same = len({group for group, _ in numbers.values()}) == 1 and len(shapes) <= 1
    if not same or (len(best) < 2 and not best[0].missing):
        return []
    return sorted(best, key=lambda one: numbers[one.key][1])


def shape_of_frames(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(N, H, W) of stored axes that are those of frames."""
    axes = frame_axes(shape)
    rows, columns = axes[-2:]
    return (int(np.prod(axes[:-2])), rows, columns)
