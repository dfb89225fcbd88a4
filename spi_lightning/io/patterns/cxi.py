"""Reader of CXI (Coherent X-ray Imaging, cxidb.org), and writer of selections, which link to frames elsewhere."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from spi_lightning.errors import UserError
from spi_lightning.fields import BEAM_CENTRE, DISTANCE, FRAME, PHOTON_ENERGY, PIXEL_SIZE
from spi_lightning.io.hdf5.choice import Choice, choose_patterns
from spi_lightning.io.hdf5.file import Hdf5Frames, look_up, opened
from spi_lightning.io.hdf5.links import get_object, missing_target
from spi_lightning.printable import printable

from .cxi_writer import CxiWriter
from .hdf5 import add_all, frames_of
from .pattern_file import PatternFile, PatternKeys

_PATHS: Final = ("data_1/data", "instrument_1/detector_1/data", "image_1/data")


def is_cxi(path: Path) -> bool:
    """Whether an HDF5 file states a CXI version or has the layout of CXI."""
    with opened(path) as file:
        return "cxi_version" in file or any(f"entry_1/{name}" in file for name in _PATHS)


def open_cxi(path: Path, keys: PatternKeys, convention: str, known: Collection[str] = ()) -> PatternFile:
    """Open the patterns of a CXI file.

    Args:
        path: Path of the CXI file.
        keys: Names of data sets that override the paths of CXI; mask and geometry are those of the patterns' detector.
        convention: Convention of the mask, see masks/convention.py.
        known: Quantities of the geometry that the caller has from elsewhere.

    Raises:
        UserError: No patterns at the paths of CXI; or as Hdf5Frames and add_mask.
    """
    with opened(path) as file:
        choice = Choice([keys.photons], "") if keys.photons else _find_patterns(file)
        patterns = PatternFile(path, f"CXI {_version(file)}".strip(), frames_of(path, choice))
        labels = file.get(f"{choice.keys[0].strip('/').split('/')[0]}/labels_1")
        group = labels if isinstance(labels, h5py.Group) else file
        add_all(patterns, file, choice, keys, convention, known, group)
    return patterns


def _version(file: h5py.File) -> str:
    """Version of the format, 160 -> 1.60; empty if the file states none."""
    version = file.get("cxi_version")
    return f"{int(np.asarray(version[()]).reshape(-1)[0]) / 100:.2f}" if isinstance(version, h5py.Dataset) else ""


def _find_patterns(file: h5py.File) -> Choice:
    """First CXI path of the first entry that is a data set, else a choice by meaning; UserError for a broken link."""
    entries = sorted(name for name in file if name.startswith("entry_"))
    for entry in entries:
        for name in _PATHS:
            if isinstance(get_object(file, f"{entry}/{name}"), h5py.Dataset):
                return Choice([f"{entry}/{name}"], "where CXI keeps patterns")
            if missing_target(file, f"{entry}/{name}"):
                look_up(file, f"{entry}/{name}")  # raises
    return choose_patterns(file)


def write_selection(path: str | os.PathLike[str], source: PatternFile, frames: ArrayLike) -> None:
    """Write a CXI file of selected frames, linked instead of copied where they are stored in HDF5 files.

    The patterns are an HDF5 virtual data set with paths relative to the new file, so both must move together. Frames
    of formats that HDF5 cannot link to (emc, TIFF, .npy), and detector units, which need conversion, are copied.
    Mask, geometry, labels and the original frame numbers (`frame`) are written too.

    Args:
        path: Path of the file, written atomically.
        source: Patterns (N, H, W) to select from.
        frames: (n,) frame numbers, in the order to be written.

    Raises:
        UserError: No frames were selected, one does not exist, or the file cannot be written.
    """
    index = source.check_indices(frames)
    if len(index) == 0:
        raise UserError(f"{path}: no frames were selected, so there is nothing to write")
    origins = source.origin(index)
    linked = all(_can_be_linked(file) for file, _ in origins)
    layout = _virtual_layout(Path(path), source, origins) if linked else None
    labels, geometry = _labels(source, index), _geometry(source, index)
    announced = {name: (values.shape[1:], values.dtype) for name, values in (labels | source.images).items()}
    attributes = {"selected_from": printable(", ".join(sorted({file.path.name for file, _ in origins})))}
    with CxiWriter(path, source.shape[1:], len(index), np.int32, announced, attributes, linked=layout) as cxi:
        at_once = source.frames_at_once()
        for start in range(0, len(index), at_once):
            part = slice(start, min(start + at_once, len(index)))
            about: dict[str, Any] = {
                "mask": source.read_mask(index[part]),
                "labels": {name: values[part] for name, values in labels.items()}
                | {name: source.read_image(name, index[part]) for name in source.images},
                "geometry": {name: values[part] for name, values in geometry.items()},
            }
            if layout is None:
                cxi.write(start, source.read(index[part]), **about)
            else:
                cxi.annotate(start, part.stop, **about)


def _can_be_linked(file: PatternFile) -> bool:
    """Whether HDF5 can link to the frames of a file; h5py cannot read source names that are not UTF-8."""
    source = file.source
    if not (isinstance(source, Hdf5Frames) and source.linkable and file.adu_per_photon is None):
        return False
    return os.fsencode(file.path.resolve()).decode("utf-8", "replace") == str(file.path.resolve())


def _virtual_layout(path: Path, source: PatternFile, origins: list[tuple[PatternFile, int]]) -> h5py.VirtualLayout:
    """Virtual layout (n, H, W) that maps each selected frame to its frame in its own file."""
    layout = h5py.VirtualLayout((len(origins), *source.shape[1:]), dtype=source.source.dtype)
    sources: dict[tuple[Path, str], h5py.VirtualSource] = {}
    for i, (file, frame) in enumerate(origins):
        stored = file.source
        assert isinstance(stored, Hdf5Frames)
        name = os.path.relpath(stored.path.resolve(), path.resolve().parent)
        shape = stored.shape if stored.stacked else stored.shape[1:]
        plain = [text.replace("%", "%%") for text in (name, stored.key)]  # HDF5 takes % for a format specifier
        linked = sources.setdefault((stored.path, stored.key), h5py.VirtualSource(*plain, shape, dtype=stored.dtype))
        layout[i] = linked[frame] if stored.stacked else linked
    return layout


def _labels(source: PatternFile, index: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Labels of the selected frames (n, ...), with their original numbers and beam centre."""
    labels = {name: values[index] for name, values in source.labels.items()}
    if BEAM_CENTRE in source.geometry and BEAM_CENTRE not in labels:
        centre = np.asarray(source.geometry[BEAM_CENTRE])
        labels[BEAM_CENTRE] = centre[index] if centre.ndim == 2 else np.tile(centre, (len(index), 1))
    return {**labels, FRAME: index}


def _geometry(source: PatternFile, index: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Geometry that CXI has names for, m and eV, (n,) each."""
    known = {
        name: np.asarray(source.geometry[name])
        for name in (DISTANCE, PIXEL_SIZE, PHOTON_ENERGY)
        if name in source.geometry
    }
    return {name: value[index] if value.ndim else np.full(len(index), value) for name, value in known.items()}
