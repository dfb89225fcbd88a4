"""Rocking scans in HDF5 files of any layout: plain, CXI and NeXus."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import h5py
import numpy as np
import torch

from spi_lightning.fields import UserError
from spi_lightning.io.hdf5_file import dataset, list_keys, opened
from spi_lightning.io.mask_bits import from_bits
from spi_lightning.io.scan_flaws import without_flaws
from spi_lightning.io.scan_geometry import beam_of_nexus, crop_of_hdf5, geometry_of_hdf5
from spi_lightning.io.scan_record import BraggScan, ScanKeys
from spi_lightning.io.tiff_series import Region, check_memory, region_slices

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


def read_scan_hdf5(path: Path, keys: ScanKeys, region: Region | None) -> BraggScan:
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
        read.leave_out(torch.from_numpy(values != 0))
    elif asked:
        raise UserError(
            f"{read.path}: data.keys.{name}={item.name} has shape {item.shape}, the frames are "
            f"{' x '.join(str(n) for n in read.counts.shape[1:])} pixels: crop it alike"
        )
    else:
        read.notes.append(f"{read.path}: {item.name} {item.shape} does not fit the frames and is left out")


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
