"""Plain HDF5: the user names the data sets, or they are found under the names that programs of this field use."""

from __future__ import annotations

from collections.abc import Mapping
from os.path import commonpath
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import (
    BEAM_CENTRE,
    DISTANCE,
    FIELDS,
    IS_SINGLE_HIT,
    MASK,
    PARTICLE_ID,
    PHOTON_ENERGY,
    PHOTONS,
    PIXEL_SIZE,
    UserError,
)
from spi_lightning.io.assembly import add_label, add_mask, split_names
from spi_lightning.io.hdf5_file import Hdf5Frames, dataset, frames_shape, list_keys, opened
from spi_lightning.io.mask_bits import convention_of
from spi_lightning.io.pattern_file import Geometry, PatternFile, PatternKeys
from spi_lightning.io.side_files import read_side_file
from spi_lightning.physics.constants import PLANCK_SPEED_OF_LIGHT_EV_M

_PHOTON_KEYS: Final = (PHOTONS, "patterns", "adu", "counts", "frames", "images", "data")
_LABEL_KEYS: Final = (IS_SINGLE_HIT, "labels", "label")
_MASK_KEYS: Final = (MASK, "good_pixels", "bad_pixels")
_PLAIN_KEYS: Final = ("good", "bad", "valid", "invalid")  # masks if they have the shape of frames, else labels
_ATTRIBUTES: Final[dict[str, tuple[str, float]]] = {
    "detector_distance_m": (DISTANCE, 1.0),
    "detector_distance": (DISTANCE, 1.0),
    "distance": (DISTANCE, 1.0),
    "pixel_size_m": (PIXEL_SIZE, 1.0),
    "pixel_size": (PIXEL_SIZE, 1.0),
    "photon_energy_eV": (PHOTON_ENERGY, 1.0),
    "photon_energy": (PHOTON_ENERGY, 1.0),
    "beam_center_row_col": (BEAM_CENTRE, 1.0),
    "beam_centre": (BEAM_CENTRE, 1.0),
}


def open_hdf5_patterns(path: Path, keys: PatternKeys, convention: str) -> PatternFile:
    """Open a plain HDF5 file.

    Args:
        path: The file.
        keys: Names of the data sets; None looks for the usual names, then for the only 3D data set.
        convention: Sense of the mask, see masks.py.

    Raises:
        UserError: A key is not there or fits no patterns, and what hdf5_file.opened raises.
    """
    with opened(path) as file:
        key = keys.photons or _find_photons(file, path)
        patterns = PatternFile(path, "HDF5", Hdf5Frames(path, key))
        if keys.photons is None:
            patterns.notes.append(f"{path}: patterns are read from {key!r}")
        patterns.geometry = read_attributes({**dict(file.attrs), **dict(file[key].attrs)})
        add_hdf5_labels(patterns, file, keys, file)
        add_hdf5_masks(patterns, file, keys, convention)
    return patterns


def _find_photons(file: h5py.File, path: Path) -> str:
    """The first of the usual names, else the only stack of frames."""
    for name in _PHOTON_KEYS:
        if isinstance(file.get(name), h5py.Dataset):
            return name
    stacks: list[str] = []
    file.visititems(lambda name, item: stacks.append(name) if getattr(item, "ndim", 0) in (3, 4) else None)
    if len(stacks) == 1:
        return stacks[0]
    what = "several data sets could be patterns" if stacks else "no data set looks like patterns"
    raise UserError(f"{path}: {what}; name one with data.keys.photons=; there are: {list_keys(file)}")


def add_hdf5_labels(patterns: PatternFile, file: h5py.File, keys: PatternKeys, group: h5py.Group) -> None:
    """Read labels: the user's keys, the usual names, and every field name found in `group` with one value a pattern."""
    for name in FIELDS:
        item = group.get(name) if name not in (PHOTONS, MASK) else None
        if not isinstance(item, h5py.Dataset) or not item.ndim or len(item) != len(patterns):
            continue
        if item.ndim == 3:
            patterns.images[name] = Hdf5Frames(patterns.path, item.name)
        else:
            add_label(patterns, name, item[()], f"{patterns.path}: {item.name}")
    found = keys.label or next((k for k in _LABEL_KEYS[1:] if isinstance(group.get(k), h5py.Dataset)), None)
    if found and (keys.label or IS_SINGLE_HIT not in patterns.labels):
        values = read_named(file, found, (1, 2), "data.keys.label")
        add_label(patterns, IS_SINGLE_HIT, values, f"{patterns.path}: {found}")
        if keys.label is None:
            patterns.notes.append(f"{patterns.path}: labels are read from {found!r}, 1 = single hit")
    if keys.particle_id:
        values = read_named(file, keys.particle_id, (1, 2), "data.keys.particle_id")
        add_label(patterns, PARTICLE_ID, values, f"{patterns.path}: {keys.particle_id}")


def add_hdf5_masks(patterns: PatternFile, file: h5py.File, keys: PatternKeys, convention: str) -> None:
    """Read the masks the user names, else one under the usual names."""
    there = [name for name in (*_MASK_KEYS, *_PLAIN_KEYS) if isinstance(file.get(name), h5py.Dataset)]
    usual = next((n for n in there if n in _MASK_KEYS or file[n].shape[-2:] == patterns.shape[1:]), None)
    for key in split_names(keys.mask or usual or _pixel_mask(file, patterns)):
        where = f"{patterns.path}: {key}" if key in file else key
        place = convention_of(dataset(file, key, "data.keys.mask")) if key in file else ""
        if key in file and file[key].ndim == 3:
            frames_shape(file[key], patterns.path, key)
            add_mask(patterns, Hdf5Frames(patterns.path, key), convention, where, place)
        else:
            add_mask(patterns, read_named(file, key, (2,), "data.keys.mask"), convention, where, place)


def _pixel_mask(file: h5py.File, patterns: PatternFile) -> str | None:
    """NeXus' ``pixel_mask`` of the shape of the frames, the one in the groups nearest to the patterns."""
    found: list[str] = []
    shapes = (patterns.shape, patterns.shape[1:])

    def look(name: str, item: object) -> None:
        if name.rsplit("/", 1)[-1] == "pixel_mask" and getattr(item, "shape", ()) in shapes:
            found.append(name)

    file.visititems(look)
    key = getattr(patterns.source, "key", "").strip("/")
    return max(found, key=lambda name: len(commonpath([name, key])), default=None)


def read_named(file: h5py.File, key: str, dimensions: tuple[int, ...], option: str) -> NDArray[Any]:
    """A small data set of the file, or a file beside it; UserError if it is neither or has other axes."""
    if key not in file and Path(key).is_file():
        return read_side_file(Path(key), dimensions, option)
    item = dataset(file, key, option)
    if item.ndim not in dimensions:
        wanted = " or ".join(map(str, dimensions))
        raise UserError(f"{file.filename}: {key} has shape {item.shape}; {wanted} axes fit ({option}=)")
    values: NDArray[Any] = item.asstr()[()] if h5py.check_string_dtype(item.dtype) else item[()]
    return np.asarray(values)


def read_attributes(attributes: Mapping[str, Any]) -> Geometry:
    """Geometry from attributes under the usual names; m, eV, pixel."""
    geometry: Geometry = {}
    for key, (name, factor) in _ATTRIBUTES.items():
        value = attributes.get(key)
        if name not in geometry and value is not None and np.asarray(value).dtype.kind in "iuf":
            array = np.asarray(value, dtype=np.float64) * factor
            geometry[name] = array if name == BEAM_CENTRE else float(array.reshape(-1)[0])
    if PHOTON_ENERGY not in geometry and "wavelength_angstrom" in attributes:
        geometry[PHOTON_ENERGY] = PLANCK_SPEED_OF_LIGHT_EV_M / (float(attributes["wavelength_angstrom"]) * 1e-10)
    return geometry
