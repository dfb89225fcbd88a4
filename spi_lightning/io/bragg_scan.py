"""Rocking scans of Bragg coherent diffraction: a TIFF series with a spec header, HDF5, NeXus or CXI."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.fields import UserError
from spi_lightning.io.hdf5_file import dataset, list_keys, opened
from spi_lightning.io.mask_bits import from_bits
from spi_lightning.io.npz_volume import read_volume
from spi_lightning.io.scan_flaws import without_flaws
from spi_lightning.io.scan_geometry import beam_of_nexus, crop_of_hdf5, geometry_of_hdf5, geometry_of_spec
from spi_lightning.io.spec import SpecScan, read_spec
from spi_lightning.io.tiff_series import Region, check_memory, cut_region, read_pages, read_series, region_slices
from spi_lightning.physics.frame_order import order_frames

_HDF5: Final = (".h5", ".hdf5", ".cxi", ".nxs")
_COUNTS: Final = (
    "counts",
    "entry_1/data_1/data",
    "entry_1/instrument_1/detector_1/data",
    "entry/data/data",
    "entry/instrument/detector/data",
    "data",
)
_SIDE: Final = {
    "angle": ("theta_deg", "entry_1/sample_1/geometry_1/angle", "entry/data/angle", "angle"),
    "monitor": ("monitor", "entry/monitor/data", "entry/control/data"),
    "whitefield": ("whitefield", "entry_1/instrument_1/detector_1/data_white", "entry/instrument/detector/flatfield"),
    "dark": ("dark", "entry_1/instrument_1/detector_1/data_dark"),
    "bad_pixels": ("bad_pixels", "entry_1/instrument_1/detector_1/mask", "entry/instrument/detector/pixel_mask"),
}


@dataclass
class ScanKeys:
    """Names of data sets in an HDF5 scan, or of files beside it (.tif, .npy).

    None: the usual names are tried, and for counts the only data set with three axes.
    """

    counts: str | None = None
    angle: str | None = None
    monitor: str | None = None
    whitefield: str | None = None
    dark: str | None = None
    bad_pixels: str | None = None


@dataclass
class BraggScan:
    """Counts of a rocking scan and what is known about them.

    Attributes:
        counts: (frames, rows, columns) float32; NaN where nothing was measured, infinite where saturated; the notes
            tell of both.
        angle_deg, monitor: (frames,) float64 or None.
        whitefield, dark, bad_pixels: (rows, columns) float32 or None.
        whitefield_mean: Of the full detector, if the file says it.
        geometry: What the file says of BraggGeometry's quantities.
        corner: Row and column of the detector's full frames at which these frames begin.
        notes: What the reader chose and mended.
    """

    path: Path
    counts: Tensor
    angle_deg: Tensor | None = None
    monitor: Tensor | None = None
    whitefield: Tensor | None = None
    dark: Tensor | None = None
    bad_pixels: Tensor | None = None
    whitefield_mean: float | None = None
    geometry: dict[str, float] = field(default_factory=dict)
    corner: tuple[int, int] = (0, 0)
    notes: list[str] = field(default_factory=list)


def open_scan(
    path: str | os.PathLike[str] | Sequence[str],
    keys: ScanKeys | None = None,
    spec: str | None = None,
    scan: int | None = None,
    region: Region | None = None,
) -> BraggScan:
    """Read a rocking scan, its frames in order of their angle.

    Args:
        path: HDF5, NeXus or CXI file; a folder, glob or list of TIFF frames; one TIFF stack; .npy or .npz.
        keys: See ScanKeys.
        spec, scan: spec file and number of the scan in it: angles, monitor and geometry.
        region: Rows and columns to read: first row, last + 1, first column, last + 1.

    Raises:
        UserError: Missing, damaged or foreign files, doubled frames, shapes that do not fit, too little memory.
    """
    keys = keys or ScanKeys()
    header = _spec_header(spec, scan)
    files = _files(path)
    if keys.counts is not None and files[0].suffix.lower() not in (*_HDF5, ".npz"):
        raise UserError(f"{files[0]}: its one array has no name; leave out data.keys.counts={keys.counts}")
    if files[0].suffix.lower() in _HDF5:
        read = _read_hdf5(files[0], keys, region)
    elif files[0].suffix.lower() in (".npy", ".npz"):
        counts, notes = without_flaws(_volume(files[0], keys))
        read = BraggScan(files[0], cut_region(counts, region), notes=notes)
    else:
        counts, notes = read_series(files, region)
        read = BraggScan(files[0].parent, counts, notes=notes)
    if region is not None:
        read.corner = (read.corner[0] + region[0], read.corner[1] + region[2])
    if header is not None:
        _add_header(read, header)
    for name in ("whitefield", "dark", "bad_pixels"):
        beside = getattr(keys, name)
        if beside is not None and Path(beside).is_file():
            image = cut_region(_image(Path(beside)), region)
            if name == "bad_pixels" and image.shape == read.counts.shape:
                _leave_out(read, image != 0)
            else:
                setattr(read, name, image)
    if read.angle_deg is not None:
        counts, angle, monitor, notes = order_frames(read.counts, read.angle_deg, read.monitor)
        read.counts, read.angle_deg, read.monitor = counts, angle, monitor
        read.notes += notes
        read.geometry.setdefault("step_deg", float(angle[1] - angle[0]))
    return read


def _files(path: str | os.PathLike[str] | Sequence[str]) -> list[Path]:
    """The files that a path names, at least one."""
    if not isinstance(path, str | os.PathLike):
        found = [Path(part) for part in path]
    elif Path(path).is_dir():
        found = sorted(part for part in Path(path).iterdir() if part.suffix.lower() in (".tif", ".tiff"))
    elif glob.has_magic(os.fspath(path)) and not Path(path).exists():
        found = sorted(Path(name) for name in glob.glob(os.fspath(path)))  # noqa: PTH207  absolute patterns too
    else:
        found = [Path(path)]
    missing = [part for part in found if not part.is_file()]
    if missing or not found:
        raise UserError(
            f"{missing[0] if missing else path}: there is no such file, or no frame in it; check data.path="
        )
    return found


def _read_hdf5(path: Path, keys: ScanKeys, region: Region | None) -> BraggScan:
    """Counts, images and geometry of one HDF5 file of any layout."""
    with opened(path) as file:
        item = _find(file, keys.counts, _COUNTS, "counts") or _only_volume(file)
        if item is None:
            raise UserError(
                f"{path}: which data set holds the counts? There are: {list_keys(file)} (data.keys.counts=)"
            )
        if item.ndim != 3 or item.dtype.kind not in "uif":
            raise UserError(
                f"{path}: {item.name} is {item.dtype} {item.shape}; a rocking scan is (frames, rows, columns) of counts"
            )
        check_memory(path, item.shape, region)
        rows, columns = region_slices(region, item.shape[1:], path)
        counts, flaws = without_flaws(item[:, rows, columns])
        read = BraggScan(path, counts, notes=flaws)
        for name, usual in _SIDE.items():
            side = _find(file, getattr(keys, name), usual, name)
            if side is not None:
                _add_side(read, name, side, rows, columns, getattr(keys, name) is not None)
        read.geometry, read.corner = geometry_of_hdf5(file), crop_of_hdf5(file)
        read.geometry |= beam_of_nexus(file, item.shape[1:], read.geometry.get("pixel_size")) | read.geometry
        if "whitefield_mean_full_detector" in file.attrs:
            read.whitefield_mean = float(file.attrs["whitefield_mean_full_detector"])
        read.notes.append(f"{path}: counts from {item.name}")
    return read


def _add_side(read: BraggScan, name: str, item: h5py.Dataset, rows: slice, columns: slice, asked: bool) -> None:
    """Take one of the images, masks or values per frame; UserError if a user ``asked`` for one that does not fit."""
    values = item[()] if item.ndim < 2 else item[..., rows, columns]
    if name == "bad_pixels" and item.name.endswith("detector_1/mask"):  # CXI bits, of which not all mean bad
        values = ~from_bits(values)
    if name in ("angle", "monitor"):
        setattr(read, "angle_deg" if name == "angle" else name, torch.from_numpy(np.atleast_1d(values).astype(float)))
    elif values.shape == tuple(read.counts.shape[1:]):
        setattr(read, name, torch.from_numpy(values.astype(np.float32)))
    elif name == "bad_pixels" and values.shape == tuple(read.counts.shape):
        _leave_out(read, torch.from_numpy(values != 0))
    elif asked:
        raise UserError(
            f"{read.path}: data.keys.{name}={item.name} has shape {item.shape}, the frames are "
            f"{' x '.join(str(n) for n in read.counts.shape[1:])} pixels: crop it alike"
        )
    else:
        read.notes.append(f"{read.path}: {item.name} {item.shape} does not fit the frames and is left out")


def _leave_out(read: BraggScan, bad: Tensor) -> None:
    """Take voxels of a mask with all of the scan's axes, e.g. of a gap that moves, as not measured."""
    read.counts = torch.where(bad, torch.nan, read.counts)
    read.notes.append(f"{int(bad.sum())} voxels are bad by the mask of every frame: taken as not measured")


def _find(file: h5py.File, key: str | None, usual: tuple[str, ...], name: str) -> h5py.Dataset | None:
    """The data set a user named, or the first of the usual names; None if there is none."""
    if key is not None and not Path(key).is_file():
        return dataset(file, key, f"data.keys.{name}")
    return next((file[one] for one in usual if isinstance(file.get(one), h5py.Dataset)), None)


def _only_volume(file: h5py.File) -> h5py.Dataset | None:
    """The data set with three axes, if there is one alone."""
    found: list[h5py.Dataset] = []

    def look(_: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim == 3:
            found.append(item)

    file.visititems(look)
    return found[0] if len(found) == 1 else None


def _image(file: Path) -> Tensor:
    """An image beside the scan, (rows, columns) float32."""
    image = np.load(file, allow_pickle=False) if file.suffix == ".npy" else read_pages(file)
    return torch.from_numpy(np.asarray(image, dtype=np.float32))


def _volume(path: Path, keys: ScanKeys) -> NDArray[Any]:
    counts = read_volume(path, keys.counts)
    if np.iscomplexobj(counts) or counts.ndim != 3:
        raise UserError(f"{path}: {counts.dtype} {counts.shape}; a rocking scan is (frames, rows, columns) of counts")
    return counts


def _spec_header(spec: str | None, scan: int | None) -> SpecScan | None:
    if spec is None:
        return None
    if scan is None:
        raise UserError(f"{spec}: which of its scans? Give data.scan=")
    return read_spec(spec, scan)


def _add_header(read: BraggScan, header: SpecScan) -> None:
    """Angles, monitor and motors of the spec file; a file's own values stay."""
    angles = header.column(header.scanned) if header.scanned else None
    if read.angle_deg is None and angles is not None:
        if len(angles) != len(read.counts):
            raise UserError(
                f"{read.path}: {len(read.counts)} frames, but scan {header.number} of the spec file has {len(angles)} "
                "points: frames are missing, or it is another scan"
            )
        read.angle_deg = torch.from_numpy(angles)
    monitor = header.column("monitor", "mon", "io", "i0")
    if read.monitor is None and monitor is not None:
        read.monitor = torch.from_numpy(monitor)
    read.geometry = geometry_of_spec(header) | read.geometry
