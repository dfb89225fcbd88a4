"""Reader and writer of MRC 2014 volumes for ChimeraX and structural biology: one real map per file, in angstrom."""

from pathlib import Path
from typing import Any

import mrcfile  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import ArrayLike, NDArray

from spi_lightning.errors import UserError
from spi_lightning.files import atomic_write
from spi_lightning.io.reading import reading

_ANGSTROM = 1e-10


def write_mrc(path: str | Path, volume: ArrayLike, voxel_size: ArrayLike, label: str = "") -> Path:
    """Write one real volume atomically.

    Args:
        path: Path of the file to write.
        volume: (z, y, x) real; of a complex density the amplitude, because viewers read no phases.
        voxel_size: Edge of a voxel, m, one number or z, y, x.
        label: Label of the file, up to 80 characters of ASCII.

    Raises:
        UserError: Complex values, other shapes, a voxel size that is not positive, or a file that cannot be written.
    """
    values = np.asarray(volume)
    edges = np.broadcast_to(np.asarray(voxel_size, dtype=float), (3,)) / _ANGSTROM
    if values.ndim != 3 or values.dtype.kind not in "fiub":
        raise UserError(f"{path}: {values.dtype} {values.shape}; give one real volume (z, y, x)")
    if not (np.isfinite(edges) & (edges > 0)).all():
        raise UserError(f"{path}: voxel_size={voxel_size!r} must be positive, m")
    with atomic_write(Path(path)) as temporary, mrcfile.new(temporary, overwrite=True) as file:
        file.set_data(values.astype(np.float32))
        file.set_volume()
        file.voxel_size = (edges[2], edges[1], edges[0])
        file.header.origin = tuple(-edge * (n // 2) for edge, n in zip(edges[::-1], values.shape[::-1], strict=True))
        if label:
            file.add_label("".join(letter if letter.isascii() else "?" for letter in label)[:80])
    return Path(path)


def read_mrc(path: str | Path) -> tuple[NDArray[Any], tuple[float, float, float]]:
    """Read a volume (z, y, x) and its voxel size z, y, x, m.

    Raises:
        UserError: The file is missing, damaged or of another format.
    """
    with reading(path, "MRC"), mrcfile.open(Path(path), mode="r") as file:
        size = file.voxel_size
        edges = tuple(float(getattr(size, axis)) * _ANGSTROM for axis in "zyx")
        return np.array(file.data), (edges[0], edges[1], edges[2])
