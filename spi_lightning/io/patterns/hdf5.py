"""Reader of patterns in HDF5 files of any layout, with their mask, geometry and labels."""

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
from spi_lightning.io.hdf5.links import get_object, require_object, walk
from spi_lightning.io.hdf5.storage import whole
from spi_lightning.io.hdf5.values import WAVELENGTH, X_PIXEL, Y_PIXEL
from spi_lightning.io.masks.convention import convention_of
from spi_lightning.notes import Note

from .assembly import LABELS, add_found_label, add_label, add_mask, add_side_mask, exclude_pixels, split_names
from .concatenate import PickedFrames
from .pattern_file import FrameSource, PatternFile, PatternKeys, is_none
from .side_files import read_side_file

_LABEL_KEYS: Final = (IS_SINGLE_HIT, "labels", "label")
_MASK_KEYS: Final = (MASK, "pixel_mask", "good_pixels", "bad_pixels")
_LIKE_A_MASK: Final = re.compile(r"mask|(bad|good|dead|hot)_?pix|defect", re.IGNORECASE)
_CORRECTION: Final = re.compile(r"(white|flat)_?field|^(dark|pedestal|gain)s?(_?map|_?frame)?$", re.IGNORECASE)
_PLAIN_KEYS: Final = ("good", "bad", "valid", "invalid")  # masks if of the shape of frames, else labels
_OF_GEOMETRY: Final = (DISTANCE, PIXEL_SIZE, PHOTON_ENERGY)
_GEOMETRY_OPTIONS: Final = {
    **{name: f"data.geometry.{name}" for name in _OF_GEOMETRY},
    **dict.fromkeys((X_PIXEL, Y_PIXEL), f"data.geometry.{PIXEL_SIZE}"),
    WAVELENGTH: f"data.geometry.{PHOTON_ENERGY}",
}


def open_hdf5_patterns(path: Path, keys: PatternKeys, convention: str, known: Collection[str] = ()) -> PatternFile:
    """Open a plain HDF5 or NeXus file.

    Args:
        path: Path of the HDF5 file.
        keys: Names of the data sets; without one the patterns are chosen as in io/hdf5/choice.py.
        convention: Convention of the mask, see masks/convention.py.
        known: Quantities of the geometry that the caller has from elsewhere.

    Raises:
        UserError: A key is missing or is not that of patterns; or as io.hdf5.file.opened.
    """
    with opened(path) as file:
        choice = Choice([keys.photons], "") if keys.photons else choose_patterns(file)
        patterns = PatternFile(path, "HDF5", frames_of(path, choice))
        add_all(patterns, file, choice, keys, convention, known, file)
    return patterns


def frames_of(path: Path, choice: Choice) -> FrameSource:
    """Frames of one data set, or of a series of data sets concatenated."""
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
    """Add limits, geometry, labels and masks to the patterns, with a note on the data set they are read from.

    Args:
        patterns: Patterns (N, H, W) of ``choice``, to be completed.
        file: Open HDF5 file of the patterns.
        choice: Data sets of the patterns.
        keys, convention, known: See the arguments of open_hdf5_patterns.
        labels: Group with one value per pattern.
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
            exclude_pixels(patterns, source.unmapped)
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
    if corrections := _corrections(file, patterns.shape[1:]):
        text = f"{', '.join(corrections)}: corrections of the detector are not applied; photons are counted as stored"
        patterns.notes.append(Note.of(text, str(patterns.path)))


def _refuse_amplitudes(path: Path, file: h5py.File) -> None:
    """Raise UserError for a libspimage file whose flag ``scaled`` marks its values as amplitudes."""
    flags = [get_object(file, name) for name in ("scaled", "phased", "shifted")]
    if all(isinstance(flag, h5py.Dataset) and flag.size == 1 for flag in flags) and int(np.ravel(flags[0][()])[0]) == 1:
        raise UserError(f"{path}: scaled=1: this libspimage file holds amplitudes, the roots of intensities; write it "
                        "again with intensities (scaled=0)")  # fmt: skip


def add_hdf5_labels(patterns: PatternFile, file: h5py.File, keys: PatternKeys, group: h5py.Group) -> None:
    """Add labels: those of the user's keys, of the usual names, and of field names in `group` with N values."""
    for name in FIELDS:
        if name in (PHOTONS, MASK) or is_none({IS_SINGLE_HIT: keys.label, PARTICLE_ID: keys.particle_id}.get(name)):
            continue
        item = require_object(group, name, "data.keys.label") if name == IS_SINGLE_HIT else get_object(group, name)
        if not isinstance(item, h5py.Dataset) or not item.ndim or len(item) != len(patterns):
            continue
        where = f"{patterns.path}: {item.name}"
        if item.ndim == 3:
            patterns.images[name] = Hdf5Frames(patterns.path, item.name)
        elif name not in _OF_GEOMETRY:
            add_found_label(patterns, name, _stored(item), where, keys.positive)
        elif name in patterns.geometry:  # in m and eV, whatever the unit of the data set
            add_label(patterns, name, np.broadcast_to(patterns.geometry[name], (len(patterns),)), where)
    if keys.label is None and IS_SINGLE_HIT not in patterns.labels:
        _add_usual_labels(patterns, file, keys.positive)
    elif keys.label and not is_none(keys.label):
        values = read_named(file, keys.label, (1, 2), "data.keys.label")
        add_label(patterns, IS_SINGLE_HIT, values, f"{patterns.path}: {keys.label}", keys.positive)
    if keys.particle_id and not is_none(keys.particle_id):
        values = read_named(file, keys.particle_id, (1, 2), "data.keys.particle_id")
        add_label(patterns, PARTICLE_ID, values, f"{patterns.path}: {keys.particle_id}")


def _add_usual_labels(patterns: PatternFile, file: h5py.File, positive: str | int | None) -> None:
    """Add labels of the usual names in the root; where there are none, name data sets that look like labels."""
    usual = (k for k in _LABEL_KEYS[1:] if isinstance(require_object(file, k, "data.keys.label"), h5py.Dataset))
    if found := next(usual, None):
        values = read_named(file, found, (1, 2), "data.keys.label")
        add_found_label(patterns, IS_SINGLE_HIT, values, f"{patterns.path}: {found}", positive)
        if IS_SINGLE_HIT in patterns.labels:
            patterns.notes.append(Note.of(f"labels are read from {found!r}, 1 = single hit", str(patterns.path)))
    elif likely := _likely_labels(file, len(patterns)):
        others = "; use them" if len(likely) == 1 else "; use the one that says which frames are single hits"
        text = (
            f"{', '.join(likely)}: 0 and 1, one for each frame, may be labels{others} with data.keys.label={likely[0]}"
        )
        patterns.notes.append(Note.hint(text, LABELS))


def _likely_labels(file: h5py.File, count: int) -> list[str]:
    """Names of the data sets that hold 0 and 1, one for each of ``count`` frames, and are not known by their name."""
    return [
        name
        for name, item in walk(file)
        if isinstance(item, h5py.Dataset)
        and item.shape == (count,)
        and count > 1
        and item.dtype.kind in "uib"
        and name.rpartition("/")[2] not in FIELDS
        and np.array_equal(np.unique(item[()]), [0, 1])
    ]


def add_hdf5_masks(patterns: PatternFile, file: h5py.File, key: str, named: str | None, convention: str) -> None:
    """Add the masks that the user names, else the one beside the patterns ``key``."""
    if is_none(named):
        return
    beside = [(file, name) for name in split_names(named)] or find_mask(file, key, patterns.shape)
    if not beside and (others := unused_masks(file, key, patterns.shape)):
        patterns.notes.append(
            Note.of(
                f"{', '.join(others)} may be a mask and is not used; use it with data.keys.mask={others[0]}",
                str(patterns.path),
            )
        )
    for home, name in beside:
        if name not in home and Path(name).is_file():
            add_side_mask(patterns, name, convention)
            continue
        item, path = look_up(home, name, "data.keys.mask"), Path(home.filename)
        axes, where, bits = len(frame_axes(item.shape)), f"{path}: {name}", convention_of(item)
        if axes not in (2, 3):
            raise UserError(f"{where} has shape {item.shape}; a mask has 2 or 3 axes (data.keys.mask=)")
        mask = Hdf5Frames(path, name)
        add_mask(patterns, mask if mask.shape[0] > 1 else mask.read(0, 1)[0], convention, where, bits)
        if mask.unmapped is not None:
            exclude_pixels(patterns, mask.unmapped)
            patterns.notes.append(_unmapped(where, mask.unmapped))


def _corrections(file: h5py.File, shape: tuple[int, ...]) -> list[str]:
    """Names of data sets of the shape of a frame (H, W) that hold a correction of the detector by their name."""
    return [
        name
        for name, item in walk(file)
        if isinstance(item, h5py.Dataset)
        and _CORRECTION.search(name.rpartition("/")[2])
        and frame_axes(item.shape or ()) == shape
    ]


def _unmapped(where: str, pixels: NDArray[np.bool_]) -> Note:
    return Note.of(f"{where} maps nothing to {int(pixels.sum())} pixels of each frame, which are not measured")


def find_mask(file: h5py.File, key: str, shape: tuple[int, int, int]) -> list[tuple[h5py.File, str]]:
    """File and name of the mask in the detector group of the patterns ``key`` or above them; empty if none.

    Args:
        file: HDF5 file opened for reading.
        key: Name of the data set of patterns.
        shape: Shape of the patterns, (N, H, W).
    """
    around = surroundings(file, key)
    above = around.general if around.detectors < 2 else []
    for parent, group in [*around.detector, *above]:
        for name in (*_MASK_KEYS, *_PLAIN_KEYS):
            item = require_object(group, name, "data.keys.mask") if name in _MASK_KEYS else get_object(group, name)
            if not isinstance(item, h5py.Dataset):
                continue
            axes = frame_axes(item.shape)
            if axes in (shape[1:], shape) or (name in _MASK_KEYS and len(axes) in (2, 3)):
                return [(group.file, f"{parent}/{name}".strip("/"))]
    return []


def unused_masks(file: h5py.File, key: str, shape: tuple[int, int, int]) -> list[str]:
    """Names of data sets beside the patterns ``key`` that may be masks by name and shape, but have no usual name."""
    around = surroundings(file, key)
    found = (
        f"{parent}/{name}".strip("/")
        for parent, group in [*around.detector, *around.general[:1]]
        for name in group
        if _LIKE_A_MASK.search(name)
        and isinstance(item := get_object(group, name), h5py.Dataset)
        and item.dtype.kind in "uib"
        and frame_axes(item.shape) in (shape[1:], shape)
    )
    return list(dict.fromkeys(found))


def read_named(file: h5py.File, key: str, dimensions: tuple[int, ...], option: str) -> NDArray[Any]:
    """Values of a small data set or side file; UserError if it is neither or has another number of axes.

    Args:
        file: HDF5 file opened for reading.
        key: Name of the data set or path of the side file.
        dimensions: Allowed numbers of axes.
        option: Option that names the key, for messages.
    """
    if key not in file and Path(key).is_file():
        return read_side_file(Path(key), dimensions, option)
    item = dataset(file, key, option)
    if item.ndim not in dimensions:
        wanted = " or ".join(map(str, dimensions))
        raise UserError(f"{file.filename}: {key} has shape {item.shape}; {wanted} axes are allowed ({option}=)")
    return _stored(item)


def _stored(item: h5py.Dataset) -> NDArray[Any]:
    """Values of a data set checked to be complete, text as str."""
    values = whole(item)
    return np.asarray(values.asstr()[()] if h5py.check_string_dtype(item.dtype) else values[()])
