"""Reader of densities of any format: CXI images, MRC, VTI, NPZ and NPY, with the edges of their voxels."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.fields import AMPLITUDE, DENSITY
from spi_lightning.io.dragonfly.merged import is_merged
from spi_lightning.io.hdf5.file import MAGIC, opened
from spi_lightning.io.reading import reading, require_file
from spi_lightning.notes import Note

from .cxi_image import read_cxi_image
from .mrc import read_mrc
from .vti import read_vti, read_vti_notes

FORMATS: Final = "CXI, MRC, VTI, NPZ, NPY"
_NM, _ANGSTROM = 1e-9, 1e-10
_MRC: Final = (".mrc", ".map", ".ccp4")


@dataclass(frozen=True)
class StoredDensity:
    """Density of a file.

    Attributes:
        values: (y, x) or (z, y, x), float or complex.
        voxel: Edge of a voxel along each axis, m; None where the file does not say it.
        support: The same shape, bool; None where the file has none.
        frame: Words on axes that are not perpendicular, such as those of a rocking scan; empty for others.
        notes: Notes on what was taken and what is missing.
    """

    values: NDArray[Any]
    voxel: tuple[float, ...] | None
    support: NDArray[np.bool_] | None = None
    frame: str = ""
    notes: list[Note] = field(default_factory=list)


def read_density(path: str | os.PathLike[str], key: str | None = None) -> StoredDensity:
    """Read one density of a file of any of FORMATS, by its content or its suffix.

    Args:
        path: File of the density.
        key: Name of the array in a .npz, .vti or HDF5 file; None: ``density``, amplitude and phase, or the first array
            of two or three axes.

    Raises:
        UserError: A missing or damaged file, a merged intensity, another format, or no such array.
    """
    path = Path(path)
    require_file(path, f"give a run folder or a file of a density ({FORMATS})")
    with path.open("rb") as file:
        head = file.read(8)
    if head == MAGIC:
        found = _of_hdf5(path, key)
    elif path.suffix.lower() in _MRC:
        found = _of_mrc(path)
    elif path.suffix.lower() == ".vti":
        found = _of_vti(path, key)
    elif path.suffix.lower() in (".npz", ".npy"):
        found = _of_numpy(path, key)
    else:
        raise UserError(f"{path}: is no density that can be read; formats are {FORMATS}")
    return _checked(path, found)


def _checked(path: Path, found: StoredDensity) -> StoredDensity:
    """The density in single precision; UserError for other numbers of axes, values that are not finite, or zeros."""
    values = found.values
    if values.ndim not in (2, 3) or values.dtype.kind not in "biufc" or min(values.shape) < 4:
        raise UserError(f"{path}: {values.dtype} {values.shape}; a density is an image (y, x) or a volume (z, y, x)")
    if not np.isfinite(values).all():
        raise UserError(f"{path}: the density holds NaN or infinite values; write it again without them")
    if not (values != values.flat[0]).any():
        raise UserError(f"{path}: the density is {values.flat[0]:.4g} everywhere; there is nothing to compare")
    single = values.astype(np.complex64 if np.iscomplexobj(values) else np.float32)
    voxel = found.voxel
    if voxel is not None and not all(np.isfinite(edge) and edge > 0 for edge in voxel):
        voxel = None
    return StoredDensity(single, voxel, found.support, found.frame, found.notes)


def _of_hdf5(path: Path, key: str | None) -> StoredDensity:
    if key is None and is_merged(path):
        raise UserError(
            f"{path}: is a merged intensity, not a density; phase it first (spi phase {path.name}) and compare the runs"
        )
    if key is not None:
        with opened(path) as file:
            if key not in file:
                raise UserError(f"{path}: holds no {key}; there are {', '.join(sorted(file))}")
            return StoredDensity(np.asarray(file[key][()]), None)
    image = read_cxi_image(path)
    voxel = None if image.pixel_size is None else tuple(image.pixel_size)
    return StoredDensity(image.density, voxel, image.support, _oblique(image.notes.get("frame", "")))


def _oblique(frame: str) -> str:
    """Words on a frame whose axes are not perpendicular; empty for that of the laboratory."""
    return frame if "detector" in frame else ""


def _of_mrc(path: Path) -> StoredDensity:
    values, voxel = read_mrc(path)
    if all(abs(edge / _ANGSTROM - 1) < 1e-6 for edge in voxel):
        text = f"{path.name}: a voxel of 1 angstrom, as is written where it is not known, counts as unknown"
        return StoredDensity(values, None, notes=[Note.of(text)])
    return StoredDensity(values, voxel)


def _of_vti(path: Path, key: str | None) -> StoredDensity:
    with reading(path, "VTK image data"):
        arrays, spacing = read_vti(path)
        notes = read_vti_notes(path)
    unit = notes.get("length_unit", "")
    voxel = tuple(float(edge) * _NM for edge in spacing) if unit == "nm" else None
    return StoredDensity(_chosen(path, arrays, key), voxel, arrays.get("support"), _oblique(notes.get("frame", "")))


def _of_numpy(path: Path, key: str | None) -> StoredDensity:
    with reading(path, "a NumPy file"):
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return StoredDensity(loaded, None)
        with loaded:
            arrays = {name: loaded[name] for name in loaded.files}
    voxel = arrays.pop("voxel_m", None)
    frame = str(arrays.pop("frame", ""))
    values = _chosen(path, {name: array for name, array in arrays.items() if array.ndim in (2, 3)}, key)
    edges = None if voxel is None else tuple(np.broadcast_to(np.asarray(voxel, float), (values.ndim,)).tolist())
    support = arrays.get("support")
    return StoredDensity(values, edges, support, _oblique(frame))


def _chosen(path: Path, arrays: dict[str, NDArray[Any]], key: str | None) -> NDArray[Any]:
    """One of the arrays of a file: by name, ``density``, amplitude with its phase, or the first."""
    if not arrays or (key is not None and key not in arrays):
        listed = ", ".join(arrays) or "none"
        raise UserError(f"{path}: holds no {key or 'array of two or three axes'}; there are: {listed}")
    if key is not None:
        return arrays[key]
    if DENSITY in arrays:
        return arrays[DENSITY]
    if AMPLITUDE in arrays and "phase_rad" in arrays:
        amplitude, phase = arrays[AMPLITUDE], arrays["phase_rad"]
        return amplitude * np.exp(1j * phase) if phase.any() else amplitude
    return next(iter(arrays.values()))
