"""CXI, the Coherent X-ray Imaging format (cxidb.org): read stacks of patterns, their mask bits, geometry and labels.

CxiWriter and write_selection, which write it, are re-exported from the modules beside.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import h5py
import numpy as np

from spi_lightning.fields import DISTANCE, PHOTON_ENERGY, PIXEL_SIZE, UserError
from spi_lightning.io.assembly import add_mask
from spi_lightning.io.cxi_selection import write_selection
from spi_lightning.io.cxi_writer import CxiWriter
from spi_lightning.io.hdf5 import add_hdf5_labels, add_hdf5_masks, read_attributes
from spi_lightning.io.hdf5_file import Hdf5Frames, dataset, list_keys, opened
from spi_lightning.io.mask_bits import convention_of
from spi_lightning.io.pattern_file import PatternFile, PatternKeys
from spi_lightning.physics.constants import ELEMENTARY_CHARGE

__all__ = ["CxiWriter", "is_cxi", "open_cxi", "write_selection"]

_PLACES: Final = ("data_1/data", "instrument_1/detector_1/data", "image_1/data")
_GEOMETRY: Final = (
    (DISTANCE, "instrument_1/detector_1/distance", 1.0),
    (PIXEL_SIZE, "instrument_1/detector_1/x_pixel_size", 1.0),
    (PHOTON_ENERGY, "instrument_1/source_1/energy", 1 / ELEMENTARY_CHARGE),
)
_DEFINED_MASKS: Final = ("instrument_1/detector_1/mask", "data_1/mask")
_OTHER_MASKS: Final = ("instrument_1/detector_1/good_pixels", "image_1/mask")


def is_cxi(path: Path) -> bool:
    """Whether an HDF5 file says that it is CXI, or is laid out as one."""
    with opened(path) as file:
        return "cxi_version" in file or any(f"entry_1/{place}" in file for place in _PLACES)


def open_cxi(path: Path, keys: PatternKeys, convention: str) -> PatternFile:
    """Open the patterns of a CXI file.

    Args:
        path: The file.
        keys: Names the user gives override the places CXI defines; the entry of the patterns is also that of the rest.
        convention: Sense of the mask, see masks.py.

    Raises:
        UserError: There are no patterns at the places CXI defines, or what Hdf5Frames and add_mask raise.
    """
    with opened(path) as file:
        key = keys.photons or _find_patterns(file, path)
        patterns = PatternFile(path, f"CXI {_version(file)}".strip(), Hdf5Frames(path, key))
        entry = file.get(key.strip("/").split("/")[0])
        group = entry if isinstance(entry, h5py.Group) else file
        _read_geometry(patterns, group)
        labels = group.get("labels_1")
        add_hdf5_labels(patterns, file, keys, labels if isinstance(labels, h5py.Group) else file)
        if keys.mask:
            add_hdf5_masks(patterns, file, keys, convention)
        else:
            _read_mask(patterns, group, convention)
    return patterns


def _version(file: h5py.File) -> str:
    """The version as people write it, 160 -> 1.60; empty if unreadable."""
    version = file.get("cxi_version")
    return f"{int(np.asarray(version[()]).reshape(-1)[0]) / 100:.2f}" if isinstance(version, h5py.Dataset) else ""


def _find_patterns(file: h5py.File, path: Path) -> str:
    """The first place of the first entry that holds a data set; says so if that is behind a link."""
    entries = sorted(name for name in file if name.startswith("entry_"))
    for entry in entries:
        for place in _PLACES:
            if isinstance(file.get(f"{entry}/{place}"), h5py.Dataset):
                return f"{entry}/{place}"
            if file.get(f"{entry}/{place}", getlink=True) is not None:
                dataset(file, f"{entry}/{place}")  # a link to nothing: raises
    raise UserError(
        f"{path}: no patterns at {' or '.join(f'/entry_1/{place}' for place in _PLACES)}; "
        f"name them with data.keys.photons=; there are: {list_keys(file)}"
    )


def _read_geometry(patterns: PatternFile, entry: h5py.Group) -> None:
    """Distance and pixel size in m, photon energy in eV (CXI has J); one number, or one for each pattern."""
    patterns.geometry = read_attributes(dict(entry.file.attrs))
    for name, place, factor in _GEOMETRY:
        item = entry.get(place)
        if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "iuf" or item.size == 0:
            continue
        values = np.asarray(item[()], dtype=np.float64).reshape(-1) * factor
        if (values == values[0]).all():
            patterns.geometry[name] = float(values[0])
        elif len(values) == len(patterns):
            patterns.geometry[name] = values


def _read_mask(patterns: PatternFile, entry: h5py.Group, convention: str) -> None:
    """The first mask at the places CXI defines, else at those where programs put one of their own sense."""
    for place in (*_DEFINED_MASKS, *_OTHER_MASKS):
        item = entry.get(place)
        if isinstance(item, h5py.Dataset):
            where = f"{patterns.path}: {item.name}"
            values = Hdf5Frames(patterns.path, item.name) if item.ndim == 3 else item[()]
            add_mask(patterns, values, convention, where, convention_of(item))
            return
