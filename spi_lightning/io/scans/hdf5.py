"""Reader of rocking scans in HDF5 files of any layout: plain, CXI and NeXus."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.io.hdf5.file import dataset, opened
from spi_lightning.io.hdf5.limits import stated_limits
from spi_lightning.io.hdf5.links import get_object, identity, missing_target
from spi_lightning.io.hdf5.storage import whole
from spi_lightning.io.reading import files_read, list_files
from spi_lightning.io.units import TABLE, named_unit, text
from spi_lightning.notes import Note

from .candidates import candidate_notes
from .geometry import angles_in_degree, crop_of_hdf5, geometry_of_hdf5, number_of
from .layout import ScanLayout, find_scan, without_ones
from .motors import commanded_motor, rocking_axis
from .record import BraggScan, ScanKeys, bad_of_mask, without_flaws
from .tiff_series import Region, check_memory, region_slices

_ROOT: Final = {
    "angle": ("theta", "angle", "angles", "rocking_angle"),  # perhaps with a unit at the end
    "monitor": ("monitor", "entry/monitor/data", "entry/control/data"),
    "whitefield": ("whitefield",),
    "dark": ("dark",),
    "bad_pixels": ("bad_pixels",),
}
_ENTRY: Final = {
    "angle": ("sample_1/geometry_1/angle", "data/angle"),
    "monitor": ("monitor/data", "control/data"),
}
_DETECTOR: Final = {
    "whitefield": ("data_white", "flatfield"),
    "dark": ("data_dark",),
    "bad_pixels": ("mask", "pixel_mask", "detectorSpecific/pixel_mask", "bad_pixels"),
}
# beside the counts, if none of the above exists
_MASKS: Final = ("mask", "pixel_mask", "good_pixels", "dead_pixels", "hot_pixels", "badpixels", "bad", "good")
_WANTED: Final = ("photon_energy", "distance", "pixel_size", "step_deg")
NOTHING: Final = "none"  # in place of the name of a data set: not read though the file has one
_OPTIONAL: Final = ("monitor", "whitefield", "dark", "bad_pixels")
_ROCKING: Final = re.compile(r"k?(th|phi|eta|chi|mu)|samth|om|alpha|incidence|angle|rock", re.IGNORECASE)


def read_scan_hdf5(path: Path, keys: ScanKeys, region: Region | None, known: Collection[str] = ()) -> BraggScan:
    """Read counts, images and geometry of one HDF5 file of any layout.

    Args:
        path: Path of the HDF5 file.
        keys: Names of data sets and side files.
        region: First row, last + 1, first column, last + 1 of the part to read, pixel; None for all.
        known: Quantities of the geometry that the user states, which are not read.

    Raises:
        UserError: Missing or damaged data sets, shapes that do not fit, too little memory.
    """
    with files_read() as files, opened(path) as file:
        layout = find_scan(file, keys.counts)
        holes = layout.unmapped()
        check_memory(path, layout.shape, region)
        rows, columns = region_slices(region, layout.shape[1:], path)
        notes: list[Note] = []
        limits = stated_limits(file, layout.keys[0], notes)
        counts, flaws = without_flaws(layout.read(rows, columns), limits=limits)
        if holes is not None:
            hole = torch.from_numpy(holes[rows, columns])
            counts[:, hole] = torch.nan
            flaws.append(
                Note.of(
                    f"nothing is mapped to {int(hole.sum())} pixels of each frame: taken as not measured", str(path)
                )
            )
        read = BraggScan(path, counts, notes=[*flaws, *notes, Note.of(f"counts from {layout.named()}", str(path))])
        for name in ("monitor", "whitefield", "dark"):
            named = getattr(keys, name)
            side = _find(file, named, name, layout, read.notes)
            if side is not None:
                _add_side(read, name, side, rows, columns, named is not None)
        axis = _add_angles(read, keys.angle, file, layout, known)
        _add_mask(read, keys.bad_pixels, file, layout, rows, columns)
        read.geometry, read.corner = geometry_of_hdf5(file, layout, known, read.notes), crop_of_hdf5(file)
        read.geometry |= {"rocking_axis": axis} if axis else {}
        missing = {name for name in _WANTED if name not in read.geometry and name not in known}
        missing -= {"step_deg"} if read.angle_deg is not None else set()
        read.notes += candidate_notes(file, len(counts), missing) if missing else []
        read.notes += _unread_images(file, layout, set(read.sources.values()))
        read.whitefield_mean = number_of(file, "whitefield_mean_full_detector")
    read.notes += list_files(files)
    return read


def rocking_angles(file: h5py.File, layout: ScanLayout) -> tuple[str, h5py.Dataset] | None:
    """Name and data set (frames,) of the angles: by usual names, the axis of NXdata or the command; None without."""
    frames = layout.shape[0]
    named = _find(file, None, "angle", layout)
    if named is not None and named.size == frames:
        return named.name, named
    axes = layout.beside.attrs.get("axes", ())
    first = re.split(r"[,:]", text(axes).strip("[]"))[0].strip() if len(np.ravel(axes)) else ""
    for item in (layout.beside.get(first) if first and first != "." else None, commanded_motor(layout)):
        if not isinstance(item, h5py.Dataset) or item.shape != (frames,) or item.dtype.kind not in "uif":
            continue
        unit, name = named_unit(item).lower(), re.sub("/(value|data)$", "", item.name).rpartition("/")[2]
        if unit in TABLE["angle"] or (not unit and _ROCKING.match(name)):
            return item.name, whole(item)
    return None


def _add_angles(read: BraggScan, key: str | None, file: h5py.File, layout: ScanLayout, known: Collection[str]) -> str:
    """Add the angles of the frames, degree; not used, with a note, if unreadable while the user states the step.

    Returns:
        Axis of the rotation, as y+; empty if the file states none.
    """
    item = dataset(file, key, "data.keys.angle") if key is not None else None
    if item is None:
        found = rocking_angles(file, layout)
        usual = _find(file, None, "angle", layout, read.notes)
        item = found[1] if found is not None else usual
        if found is not None and found[1] != usual:
            read.notes.append(Note.of(f"angles from {found[0]}, the motor that was scanned", str(read.path)))
    if item is None:
        return ""
    try:
        _require_one_per_frame(read, "angle", item)
        read.angle_deg = torch.from_numpy(angles_in_degree(item, item.name.rpartition("/")[2]))
        read.sources["angle"] = str(item.name)
    except UserError as error:
        if "step_deg" not in known:
            raise
        read.notes.append(Note.of(f"angles are not read, data.geometry.step_deg is used instead ({error})"))
    return "" if "rocking_axis" in known else rocking_axis(item, read.notes)


def _add_side(read: BraggScan, name: str, item: h5py.Dataset, rows: slice, columns: slice, named: bool) -> None:
    """Add an image or the monitor; UserError if the user ``named`` one that does not fit."""
    if item.dtype.kind not in "uifb":
        text = f"{read.path}: {item.name} holds {item.dtype} instead of numbers"
        if named:
            raise UserError(f"{text}: it is not a {name}; name another with data.keys.{name}=")
        read.notes.append(Note.of(f"{text}: it is not read as {name}"))
        return
    if name == "monitor" and named:
        _require_one_per_frame(read, name, item)
    values = item[()] if item.ndim < 2 else without_ones(item[..., rows, columns], read.counts.shape)
    read.sources[name] = str(item.name)
    if name == "monitor" and (named or values.size == len(read.counts)):
        read.monitor = torch.from_numpy(np.ravel(values).astype(float))
    elif values.shape == tuple(read.counts.shape[1:]):
        setattr(read, name, torch.from_numpy(values.astype(np.float32)))
        if not named:
            line = f"{item.name} is used as the {name}, by its name; data.keys.{name}={NOTHING} leaves it out"
            read.notes.append(Note.of(line, str(read.path)))
    elif named:
        raise UserError(_unfit(read, name, item))
    else:
        del read.sources[name]
        read.notes.append(Note.of(f"{item.name} {item.shape} does not fit the frames and is left out", str(read.path)))


def _require_one_per_frame(read: BraggScan, name: str, item: h5py.Dataset) -> None:
    """Raise UserError for angles or a monitor with another number of values than frames."""
    if item.size != len(read.counts):
        what = {"angle": "angles have"}.get(name, f"a {name} has")
        raise UserError(
            f"{read.path}: {item.name} has shape {item.shape}, and {what} one value for each of the {len(read.counts)} "
            f"frames; name another data set with data.keys.{name}="
        )


def _add_mask(
    read: BraggScan, key: str | None, file: h5py.File, layout: ScanLayout, rows: slice, columns: slice
) -> None:
    """Add the bad pixels, (rows, columns) or (frames, rows, columns), in the convention of their name and path."""
    named = key is not None
    if key == NOTHING:
        return
    item = _find(file, key, "bad_pixels", layout, read.notes)
    if item is None and not (key is not None and Path(key).is_file()):
        beside = (get_object(group, name) for group in (layout.beside, layout.entry, file) for name in _MASKS)
        images = [one for one in beside if isinstance(one, h5py.Dataset) and one.dtype.kind in "uifb" and one.ndim > 1]
        fitting = [one for one in images if one.shape[-2:] == layout.shape[1:]]
        item = next((whole(one) for one in [*fitting, *images]), None)
    if item is None:
        return
    fits = item.shape[-2:] == layout.shape[1:]
    values: NDArray[Any] = without_ones(item[..., rows, columns], read.counts.shape) if fits else item[()]
    if values.shape not in (tuple(read.counts.shape[1:]), tuple(read.counts.shape)):
        if named:
            raise UserError(_unfit(read, "bad_pixels", item))
        read.notes.append(Note.of(f"{item.name} {item.shape} does not fit the frames and is left out", str(read.path)))
        return
    where = f"{read.path}: {item.name}"
    at_cxi = layout.cxi and item.name.endswith("/mask")
    try:
        bad, notes = bad_of_mask(values, read.counts, where, at_cxi, named)
    except UserError as error:
        if named:
            raise
        read.notes.append(
            Note.warning(f"{error}; the mask is not used: name one with data.keys.bad_pixels=, nonzero = bad")
        )
        return
    read.notes += notes
    read.sources["bad_pixels"] = str(item.name)
    read.add_bad(bad)


def _unread_images(file: h5py.File, layout: ScanLayout, names: set[str]) -> list[Note]:
    """Note on images of the detector beside the counts that were not read."""
    images: dict[object, str] = {}
    read = {identity(file[name]) for name in names if name in file}
    for group in (*layout.detector, layout.beside, layout.entry, file):
        for name in group:
            item = get_object(group, name)
            if isinstance(item, h5py.Dataset) and item.dtype.kind in "uifb" and item.shape == layout.shape[1:]:
                images.setdefault(identity(item), str(item.name))
    left = [name for one, name in images.items() if one not in read]
    if not left:
        return []
    return [
        Note.of(
            f"of the shape of the frames, but not read: {', '.join(left)}; data.keys.whitefield=, dark= or bad_pixels= "
            "take such images",
            file.filename,
        )
    ]


def _unfit(read: BraggScan, name: str, item: h5py.Dataset) -> str:
    return (
        f"{read.path}: data.keys.{name}={item.name} has shape {item.shape}, the frames are "
        f"{' x '.join(str(n) for n in read.counts.shape[1:])} pixels: crop it alike"
    )


def _find(
    file: h5py.File, key: str | None, name: str, layout: ScanLayout, notes: list[Note] | None = None
) -> h5py.Dataset | None:
    """Data set that the user named, or the first of the usual names, those of the detector first; None without one.

    Broken links are added to ``notes``.
    """
    if key == NOTHING and name in _OPTIONAL:
        return None
    if key is not None and not Path(key).is_file():
        return dataset(file, key, f"data.keys.{name}")
    if key is not None:
        return None
    usual = [(group, one) for group in layout.detector for one in _DETECTOR.get(name, ())]
    usual += [(layout.entry, one) for one in _ENTRY.get(name, ())]
    usual += [(layout.beside, one) for one in _ROOT[name]] + [(file, one) for one in _ROOT[name]]
    if name == "angle":
        ends = ("_deg", "", *(f"_{unit}" for unit in TABLE["angle"] if unit.isalpha()))
        usual = [(group, f"{one}{end}") for group, one in usual for end in ends]
    found = {f"{group.name.rstrip('/')}/{one}": get_object(group, one) for group, one in usual}
    item = next((whole(item) for item in found.values() if isinstance(item, h5py.Dataset)), None)
    for where, target in found.items():
        missing = missing_target(file, where) if item is None and target is None and notes is not None else ""
        if missing and notes is not None:
            notes.append(Note.warning(f"{where} is a link to {missing}, which does not exist: not read", file.filename))
    return item
