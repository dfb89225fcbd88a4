"""Reader of CXI, the Coherent X-ray Imaging format (cxidb.org): stacks of patterns with mask, geometry and labels.

CxiWriter and write_selection, which write it, are re-exported from their own modules.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

import h5py
import numpy as np

from spi_lightning.io.hdf5.choice import Choice, choose_patterns
from spi_lightning.io.hdf5.file import look_up, opened
from spi_lightning.io.hdf5.links import get_object, missing_target
from spi_lightning.io.patterns.hdf5 import add_all, frames_of
from spi_lightning.io.patterns.pattern_file import PatternFile, PatternKeys

from .selection import write_selection
from .writer import CxiWriter

__all__ = ["CxiWriter", "is_cxi", "open_cxi", "write_selection"]

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
