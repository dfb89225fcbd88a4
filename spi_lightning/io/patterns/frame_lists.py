"""Lists of frames: index lists of Shi et al. (2019), lines `file.h5,index`, and lists of frame numbers from 0."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.io.reading import moved
from spi_lightning.notes import Note
from spi_lightning.printable import printable

from .assembly import add_side_files
from .concatenate import ConcatenatedFiles
from .pattern_file import PatternFile, PatternKeys, is_none

_SUFFIXES: Final = (".dat", ".txt", ".csv", ".lst")
_LINE: Final = re.compile(r'(?:(?P<quoted>"(?:[^"\\]|\\.)+")|(?P<plain>.*?[^\s,]))\s*,\s*(?P<number>[0-9]+)(?:\s*#.*)?')


def is_index_list(path: Path) -> bool:
    """Whether the first line of a text file has the form `name,number`."""
    if path.suffix.lower() not in _SUFFIXES:
        return False
    with path.open(encoding="utf-8", errors="surrogateescape") as file:
        line = next((line for line in file if line.strip() and not line.startswith("#")), "")
    return _LINE.fullmatch(line.strip()) is not None


def index_line(name: str, frame: int) -> str:
    """Line of one frame; a name that would not be read back unchanged is quoted as in JSON."""
    plain = name == name.strip() == printable(name) and not ("#" in name or name.startswith('"'))
    return f"{name if plain else json.dumps(name)},{frame}"


def open_index_list(path: Path, keys: PatternKeys, open_one: Callable[[Path, PatternKeys], PatternFile]) -> PatternFile:
    """Open the frames that an index list names.

    Args:
        path: Path of the list; file names are relative to its folder, indices count from 0, # begins a comment, and a
            name may be quoted as in JSON.
        keys: `photons`, `mask` and `reader` hold for the listed files; `label` and `particle_id` are side files with
            one value per line; without `label`, a file `*labels*` beside the list `*index*` is used if it exists.
        open_one: Function that opens one listed file.

    Raises:
        UserError: A line cannot be read, a file or frame is missing, or labels do not fit.
    """
    names, numbers = _parse(path)
    files = dict.fromkeys(names)
    for name in files:
        if Path(name).parent != Path() and not (target := path.parent / name).exists():
            searched = os.path.normpath(path.resolve().parent / name)
            raise UserError(f"{target}: there is no such file (searched at {searched}); {moved(path)}")
    inner = PatternKeys(photons=keys.photons, mask=keys.mask, reader=keys.reader)
    opened = [open_one(path.parent / name, inner) for name in files]
    order = {name: i for i, name in enumerate(files)}
    joined = ConcatenatedFiles(path, opened, [order[name] for name in names], numbers, "index list")
    label = keys.label or _label_file_beside(path)
    add_side_files(joined, replace(keys, label=label, mask=None), "auto")
    if label and not is_none(label):
        joined.notes.append(Note.of(f"labels are read from {label}", str(path)))
    return joined


def _parse(path: Path) -> tuple[list[str], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """File names and frame numbers (n,), one per line."""
    names, numbers = [], []
    for i, line in enumerate(path.read_text(encoding="utf-8", errors="surrogateescape").split("\n"), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        found = _LINE.fullmatch(text)
        if found is None:
            raise UserError(f"{path}: line {i} reads {text[:80]!r}; expected file.h5,index with an index from 0")
        names.append(found["plain"] or json.loads(found["quoted"]))
        numbers.append(int(found["number"]))
    if not names:
        raise UserError(f"{path}: the index list is empty; give lines file.h5,index")
    return names, np.array(numbers, dtype=np.int64)


def _label_file_beside(path: Path) -> str | None:
    """Path of the label file of a list, train_index.dat -> train_labels.dat, if it exists."""
    beside = path.with_name(path.name.replace("index", "labels"))
    return str(beside) if beside != path and beside.is_file() else None


_DIGITS = re.compile(r"[+-]?\d{1,18}")
_WORDS = {"true": True, "false": False}


def frame_numbers(values: NDArray[Any], frames: int, where: str) -> tuple[NDArray[np.int64], str]:
    """Frame numbers that a list selects.

    Args:
        values: (n,) frame numbers from 0, in any order; or (N,) booleans, the words True and False, or 0 and 1.
        frames: Number of frames N in the file.
        where: Option and name of the list, for messages.

    Returns:
        (n,) frame numbers, and the interpretation of the list in words.

    Raises:
        UserError: Numbers that are not whole, NaN, below 0 or beyond the frames; not one boolean per frame; or no
            frames were selected.
    """
    values = np.asarray(values)
    if values.ndim == 2 and 1 in values.shape:
        values = values.reshape(-1)
    if values.ndim != 1:
        raise UserError(f"{where} has shape {values.shape}; give one frame number in each line")
    values = _without_words(values, where)
    if values.dtype.kind not in "biuf":
        raise UserError(f"{where} holds {values.dtype}; give frame numbers from 0 to {frames - 1}")
    if _are_marks(values, frames, where):
        numbers, what = np.flatnonzero(values), "frames marked with 1" if values.dtype.kind != "b" else "frames of True"
    else:
        bad = ~np.isfinite(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=bool)
        bad |= (values != np.rint(values)) | (values < 0) | (values >= frames)
        if bad.any():
            first = int(np.argmax(bad))
            more = f" ({int(bad.sum()) - 1} more alike)" if bad.sum() > 1 else ""
            raise UserError(
                f"{where}: entry {first + 1} is {values[first]}{more}; frame numbers are whole, from 0 to {frames - 1}"
            )
        numbers, what = values.astype(np.int64), "frame numbers from 0"
    if len(numbers) == 0:
        raise UserError(f"{where}: no frames were selected; give frame numbers from 0 to {frames - 1}")
    return numbers.astype(np.int64), what


def _without_words(values: NDArray[Any], where: str) -> NDArray[Any]:
    """Values (n,) with words converted: to booleans if all are True or False, to integers if all are digits."""
    if values.dtype.kind not in "OSU":
        return values
    words = [word.decode(errors="replace") if isinstance(word, bytes) else str(word) for word in values.tolist()]
    if all(_DIGITS.fullmatch(word.strip()) for word in words):
        return np.array([int(word) for word in words])
    marks = [_WORDS.get(word.strip().lower()) for word in words]
    if None in marks:
        first = words[marks.index(None)]
        raise UserError(f"{where}: {first!r} is neither a frame number nor True or False; correct the list")
    return np.array(marks, dtype=bool)


def _are_marks(values: NDArray[Any], frames: int, where: str) -> bool:
    """Whether values are one boolean per frame; 0 and 1, once each, are frame numbers."""
    binary = values.dtype.kind == "b" or bool(np.isin(values, (0, 1)).all())
    if not binary or (values.dtype.kind != "b" and len(np.unique(values)) == len(values)):
        return False
    if len(values) != frames:
        kind = "True and False" if values.dtype.kind == "b" else "0 and 1 repeatedly"
        raise UserError(
            f"{where} holds {kind}, {len(values)} values for {frames} frames; give one value per frame, or frame "
            "numbers"
        )
    return True
