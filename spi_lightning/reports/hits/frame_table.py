"""Table of all frames of an evaluation of hits, packed for the script that sorts and filters it on the page."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import (
    BEAM_COLUMN,
    BEAM_ROW,
    DECISION,
    DIAMETER_NM,
    DISTANCE_FROM_TRAINING,
    FRAME,
    FRAME_PHOTONS,
    IS_HIT,
    IS_SINGLE_HIT,
    KIND,
    PROBABILITY,
    SPHERE_QUALITY,
    SYMMETRY,
    Kind,
)
from spi_lightning.reports.page import FrameTable, base64_of, json_for_page
from spi_lightning.results.hit_columns import meaning_of
from spi_lightning.results.hits import HitResult

MOST_CHARACTERS: Final = 2_400_000  # of the packed columns: a page with its pictures stays below 4 MB
DIGITS: Final = {  # after the point, of the columns that are shown
    PROBABILITY: 3,
    DISTANCE_FROM_TRAINING: 2,
    FRAME_PHOTONS: 0,
    BEAM_ROW: 2,
    BEAM_COLUMN: 2,
    SYMMETRY: 2,
    DIAMETER_NM: 1,
    SPHERE_QUALITY: 2,
}
_LABELS: Final = {1: "single hit", 0: "other", -1: "unknown"}
_TYPES: Final = (np.uint8, np.uint16, np.uint32)


def frame_table(result: HitResult) -> FrameTable:
    """Folded table of all frames: frame, decision, label, probabilities and what was measured.

    Columns are left out, and beyond some hundred thousand frames those of least probability too, where the page would
    grow over 4 MB; the caption says so.
    """
    rows, columns = _frames(result), list[dict[str, Any]]()
    left_out, characters = list[str](), 0
    for column in _columns(result, rows):
        characters += len(column["data"])
        if columns and characters > MOST_CHARACTERS:
            left_out.append(column["name"])
            characters -= len(column["data"])
        else:
            columns.append(column)
    count = result.shape[0]
    part = "" if len(rows) == count else f"The {len(rows):,} frames of highest probability of {count:,}. "
    also = f" Only in predictions.csv: {', '.join(left_out)}." if left_out else ""
    words = f"Probability and decision of {result.primary.name}. predictions.csv has all frames and columns."
    table = {"rows": len(rows), "columns": columns, "groups": _groups(result, rows)}
    return FrameTable(f"Table of {len(rows):,} frames", json_for_page(table), f"{part}{words}{also}")


def _frames(result: HitResult) -> NDArray[np.int64]:
    """Frames of the table: all, or as many of highest probability as frame, decision and probability have room for."""
    count, most = result.shape[0], MOST_CHARACTERS // 12
    if count <= most:
        return np.arange(count)
    return np.argsort(-result.primary.probability, kind="stable")[:most]


def _columns(result: HitResult, rows: NDArray[np.int64]) -> Iterator[dict[str, Any]]:
    """Packed columns, the most useful first."""
    yield _packed(FRAME, rows, 0)
    table = result.table()
    yield _packed(PROBABILITY, result.primary.probability[rows], DIGITS[PROBABILITY])
    yield _words(DECISION, result.primary.decision[rows], _LABELS)
    if IS_SINGLE_HIT in result.labels:
        yield _words("label", result.labels[IS_SINGLE_HIT][rows], _LABELS)
    if IS_HIT in table:
        yield _words(IS_HIT, table[IS_HIT][rows].astype(np.int64), {1: "hit", 0: "empty"})
    for name, digits in DIGITS.items():
        if name in table and name != PROBABILITY:
            yield _packed(name, table[name][rows], digits)
    if KIND in result.labels:
        names = {int(kind): kind.name.lower() for kind in Kind} | {-1: "unknown"}
        yield _words(KIND, result.labels[KIND][rows], names)
    for name, values in table.items():
        if name.startswith(f"{PROBABILITY}:") and name != f"{PROBABILITY}:{result.primary_name}":
            yield _packed(name, values[rows], DIGITS[PROBABILITY])


def _packed(name: str, values: NDArray[Any], digits: int) -> dict[str, Any]:
    """Column of numbers: whole numbers of the last digit above the least value, the largest one for a missing value."""
    numbers = np.round(values.astype(np.float64) * 10**digits)
    known = np.isfinite(numbers)
    low = float(numbers[known].min()) if known.any() else 0.0
    above = np.where(known, numbers - low, 0)
    kind = next((one for one in _TYPES if above.max(initial=0) < np.iinfo(one).max), np.uint32)
    most = np.iinfo(kind).max
    stored = np.where(known, np.minimum(above, most - 1), most).astype(np.dtype(kind).newbyteorder("<"))
    about = {"name": name, "meaning": meaning_of(name), "digits": digits, "low": low, "bytes": np.dtype(kind).itemsize}
    return about | {"data": base64_of(stored.tobytes())}


def _words(name: str, values: NDArray[Any], words: dict[int, str]) -> dict[str, Any]:
    """Column of a few words."""
    number, index = np.unique(values.astype(np.int64), return_inverse=True)
    packed = _packed(name, index, 0)
    meaning = meaning_of(IS_SINGLE_HIT) if name == "label" else meaning_of(name)
    return packed | {"words": [words.get(int(each), str(each)) for each in number], "low": 0, "meaning": meaning}


def _groups(result: HitResult, rows: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Groups of frames by which the table is filtered, each a packed column of ones and zeros."""
    primary, label = result.primary, result.label
    groups = {
        "selected": result.mark(result.selected.frame),
        "taken as single hits": primary.decision == 1,
        "uncertain": primary.abstain,
    }
    if label is not None:
        groups["decided wrongly"] = (label >= 0) & (label != primary.decision)
    if len(result.answers) > 1:
        groups["methods disagree"] = np.ptp(np.stack([each.decision for each in result.answers]), axis=0) > 0
    marks = {name: use[rows] for name, use in groups.items()}
    return [
        {"name": name, "bits": base64_of(np.packbits(use, bitorder="little").tobytes()), "count": int(use.sum())}
        for name, use in marks.items()
    ]
