"""open_patterns: patterns of any supported format, which is detected from the content of the file."""

import glob
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from spi_lightning.errors import UserError
from spi_lightning.fields import BEAM_CENTRE, DISTANCE, FIELDS, PHOTON_ENERGY, PIXEL_SIZE
from spi_lightning.io.contents import gain_notes
from spi_lightning.io.dragonfly.emc import is_emc, open_emc
from spi_lightning.io.hdf5.file import MAGIC, opened
from spi_lightning.io.hdf5.values import require_possible
from spi_lightning.io.masks.convention import CONVENTIONS
from spi_lightning.io.masks.sentinels import exclude_sentinels
from spi_lightning.io.reading import (
    TIFF_MAGIC,
    files_read,
    format_name,
    list_files,
    note_read,
    reads,
    require_file,
    unsupported_format,
)
from spi_lightning.io.spinn import is_spinn, open_spinn
from spi_lightning.notes import Note

from .assembly import add_side_files, check_beam_centre, sample_indices
from .concatenate import ConcatenatedFiles
from .cxi import is_cxi, open_cxi
from .frame_lists import frame_numbers, is_index_list, open_index_list
from .hdf5 import open_hdf5_patterns, read_named
from .npy import open_npy
from .pattern_file import PatternFile, PatternKeys
from .photons import BROKEN_PIXELS
from .side_files import read_side_file
from .tiff import open_tiff

PathLike = str | os.PathLike[str]
GEOMETRY: Final = (DISTANCE, PIXEL_SIZE, PHOTON_ENERGY)
_MAX_LISTED: Final = 20  # frame numbers in a note
FORMATS: Final = (
    "CXI, HDF5, Dragonfly .emc, TIFF, .npy, an index list of `file.h5,index` lines, or a glob of such files"
)


@reads("patterns")
def open_patterns(
    path: PathLike | Sequence[PathLike],
    keys: PatternKeys | None = None,
    mask_convention: str = "auto",
    adu_per_photon: float | None = None,
    check: bool = True,
    known: Collection[str] = (),
    geometry: Mapping[str, float | None] | None = None,
) -> PatternFile:
    """Open measured or simulated patterns; their photons are read later, on demand.

    Args:
        path: File of any format in FORMATS, a glob ("run*/*.h5"), or a list of those, also as text joined by commas.
        keys: Names of data sets and side files, see PatternKeys.
        mask_convention: auto, cxi, nexus, euxfel, good, bad or dragonfly, see masks/convention.py.
        adu_per_photon: Gain by which detector units are divided, ADU per photon; None if the file holds photons.
        check: Whether to read a few frames now and refuse the file if they are not photon counts.
        known: Quantities of the geometry that the caller has from elsewhere; those of the file are not read.
        geometry: distance, pixel_size (m) and photon_energy (eV) that replace those of the file, where not None.

    Returns:
        The file: shape (N, H, W), read(indices) -> (n, H, W) float32 photons, mask, labels, geometry, notes.

    Raises:
        UserError: Anything wrong with path, keys, mask, labels, geometry or the photons checked.
    """
    keys = (keys or PatternKeys()).searching
    if mask_convention not in CONVENTIONS:
        raise UserError(f"data.mask_convention={mask_convention} is unknown; choose one of {', '.join(CONVENTIONS)}")
    if adu_per_photon is not None and not (np.isfinite(adu_per_photon) and adu_per_photon > 0):
        raise UserError(f"data.adu_per_photon={adu_per_photon} must be a positive number")
    if isinstance(path, str | os.PathLike):
        parts = [path] if Path(path).exists() else [part.strip() for part in str(path).split(",") if part.strip()]
    else:
        parts = list(path)
    paths = [found for part in parts for found in _expand(os.fspath(part))]
    if not paths:
        raise UserError(f"data.path={path!s}: names no file; give a file, a glob or a list of files")
    stated = require_geometry(geometry)
    inner, known = replace(keys, index=None), {*known, *stated}
    with files_read() as read:
        files = [_open_one(found, inner, mask_convention, adu_per_photon, known) for found in paths]
        whole = files[0] if len(files) == 1 else _join(files)
        if keys.index is not None and keys.index != "":
            whole = _pick(whole, keys.index)
        if check:
            whole.read(sample_indices(len(whole)))
            whole.notes += gain_notes(whole, adu_per_photon)
    for name, value in stated.items():
        whole.labels.pop(name, None)
        whole.geometry[name] = value
    whole.files_read = tuple(read)
    whole.notes += list_files(whole.files_read, [path for path in read if is_index_list(path)])
    whole.opened_with = {**keys.as_plain(), "mask_convention": mask_convention, "adu_per_photon": adu_per_photon}
    return whole


def require_geometry(geometry: Mapping[str, float | None] | None) -> dict[str, float]:
    """Geometry that a user states (m, eV), without None; UserError for an unknown name or an impossible number."""
    for name, value in (geometry or {}).items():
        if name not in GEOMETRY:
            raise UserError(f"data.geometry.{name} is unknown; choose among {', '.join(GEOMETRY)}")
        if value is not None and not (isinstance(value, int | float) and 0 < value < float("inf")):
            raise UserError(f"data.geometry.{name}={value} must be a positive number, in {FIELDS[name].unit}")
        if value is not None:
            require_possible(name, value)
    return {name: float(value) for name, value in (geometry or {}).items() if value is not None}


def _expand(path: str) -> list[Path]:
    """Path itself, or the files that a glob matches, sorted; UserError if there are none."""
    if Path(path).exists() or not glob.has_magic(path):
        return [Path(path)]
    found = sorted(Path(name) for name in glob.glob(path, recursive=True))  # noqa: PTH207  absolute patterns too
    if not found:
        raise UserError(f"data.path={path}: no file matches; check the pattern")
    return found


@reads("patterns")
def _open_one(
    path: Path,
    keys: PatternKeys,
    convention: str,
    adu_per_photon: float | None,
    known: Collection[str],
    lists: tuple[Path, ...] = (),
) -> PatternFile:
    """Open one file by its content, with a note on detector units; ``lists`` are the index lists that name it."""
    if path.is_dir():
        raise UserError(f"{path}: is a folder; give a file or a glob such as folder/*.h5; check data.path=")
    require_file(path, "check data.path=")
    note_read(path)
    patterns = _by_reader(path, keys, convention)
    if patterns is None and is_index_list(path):
        if path.resolve() in lists:
            raise UserError(f"{path}: the index list names itself, directly or through other lists; correct it")
        inside = (*lists, path.resolve())
        return open_index_list(
            path, keys, lambda name, inner: _open_one(name, inner, convention, adu_per_photon, known, inside)
        )
    patterns = patterns or _by_content(path, keys, convention, known)
    exclude_sentinels(patterns)
    for name in (*GEOMETRY, BEAM_CENTRE):
        if name in patterns.labels:
            patterns.geometry.setdefault(name, patterns.labels[name])
    check_beam_centre(patterns)
    if adu_per_photon is not None:
        patterns.adu_per_photon = adu_per_photon
        patterns.notes.append(
            Note.of(
                f"detector units become photons = floor(value / {adu_per_photon:g} + 0.5), at least 0; "
                f"broken pixels (NaN, infinite; at most {BROKEN_PIXELS:.1%} of a frame of hits) hold none",
                str(path),
            )
        )
    return patterns


def _by_reader(path: Path, keys: PatternKeys, convention: str) -> PatternFile | None:
    """File opened by the user's own reader; None where there is none, or the file is of another format."""
    patterns = None if keys.reader is None else keys.reader(path)
    if patterns is not None:
        patterns.reader = keys.reader
        add_side_files(patterns, keys, convention)
    return patterns


def _by_content(path: Path, keys: PatternKeys, convention: str, known: Collection[str]) -> PatternFile:
    """Open a file with the reader chosen by its magic bytes, and for HDF5 by its keys."""
    with path.open("rb") as file:
        head = file.read(8)
    if not head:
        raise UserError(f"{path}: the file is empty (0 bytes); copy it again")
    other = head[:4] in TIFF_MAGIC or head.startswith(b"\x93NUMPY") or format_name(path)
    if head == MAGIC or (path.suffix.lower() in (".h5", ".hdf5", ".cxi", ".nxs") and not other):
        with opened(path):
            pass  # a damaged file is reported here
        if is_emc(path):
            return open_emc(path, keys, convention)
        if keys.photons is None and is_spinn(path):
            return open_spinn(path, keys, convention)
        return (open_cxi if is_cxi(path) else open_hdf5_patterns)(path, keys, convention, known)
    if head[:4] in TIFF_MAGIC or head.startswith(b"\x93NUMPY"):
        patterns = open_npy(path) if head.startswith(b"\x93") else open_tiff(path)
        add_side_files(patterns, keys, convention)
        return patterns
    if is_emc(path):
        return open_emc(path, keys, convention)
    raise unsupported_format(path, FORMATS)


def _join(files: list[PatternFile]) -> PatternFile:
    """All frames of all files, concatenated."""
    file_of = np.repeat(np.arange(len(files)), [len(file) for file in files])
    frame_of = np.concatenate([np.arange(len(file)) for file in files])
    forms = ", ".join(sorted({file.format for file in files}))
    return ConcatenatedFiles(files[0].path, files, file_of, frame_of, f"{len(files)} files: {forms}")


def _pick(file: PatternFile, key: str | int | Sequence[int]) -> PatternFile:
    """Subset of the frames: those of the numbers in `key`, or in the data set or side file of that name."""
    if isinstance(key, str) and re.fullmatch(r"\[[\d,\s]+\]", key) and not Path(key).exists():
        key = [int(number) for number in re.findall(r"\d+", key)]
    if not isinstance(key, str):
        values = np.atleast_1d(np.asarray(key))
        key = "the command" if len(values) > _MAX_LISTED else f"[{','.join(map(str, values.tolist()))}]"
    elif Path(key).is_file():
        values = read_side_file(Path(key), (1, 2), "data.keys.index")
    else:
        with opened(file.path) as hdf5:
            values = read_named(hdf5, key, (1, 2), "data.keys.index")
    numbers, what = frame_numbers(values, len(file), f"data.keys.index={key}")
    picked = ConcatenatedFiles(file.path, [file], np.zeros(len(numbers)), numbers, file.format)
    different, times = np.unique(numbers, return_counts=True)
    again = f"; frame {different[times > 1][0]} is listed {times[times > 1][0]} times" if times.max() > 1 else ""
    counted = f"{len(different)} of {len(file)} frames are used"
    picked.notes.append(Note.of(f"{counted}, as {key} says ({what}){again}", str(file.path)))
    return picked
