"""What an orientation run found, kept in orientation.h5 of its run folder, from which its page is made."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.files import atomic_write
from spi_lightning.io.hdf5.file import opened
from spi_lightning.notes import Note
from spi_lightning.write_errors import new_hdf5

Array = NDArray[np.float64]
ORIENTATION: Final = "orientation.h5"


@dataclass(frozen=True)
class Examples:
    """Patterns beside the slices of the merged intensity at their most probable orientations.

    Attributes:
        frame: (n,) numbers of the patterns.
        photons: (n, h, w) counts.
        expected: (n, h, w) photons expected from the merged intensity.
        classes: (h, w) 0 judges orientations, 1 merged only, 2 not used.
        correlation: (n,) Pearson's, over the pixels that judge orientations.
    """

    frame: NDArray[np.int64]
    photons: Array
    expected: Array
    classes: NDArray[np.uint8]
    correlation: Array


@dataclass(frozen=True)
class OrientationFiles:
    """One orientation run; N patterns, R sampled orientations.

    Attributes:
        frame: (N,) pattern numbers in their file.
        quaternion: (R, 4) sampled orientations, body to laboratory; for symmetry=icosahedral in the body's own frame.
        weight: (R,) share of all rotations each stands for.
        probability: (R,) P_r.
        best: (N,) number of each pattern's most probable orientation, -1 for none.
        part, density: See metrics.uniformity.Uniformity.
        slices: (3, M, M) central planes of the merged intensity, normal to z, y and x; photons per pixel.
        voxel: Edge of its voxels, 1/m; NaN where the wavelength is unknown.
        error: (N,) angle from the true orientation, rad; None where that is unknown.
        log: Columns of Dragonfly's EMC.log.
        examples: None where the patterns were not at hand.
        symmetry: "none" or "icosahedral".
        notes: One line each.
    """

    frame: NDArray[np.int64]
    quaternion: Array
    weight: Array
    probability: Array
    best: NDArray[np.int64]
    part: NDArray[np.int64]
    density: Array
    slices: Array
    voxel: float
    symmetry: str
    error: Array | None = None
    log: dict[str, Array] = field(default_factory=dict)
    examples: Examples | None = None
    notes: list[Note] = field(default_factory=list)

    def write(self, folder: Path) -> Path:
        """Write orientation.h5, whole or not at all."""
        path = folder / ORIENTATION
        with atomic_write(path) as part, new_hdf5(part) as file:
            for item in fields(self):
                _store(file, item.name, getattr(self, item.name))
        return path

    @classmethod
    def read(cls, folder: Path) -> OrientationFiles:
        """Read orientation.h5 of a run folder. Raises UserError as io.hdf5_file.opened does."""
        with opened(folder / ORIENTATION) as file:
            values: dict[str, Any] = {name: item[()] for name, item in file.items() if name not in ("log", "examples")}
            values |= {name: file.attrs[name] for name in ("voxel", "symmetry")}
            notes = [Note.read(plain) for plain in json.loads(str(file.attrs["notes"]))]
            log = {name: column[()] for name, column in file["log"].items()} if "log" in file else {}
            shown = {name: item[()] for name, item in file["examples"].items()} if "examples" in file else None
        return cls(**values, notes=notes, log=log, examples=Examples(**shown) if shown else None)


def _store(file: Any, name: str, value: Any) -> None:
    if isinstance(value, Examples):
        value = {item.name: getattr(value, item.name) for item in fields(value)}
    if isinstance(value, dict):
        for key, column in value.items():
            file[f"{name}/{key}"] = column
    elif name == "notes":
        file.attrs[name] = json.dumps([one.plain for one in value])
    elif isinstance(value, np.ndarray):
        file.create_dataset(name, data=value, compression="gzip" if value.size else None)
    elif value is not None:
        file.attrs[name] = value
