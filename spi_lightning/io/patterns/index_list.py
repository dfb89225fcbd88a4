"""Index lists as published by Shi et al. (2019): text lines `file.h5,index`, with labels in a side file."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from spi_lightning.errors import UserError
from spi_lightning.fields import IS_SINGLE_HIT, PARTICLE_ID
from spi_lightning.io.reading import moved
from spi_lightning.notes import Note
from spi_lightning.printable import printable

from .assembly import add_label
from .concatenate import ConcatenatedFiles
from .pattern_file import PatternFile, PatternKeys
from .side_files import read_side_file

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
    if label:
        values = read_side_file(Path(label), (1, 2), "data.keys.label")
        add_label(joined, IS_SINGLE_HIT, values, label, keys.positive)
        joined.notes.append(Note.of(f"labels are read from {label}", str(path)))
    if keys.particle_id:
        values = read_side_file(Path(keys.particle_id), (1, 2), "data.keys.particle_id")
        add_label(joined, PARTICLE_ID, values, keys.particle_id)
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
