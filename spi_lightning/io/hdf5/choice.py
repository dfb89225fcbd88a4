"""Automatic choice of the data set with the patterns in an HDF5 file, by meaning, then by type and size.

Candidates are numeric data sets (N, H, W) or (H, W) whose name is not that of a mask, a correction or a result. The
first rule that holds for any of them decides:

1. the signal of the default NXdata group, by the attributes ``default`` and ``signal`` of NeXus;
2. the usual names in the root of the file, in their order;
3. the signal of any NXdata group, the data of a detector, the paths of CXI;
4. any other stack; 5. any other image.

Where a rule holds for two different data sets the user decides. Numbered data sets of one frame shape in one group, as
in the master files of EIGER, are one series.
"""

import re
from dataclasses import dataclass
from typing import Final

import h5py
import numpy as np

from spi_lightning.errors import UserError
from spi_lightning.fields import BEAM_CENTRE, FIELDS, PHOTONS
from spi_lightning.io.units import text
from spi_lightning.printable import listed, printable

from .links import (
    MAX_DEPTH,
    MOST_LISTED,
    get_object,
    identity,
    list_data_sets,
    missing_target,
    nx_class,
    signal_names,
    walk,
)

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
_MIN_SIDE: Final = 4  # pixels along each axis, unless a stack is one by its name
_MIN_SIDE_OF_IMAGE: Final = 16  # pixels along each axis of a single image without a usual name
_MAX_ASPECT: Final = 8  # ratio of its sides, beyond which an image is a table


@dataclass(frozen=True)
class Candidate:
    """Data set that could hold the patterns, or a broken link to one.

    Attributes:
        key: Name of the data set in the file that was opened.
        rank: Number of the rule that holds for it; smaller is likelier.
        why: Wording of the rule, for notes.
        shape, dtype: Shape and number type of the data set; empty for a broken link.
        identity: Identity of the object, equal for all names of one data set.
        missing: Target of a broken link; empty for a data set.
    """

    key: str
    rank: float
    why: str
    shape: tuple[int, ...] = ()
    dtype: str = ""
    identity: object = None
    missing: str = ""

    def __str__(self) -> str:
        return f"{self.key} {self.shape} {self.dtype}" if not self.missing else f"{self.key} ({self.missing}, missing)"


@dataclass(frozen=True)
class Choice:
    """Data sets that hold the patterns, in order, and the reason of the choice."""

    keys: list[str]
    why: str


def choose_patterns(file: h5py.File, option: str = "data.keys.photons") -> Choice:
    """Choose the data set, or the numbered series, that holds the patterns.

    Args:
        file: HDF5 file opened for reading.
        option: Option by which the user names a data set, for the messages.

    Raises:
        UserError: No candidate, two of equal rank, or a broken link as the likeliest one.
    """
    found = _candidates(file, deep=False)
    if not found or found[0].rank >= 3:  # else no deeper data set is likelier
        found = _candidates(file)
    if not found:
        raise UserError(
            f"{file.filename}: no data set looks like patterns; there are: {list_data_sets(file)} ({option}=)"
        )
    best = [one for one in found if one.rank == found[0].rank]
    series = _series(best)
    missing = next((one for one in (series or best) if one.missing), None)
    if missing is not None and (series or len({one.missing for one in best}) == 1):
        raise UserError(
            f"{file.filename}: the patterns {missing.key!r} are a link to {missing.missing}, which does not exist; put "
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


def list_candidates(file: h5py.File) -> str:
    """Names, shapes and dtypes of the candidates in one line, likeliest first; of all data sets if there are none."""
    found = _candidates(file)
    return _listed(found) if found else list_data_sets(file)


def _listed(found: list[Candidate]) -> str:
    kept = list({one.identity if not one.missing else one.key: one for one in reversed(found)}.values())[::-1]
    return listed(kept, MOST_LISTED)


def _candidates(file: h5py.File, deep: bool = True) -> list[Candidate]:
    """All candidates, likeliest first; if not deep, only of the root and the default NXdata group."""
    default, found = _default_signal(file), list(walk(file, MAX_DEPTH if deep else 0))
    if default and not deep:
        found.append((default, get_object(file, default)))
    signals: set[str] = set()
    for name, item in [("", file), *found]:
        if isinstance(item, h5py.Group):
            signals |= {f"{name}/{signal}".strip("/") for signal in signal_names(item)}
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
                rank += 0.5 if rank >= 3 else 2.5  # after any stack of the same rule; by its name, after any of rule 3
            candidates.append(Candidate(name, rank, why, item.shape, str(item.dtype), identity(item)))
    numbered = {_series_of(one.key): one for one in candidates if not one.missing}
    for name, item in dict(found).items():
        beside = numbered.get(_series_of(name)) if item is None and _series_of(name) else None
        if beside is not None and beside.rank >= 4:  # a part of the series is missing
            target = missing_target(file, name) or "something"
            candidates.append(Candidate(name, beside.rank, beside.why, identity=name, missing=target))
    return sorted(candidates, key=lambda one: (one.rank, one.key))


def _series_of(name: str) -> str:
    """Name of a numbered data set without its number; empty for other names."""
    match = _NUMBERED.match(name.rsplit("/", 1)[-1])
    return f"{name.rpartition('/')[0]}/data" if match and match[1] == "data" else ""


def frame_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(N, H, W) or (H, W) of a stored shape, without a last axis of one (libspimage) and an axis of a single module."""
    if len(shape) in (3, 4) and shape[-1] == 1 and min(shape[-3:-1]) > 1:
        shape = shape[:-1]
    return (shape[0], *shape[2:]) if len(shape) == 4 and shape[1] == 1 else shape


def could_be_patterns(item: h5py.Dataset, name: str, by_meaning: bool) -> bool:
    """Whether a data set can hold patterns by its dtype, name and shape.

    Args:
        item: Open data set, any shape.
        name: Name of the data set in the file.
        by_meaning: Whether a rule on NeXus, CXI or usual names holds for it, which relaxes the tests of name and size.
    """
    if item.dtype.kind not in "uifbc" or item.shape is None:
        return False
    last = name.rsplit("/", 1)[-1]
    plain = printable(last) == last  # words in a name with control characters mean nothing
    if not by_meaning and plain and (_NOT_PATTERNS.search(last) or last in FIELDS or last == BEAM_CENTRE):
        return False
    shape = frame_axes(item.shape)
    if len(shape) not in (2, 3, 4) or (len(shape) == 4 and not by_meaning and item.size < 4096):
        return False
    if min(shape[-2:]) < (2 if by_meaning and len(shape) == 3 else _MIN_SIDE):
        return False
    if len(shape) == 2 and (not by_meaning or "/" not in name):
        return min(shape) >= _MIN_SIDE_OF_IMAGE and max(shape) <= _MAX_ASPECT * min(shape)
    return True


def _rule(file: h5py.File, name: str, default: str, signals: set[str]) -> tuple[float, str]:
    """Number and wording of the first rule that holds for a name; 9 if none does."""
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
        return 3, "a path of CXI"
    if (parent and last.lower() in (*USUAL, *_USUAL_OF_IMAGES)) or (_NUMBERED.match(last) and last.startswith("data_")):
        group = get_object(file, parent)
        if isinstance(group, h5py.Group) and is_detector(group, parent):
            return 3.2, "the data of a detector"
        if isinstance(group, h5py.Group) and last.startswith("data_") and nx_class(group) == "NXdata":
            return 3, "a series in an NXdata group"
    return 9, ""


def is_detector(group: h5py.Group, name: str) -> bool:
    """Whether a group is a detector, by its NeXus class or its name."""
    return nx_class(group) == "NXdetector" or (not nx_class(group) and bool(_DETECTOR.search(name.rsplit("/", 1)[-1])))


def _default_signal(file: h5py.File) -> str:
    """Name of the data set at the end of ``default`` and ``signal`` from the root or its only entry; empty if none."""
    group, name = file, ""
    for _ in range(MAX_DEPTH):
        signals = signal_names(group)
        if signals:
            return f"{name}/{signals[0]}".strip("/")
        step = text(group.attrs["default"]) if "default" in group.attrs else "" if name else _only_entry(file)
        inner = get_object(group, step) if step else None
        if not isinstance(inner, h5py.Group):
            return ""
        group, name = inner, f"{name}/{step}"
    return ""


def _only_entry(file: h5py.File) -> str:
    """Name of the NXentry of a file with exactly one; else empty."""
    groups = [(name, get_object(file, name)) for name in file]
    entries = [name for name, group in groups if isinstance(group, h5py.Group) and nx_class(group) == "NXentry"]
    return entries[0] if len(entries) == 1 else ""


def _series(best: list[Candidate]) -> list[Candidate]:
    """Candidates in order of their numbers if they are a series of one group and one frame shape; else empty."""
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
    """(N, H, W) of a stored shape of frames."""
    axes = frame_axes(shape)
    rows, columns = axes[-2:]
    return (int(np.prod(axes[:-2])), rows, columns)
