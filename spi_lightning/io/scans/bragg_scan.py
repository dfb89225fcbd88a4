"""open_scan: rocking scans of Bragg coherent diffraction from TIFF with a spec header, HDF5, NeXus, CXI or NumPy."""

import glob
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.io.units import factor, unit_of_label, unknown_unit
from spi_lightning.io.volumes.npz import read_volume
from spi_lightning.notes import Note
from spi_lightning.physics.bragg.frame_order import order_frames

from .geometry import geometry_of_spec
from .hdf5 import read_scan_hdf5
from .layout import axes_of_one
from .record import BraggScan, ScanKeys, bad_of_mask, without_flaws
from .spec import SpecScan, is_spec, read_spec
from .tiff_series import Region, cut_region, read_pages, read_series

__all__ = ["BraggScan", "ScanKeys", "open_scan"]

_TIFF: Final = (".tif", ".tiff")
_HDF5: Final = (".h5", ".hdf5", ".cxi", ".nxs")


def open_scan(
    path: str | os.PathLike[str] | Sequence[str],
    keys: ScanKeys | None = None,
    spec: str | None = None,
    scan: int | None = None,
    region: Region | None = None,
    known: Collection[str] = (),
) -> BraggScan:
    """Read a rocking scan with its frames in the order of their angle.

    Args:
        path: HDF5, NeXus or CXI file; a folder, glob or list of TIFF frames; one TIFF stack; .npy or .npz.
        keys: Names of data sets and side files, None for the default names.
        spec, scan: Path of a spec file and number of the scan in it, for angles, monitor and geometry.
        region: First row, last + 1, first column, last + 1 of the part to read, pixel; None for all.
        known: Quantities of BraggGeometry that the user states; those of the file are not read.

    Raises:
        UserError: Missing, damaged or unsupported files, duplicate frames, shapes that do not fit, too little memory.
    """
    keys = keys or ScanKeys()
    if spec is not None and scan is None:
        raise UserError(f"{spec}: the number of the scan is missing; give data.scan=")
    read = _read(_files(path), keys, region, known)
    if len(read.counts) == 1:
        rows, columns = read.counts.shape[1:]
        raise UserError(
            f"{read.path}: holds one frame of {rows} x {columns} pixels, not a rocking scan; data=one_frame phases a "
            "single pattern"
        )
    if region is not None:
        read.corner = (read.corner[0] + region[0], read.corner[1] + region[2])
    if spec is not None and scan is not None:
        _add_header(read, read_spec(spec, scan, len(read.counts)), spec)
    _add_images_beside(read, keys, region)
    if read.angle_deg is not None:
        counts, angle, monitor, notes = order_frames(read.counts, read.angle_deg, read.monitor)
        read.counts, read.angle_deg, read.monitor = counts, angle, monitor
        read.notes += notes
        step = float(angle[1] - angle[0])
        read.geometry.setdefault("step_deg", step)
        read.notes.append(
            Note.of(
                f"rocking angles from {read.sources['angle']}: {float(angle[0]):.6g} to {float(angle[-1]):.6g} "
                f"degree in {len(angle)} frames, {step:.6g} degree a frame"
            )
        )
    return read


def _read(files: list[Path], keys: ScanKeys, region: Region | None, known: Collection[str]) -> BraggScan:
    """Read the counts and metadata of files of any format, frames in stored order."""
    first = files[0]
    if keys.counts is not None and first.suffix.lower() not in (*_HDF5, ".npz"):
        raise UserError(f"{first}: its single array has no name; leave out data.keys.counts={keys.counts}")
    if first.suffix.lower() in _HDF5:
        return read_scan_hdf5(first, keys, region, known)
    if first.suffix.lower() in (".npy", ".npz"):
        counts, notes = without_flaws(_volume(first, keys))
        return BraggScan(first, cut_region(counts, region), notes=notes)
    if is_spec(first):
        raise UserError(
            f"{first}: is a spec file, which holds no frames; give data.spec={first}, and the frames as data.path="
        )
    counts, notes = read_series(files, region)
    return BraggScan(first.parent, counts, notes=notes)


def _add_images_beside(read: BraggScan, keys: ScanKeys, region: Region | None) -> None:
    """Add whitefield, dark and bad pixels from side files."""
    for name in ("whitefield", "dark", "bad_pixels"):
        beside = getattr(keys, name)
        if beside is None or not Path(beside).is_file():
            continue
        image = cut_region(_image(Path(beside)), region)
        read.sources[name] = str(beside)
        if name != "bad_pixels" or image.shape not in (read.counts.shape, read.counts.shape[1:]):
            setattr(read, name, image)
            continue
        bad, notes = bad_of_mask(image.numpy(), read.counts, str(beside), cxi=False, named=True)
        read.notes += notes
        read.add_bad(bad)


def _files(path: str | os.PathLike[str] | Sequence[str]) -> list[Path]:
    """Files that a path names, at least one; UserError for a missing one."""
    if not isinstance(path, str | os.PathLike):
        found = [Path(part) for part in path]
    elif Path(path).is_dir():
        found = sorted(part for part in Path(path).iterdir() if part.suffix.lower() in _TIFF and part.name[0] != ".")
    elif glob.has_magic(os.fspath(path)) and not Path(path).exists():
        found = sorted(Path(name) for name in glob.glob(os.fspath(path)))  # noqa: PTH207  absolute patterns too
    else:
        found = [Path(path)]
    missing = [part for part in found if not part.is_file()]
    if missing or not found:
        raise UserError(
            f"{missing[0] if missing else path}: there is no such file, or it holds no frames; check data.path="
        )
    return found


def _image(file: Path) -> Tensor:
    """Image of a side file, (rows, columns) float32."""
    image = read_volume(file) if file.suffix == ".npy" else read_pages(file)
    return torch.from_numpy(np.asarray(image, dtype=np.float32))


def _volume(path: Path, keys: ScanKeys) -> NDArray[Any]:
    counts = read_volume(path, keys.counts)
    counts = counts.reshape(np.delete(counts.shape, axes_of_one(counts.shape)))
    if np.iscomplexobj(counts) or counts.ndim != 3:
        raise UserError(f"{path}: {counts.dtype} {counts.shape}; a rocking scan is (frames, rows, columns) of counts")
    return counts


def _add_header(read: BraggScan, header: SpecScan, spec: str) -> None:
    """Add angles, monitor and geometry of a spec scan; values of the file itself take precedence."""
    read.notes += header.notes
    if read.angle_deg is None:
        _add_angles(read, header, spec)
    monitor = header.column("monitor", "mon", "io", "i0")
    if read.monitor is None and monitor is not None and len(monitor) == len(read.counts):
        read.monitor = torch.from_numpy(monitor)
        read.sources["monitor"] = spec
    read.geometry = geometry_of_spec(header, read.notes) | read.geometry


def _add_angles(read: BraggScan, header: SpecScan, spec: str) -> None:
    """Add the angles of the scanned motor, degree."""
    if header.is_mesh:
        raise UserError(
            f"{spec}: scan {header.number} is a mesh of two motors ({header.command}), not a rocking scan; give the "
            "number of another with data.scan="
        )
    name = header.scanned
    if name is None:
        read.notes.append(
            Note.warning(
                f"no column of scan {header.number} is the motor of its command, {header.command!r}: the "
                "frames are taken as stored, in even steps; give data.geometry.step_deg= for lengths",
                str(spec),
            )
        )
        return
    angles = header.columns[name]
    if len(angles) != len(read.counts):
        raise UserError(
            f"{read.path}: {len(read.counts)} frames, but scan {header.number} of the spec file has {len(angles)} "
            "points; frames are missing, or it is another scan: check data.scan="
        )
    read.notes += [*unknown_unit(name), *header.other_motors()]
    unit = unit_of_label(name)
    read.sources["angle"] = f"column {name} of {spec}, scan {header.number}"
    read.angle_deg = torch.from_numpy(angles * (factor(unit, "angle", f"{spec}: {name}") if unit else 1.0))
