"""Reader and writer of CXI images: a reconstructed density with its support and further results.

Source: Coherent X-ray Imaging Data Bank, CXI file format 1.5, group /entry_1/image_1 (cxidb.org).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.files import atomic_write
from spi_lightning.io.hdf5.file import dataset, opened
from spi_lightning.write_errors import new_hdf5

IN_SUPPORT: Final = 0x10000  # bit of the mask of an image; all bits 0 is a good pixel outside
_IMAGE: Final = "/entry_1/image_1"
_RESULTS: Final = f"{_IMAGE}/process_1/results"


@dataclass(frozen=True)
class CxiImage:
    """Reconstructed image with its results.

    Attributes:
        density: Density (y, x) or (z, y, x), float or complex, origin at n // 2.
        support: Support of the same shape, bool, True inside.
        pixel_size: Edge of a pixel along each axis, m; None if unknown.
        results: Arrays of further results by name, e.g. prtf, frequency, error.
        notes: Plain text by name, e.g. recipe, program.
        units: Units of the results by name, stored as their attribute.
    """

    density: NDArray[Any]
    support: NDArray[np.bool_]
    pixel_size: Sequence[float] | None = None
    results: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)


def write_cxi_image(path: Path, image: CxiImage) -> Path:
    """Write /entry_1/image_1 of a new CXI file, atomically; lengths in m.

    Raises:
        UserError: Density and support differ in shape, the density is not finite, or the file cannot be written.
    """
    density = np.asarray(image.density)
    if density.shape != np.shape(image.support) or density.ndim not in (2, 3):
        raise UserError(
            f"{path}: density {density.shape} and support {np.shape(image.support)} must have one 2D or 3D shape"
        )
    if not np.isfinite(density).all():
        raise UserError(f"{path}: the density holds NaN or infinite values; nothing was written")
    with atomic_write(path) as part, new_hdf5(part) as file:
        _lay_out(file, density, image)
    return path


def _lay_out(file: h5py.File, density: NDArray[Any], image: CxiImage) -> None:
    file["cxi_version"], file["number_of_entries"] = 150, 1
    group = file.create_group(_IMAGE)
    single = np.complex64 if np.iscomplexobj(density) else np.float32
    group.create_dataset("data", data=density.astype(single), compression="gzip", shuffle=True)
    mask = np.where(image.support, IN_SUPPORT, 0).astype(np.uint32)
    group.create_dataset("mask", data=mask, compression="gzip", shuffle=True)
    group["data_type"], group["data_space"], group["is_fft_shifted"] = "electron density", "real", 0
    lengths = [1, *density.shape] if density.ndim == 2 else list(density.shape)
    group["image_center"] = np.array([n // 2 for n in reversed(lengths)], dtype=np.float64)  # x, y, z
    if image.pixel_size is not None:
        edges = [0.0, *image.pixel_size] if density.ndim == 2 else list(image.pixel_size)
        group["image_size"] = np.array([n * edge for n, edge in zip(reversed(lengths), reversed(edges), strict=True)])
        group["image_size"].attrs["units"] = "m"
    file["/entry_1/data_1/data"] = h5py.SoftLink(f"{_IMAGE}/data")
    for name, values in image.results.items():
        stored = np.asarray(values)
        packed = {"compression": "gzip", "shuffle": True} if stored.size > 1000 else {}
        made = file.create_dataset(f"{_RESULTS}/{name}", data=stored, **packed)
        if name in image.units:
            made.attrs["units"] = image.units[name]
    for name, text in image.notes.items():
        file[f"{_IMAGE}/process_1/{name}"] = text.encode("utf-8", "backslashreplace").decode()


def read_cxi_image(path: Path | str) -> CxiImage:
    """Read the first image of a CXI file of any program.

    The support is bit 0x10000 of the mask or, in files of some programs, image_1/support; without either it is where
    the density is not 0.

    Raises:
        UserError: No such file, or no image in it.
    """
    with opened(Path(path)) as file:
        group = file.get(_IMAGE)
        if group is None or "data" not in group:
            raise UserError(f"{path}: holds no {_IMAGE}/data; give a CXI file with a reconstructed image")
        density = dataset(file, f"{_IMAGE}/data")[()]
        if "support" in group:
            support = group["support"][()] != 0
        elif "mask" in group and group["mask"].shape == density.shape and (group["mask"][()] & IN_SUPPORT).any():
            support = (group["mask"][()] & IN_SUPPORT) != 0
        else:
            support = density != 0
        edges = None
        if "image_size" in group:
            sizes = group["image_size"][()][::-1][-density.ndim :]
            edges = [float(size / n) for size, n in zip(sizes, density.shape, strict=True)]
        items = {name: item for name, item in file.get(_RESULTS, {}).items() if isinstance(item, h5py.Dataset)}
        results = {name: item[()] for name, item in items.items()}
        units = {name: str(item.attrs["units"]) for name, item in items.items() if "units" in item.attrs}
        process = group.get("process_1", {})
        notes = {name: item.asstr()[()] for name, item in process.items() if _is_text(item)}
    return CxiImage(density, support, edges, results, notes, units)


def _is_text(item: Any) -> bool:
    return isinstance(item, h5py.Dataset) and h5py.check_string_dtype(item.dtype) is not None and item.shape == ()
