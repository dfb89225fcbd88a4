"""HDF5 of any layout: patterns, and beside them what belongs to them: mask, geometry, labels."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.fields import DISTANCE, FIELDS, IS_SINGLE_HIT, MASK, PARTICLE_ID, PHOTON_ENERGY, PHOTONS, PIXEL_SIZE
from spi_lightning.io.hdf5.choice import Choice, choose_patterns, frame_axes
from spi_lightning.io.hdf5.file import Hdf5Frames, dataset, look_up, opened
from spi_lightning.io.hdf5.geometry import read_geometry
from spi_lightning.io.hdf5.groups import surroundings
from spi_lightning.io.hdf5.limits import stated_limits
from spi_lightning.io.hdf5.links import get_object, require_object
from spi_lightning.io.hdf5.storage import whole
from spi_lightning.io.hdf5.values import WAVELENGTH, X_PIXEL, Y_PIXEL
from spi_lightning.io.masks.bits import convention_of
from spi_lightning.notes import Note

from .assembly import add_label, add_mask, add_side_mask, leave_out_pixels, split_names
from .concatenate import PickedFrames
from .pattern_file import FrameSource, PatternFile, PatternKeys
from .side_files import read_side_file

_LABEL_KEYS: Final = (IS_SINGLE_HIT, "labels", "label")
_MASK_KEYS: Final = (MASK, "pixel_mask", "good_pixels", "bad_pixels")
_LIKE_A_MASK: Final = re.compile(r"mask|(bad|good|dead|hot)_?pix|defect", re.IGNORECASE)
_PLAIN_KEYS: Final = ("good", "bad", "valid", "invalid")  # masks if they have the shape of frames, else labels
_OF_GEOMETRY: Final = (DISTANCE, PIXEL_SIZE, PHOTON_ENERGY)
_GEOMETRY_OPTIONS: Final = {
    **{name: f"data.geometry.{name}" for name in _OF_GEOMETRY},
    **dict.fromkeys((X_PIXEL, Y_PIXEL), f"data.geometry.{PIXEL_SIZE}"),
    WAVELENGTH: f"data.geometry.{PHOTON_ENERGY}",
}


def open_hdf5_patterns(path: Path, keys: PatternKeys, convention: str, known: Collection[str] = ()) -> PatternFile:
    """Open a plain HDF5 or NeXus file.

    Args:
        path: The file.
        keys: Names of the data sets; None looks for what means patterns, see hdf5_choice.py.
        convention: Sense of the mask, see masks.py.
        known: Quantities of the geometry that the caller has from elsewhere.

    Raises:
        UserError: A key is not there or fits no patterns, and what hdf5_file.opened raises.
    """
    with opened(path) as file:
        choice = Choice([keys.photons], "") if keys.photons else choose_patterns(file)
        patterns = PatternFile(path, "HDF5", frames_of(path, choice))
        add_all(patterns, file, choice, keys, convention, known, file)
    return patterns


def frames_of(path: Path, choice: Choice) -> FrameSource:
    """Frames of one data set, or of a series one after another."""
    parts = [Hdf5Frames(path, key) for key in choice.keys]
    if len(parts) == 1:
        return parts[0]
    counts = [part.shape[0] for part in parts]
    frame_of = np.concatenate([np.arange(n) for n in counts])
    return PickedFrames(parts, np.repeat(np.arange(len(parts)), counts), frame_of)


def add_all(
    patterns: PatternFile,
    file: h5py.File,
    choice: Choice,
    keys: PatternKeys,
    convention: str,
    known: Collection[str],
    labels: h5py.Group,
) -> None:
    """Add what belongs to the patterns, and say which data set and which files they are read from.

    Args:
        patterns: Frames of ``choice``.
        file: Open file.
        choice: Data sets of the patterns.
        keys, convention, known: See open_hdf5_patterns.
        labels: Group with one value a pattern.
    """
    if choice.why:
        patterns.notes.append(Note.of(f"patterns are read from {choice.keys[0]!r} ({choice.why})", str(patterns.path)))
    if file.swmr_mode:
        patterns.notes.append(
            Note.of(
                f"is being written, or was never closed; its {len(patterns)} frames so far are read", str(patterns.path)
            )
        )
    sources = getattr(patterns.source, "sources", [patterns.source])
    for source in sources:
        if source.unmapped is not None:
            leave_out_pixels(patterns, source.unmapped)
            patterns.notes.append(_unmapped(f"{patterns.path}: {source.key}", source.unmapped))
    _refuse_amplitudes(patterns.path, file)
    patterns.limits = stated_limits(file, choice.keys[0], patterns.notes)
    geometry = read_geometry(
        file, choice.keys[0], labels if labels.name != "/" else None, known, options=_GEOMETRY_OPTIONS
    )
    patterns.geometry, patterns.unknown_geometry = geometry.values, geometry.unknown
    patterns.notes += geometry.notes
    add_hdf5_labels(patterns, file, keys, labels)
    add_hdf5_masks(patterns, file, choice.keys[0], keys.mask, convention)


def _refuse_amplitudes(path: Path, file: h5py.File) -> None:
    """Refuse images of libspimage that its flag ``scaled`` calls amplitudes; raises UserError."""
    flags = [get_object(file, name) for name in ("scaled", "phased", "shifted")]
    if all(isinstance(flag, h5py.Dataset) and flag.size == 1 for flag in flags) and int(np.ravel(flags[0][()])[0]) == 1:
        raise UserError(f"{path}: scaled=1: libspimage holds amplitudes here, the roots of intensities; write it again "
                        "with intensities (scaled=0)")  # fmt: skip


def add_hdf5_labels(patterns: PatternFile, file: h5py.File, keys: PatternKeys, group: h5py.Group) -> None:
    """Read labels: the user's keys, the usual names, and every field name found in `group` with one value a pattern."""
    for name in FIELDS:
        if name in (PHOTONS, MASK):
            continue
        item = require_object(group, name, "data.keys.label") if name == IS_SINGLE_HIT else get_object(group, name)
        if not isinstance(item, h5py.Dataset) or not item.ndim or len(item) != len(patterns):
            continue
        where = f"{patterns.path}: {item.name}"
        if item.ndim == 3:
            patterns.images[name] = Hdf5Frames(patterns.path, item.name)
        elif name not in _OF_GEOMETRY:
            add_label(patterns, name, _stored(item), where, keys.positive)
        elif name in patterns.geometry:  # in m and eV, whatever the unit of the data set
            add_label(patterns, name, np.broadcast_to(patterns.geometry[name], (len(patterns),)), where)
    found = keys.label or next(
        (k for k in _LABEL_KEYS[1:] if isinstance(require_object(file, k, "data.keys.label"), h5py.Dataset)), None
    )
    if found and (keys.label or IS_SINGLE_HIT not in patterns.labels):
        values = read_named(file, found, (1, 2), "data.keys.label")
        add_label(patterns, IS_SINGLE_HIT, values, f"{patterns.path}: {found}", keys.positive)
        if keys.label is None:
            patterns.notes.append(Note.of(f"labels are read from {found!r}, 1 = single hit", str(patterns.path)))
    if keys.particle_id:
        values = read_named(file, keys.particle_id, (1, 2), "data.keys.particle_id")
        add_label(patterns, PARTICLE_ID, values, f"{patterns.path}: {keys.particle_id}")


def add_hdf5_masks(patterns: PatternFile, file: h5py.File, key: str, named: str | None, convention: str) -> None:
    """Read the masks the user names, else the one that lies with the patterns ``key``."""
    beside = [(file, name) for name in split_names(named)] or masks_beside(file, key, patterns.shape)
    if not beside and (others := masks_not_taken(file, key, patterns.shape)):
        patterns.notes.append(
            Note.of(
                f"{', '.join(others)} may be a mask and is not taken; take it with data.keys.mask={others[0]}",
                str(patterns.path),
            )
        )
    for home, name in beside:
        if name not in home and Path(name).is_file():
            add_side_mask(patterns, name, convention)
            continue
        item, path = look_up(home, name, "data.keys.mask"), Path(home.filename)
        axes, where, place = len(frame_axes(item.shape)), f"{path}: {name}", convention_of(item)
        if axes not in (2, 3):
            raise UserError(f"{where} has shape {item.shape}; 2 or 3 axes fit (data.keys.mask=)")
        mask = Hdf5Frames(path, name)
        add_mask(patterns, mask if mask.shape[0] > 1 else mask.read(0, 1)[0], convention, where, place)
        if mask.unmapped is not None:
            leave_out_pixels(patterns, mask.unmapped)
            patterns.notes.append(_unmapped(where, mask.unmapped))


def _unmapped(where: str, pixels: NDArray[np.bool_]) -> Note:
    return Note.of(f"{where} maps nothing to {int(pixels.sum())} pixels of each frame, which are not measured")


def masks_beside(file: h5py.File, key: str, shape: tuple[int, int, int]) -> list[tuple[h5py.File, str]]:
    """File and name of the mask that lies with the data set of patterns ``key``; of none but its own detector."""
    around = surroundings(file, key)
    above = around.general if around.detectors < 2 else []
    for place, group in [*around.detector, *above]:
        for name in (*_MASK_KEYS, *_PLAIN_KEYS):
            item = require_object(group, name, "data.keys.mask") if name in _MASK_KEYS else get_object(group, name)
            if not isinstance(item, h5py.Dataset):
                continue
            axes = frame_axes(item.shape)
            if axes in (shape[1:], shape) or (name in _MASK_KEYS and len(axes) in (2, 3)):
                return [(group.file, f"{place}/{name}".strip("/"))]
    return []


def masks_not_taken(file: h5py.File, key: str, shape: tuple[int, int, int]) -> list[str]:
    """Names of data sets beside the patterns ``key`` that look like masks by name and shape but have no usual name."""
    around = surroundings(file, key)
    return [
        f"{place}/{name}".strip("/")
        for place, group in [*around.detector, *around.general[:1]]
        for name in group
        if _LIKE_A_MASK.search(name)
        and isinstance(item := get_object(group, name), h5py.Dataset)
        and item.dtype.kind in "uib"
        and frame_axes(item.shape) in (shape[1:], shape)
    ]


def read_named(file: h5py.File, key: str, dimensions: tuple[int, ...], option: str) -> NDArray[Any]:
    """A small data set of the file, or a file beside it; UserError if it is neither or has other axes."""
    if key not in file and Path(key).is_file():
        return read_side_file(Path(key), dimensions, option)
    item = dataset(file, key, option)
    if item.ndim not in dimensions:
        wanted = " or ".join(map(str, dimensions))
        raise UserError(f"{file.filename}: {key} has shape {item.shape}; {wanted} axes fit ({option}=)")
    return _stored(item)


def _stored(item: h5py.Dataset) -> NDArray[Any]:
    """Values of a data set of which every one is there, text as such."""
    values = whole(item)
    return np.asarray(values.asstr()[()] if h5py.check_string_dtype(item.dtype) else values[()])
