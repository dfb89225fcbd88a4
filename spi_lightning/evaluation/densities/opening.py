"""Densities of files, run folders and arrays as one type."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.io.dragonfly.merged import is_merged
from spi_lightning.io.volumes.density_file import FORMATS, read_density
from spi_lightning.notes import Note
from spi_lightning.results import OrientationResult, PhasingResult, VolumeResult, read

_FILES: Final = (".cxi", ".npz")


@dataclass(frozen=True)
class OpenDensity:
    """A density to be compared.

    Attributes:
        name: Short name for tables.
        source: File or run folder; empty for an array.
        values: (spatial) float32 or complex64.
        voxel: Edge of a voxel along each axis, m; None where unknown.
        support: (spatial) bool, where the density is; None where unknown.
        frame: Words on axes that are not perpendicular; empty for others.
        notes: Notes on what was taken.
    """

    name: str
    source: str
    values: Tensor
    voxel: tuple[float, ...] | None
    support: Tensor | None = None
    frame: str = ""
    notes: list[Note] = field(default_factory=list)


def open_density(path: str | os.PathLike[str]) -> OpenDensity:
    """Open the density of a file or of a run folder.

    Args:
        path: File of a density, see io.volumes.density_file; or folder of a phasing run, or of a comparison of volumes
            that holds one density.

    Raises:
        UserError: Nothing there that holds a density, or several.
    """
    where = Path(path)
    if not where.is_dir():
        stored = read_density(where)
        support = None if stored.support is None else torch.from_numpy(np.ascontiguousarray(stored.support))
        values = torch.from_numpy(np.ascontiguousarray(stored.values))
        return OpenDensity(where.name, str(path), values, stored.voxel, support, stored.frame, stored.notes)
    if is_merged(where):
        raise UserError(
            f"{path}: holds a merged intensity, not a density; phase it (spi phase {path}) and compare the runs"
        )
    result = read(where)
    if isinstance(result, PhasingResult):
        voxel = tuple(map(float, result.pixel)) if result.known else None
        density, support = (torch.from_numpy(each) for each in (result.density, result.support))
        frame = result.about.frame
        return OpenDensity(where.resolve().name, str(path), _single(density), voxel, support, frame)
    if isinstance(result, VolumeResult):
        return _of_comparison(where)
    kind = "oriented patterns" if isinstance(result, OrientationResult) else type(result).__name__
    raise UserError(f"{path}: a run of {kind} holds no density; name a phasing run or a file ({FORMATS})")


def _of_comparison(run: Path) -> OpenDensity:
    """The one density of an evaluation of volumes; UserError with their files where there are several."""
    files = sorted((run / "densities").glob("*/*.npz"))
    files = [file for file in files if not file.stem.endswith("_laboratory")]
    if len(files) != 1:
        listed = ", ".join(str(file) for file in files[:6]) + (", ..." if len(files) > 6 else "")
        raise UserError(
            f"{run}: holds {len(files)} densities; name one: {listed or 'none was written (volumes.outputs)'}"
        )
    return open_density(files[0])


def of_array(values: ArrayLike | Tensor, name: str, voxel: float | None = None) -> OpenDensity:
    """An array (y, x) or (z, y, x) as a density.

    Args:
        values: Real or complex numbers.
        name: Short name for tables.
        voxel: Edge of a voxel, m; None where unknown.

    Raises:
        UserError: Another number of axes, or values that are not finite.
    """
    array = torch.as_tensor(values).detach().cpu()
    if array.ndim not in (2, 3) or not bool(array.isfinite().all()):
        raise UserError(f"{name}: shape {tuple(array.shape)}; give finite numbers (y, x) or (z, y, x)")
    return OpenDensity(name, "", _single(array), None if voxel is None else (voxel,) * array.ndim)


def _single(values: Tensor) -> Tensor:
    """The same values in single precision."""
    single: Any = torch.complex64 if values.is_complex() else torch.float32
    return values.to(single)
