"""Reader and writer of Dragonfly detector files, HDF5 or ASCII: scattering vector, correction and class of each pixel.

A pixel at (x, y) pixels from the beam, D pixels from the particle, has q = R (x / p, y / p, D / p - 1) voxels with
p = sqrt(x^2 + y^2 + D^2), and the solid angle and polarisation factor corr = D / p^3 * polarisation.
Source: Ayyer et al. (2016), J. Appl. Cryst. 49, 1320, and the detector page of Dragonfly.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.files import atomic_write
from spi_lightning.io.hdf5.file import MAGIC, dataset, opened
from spi_lightning.io.reading import note_read, reads
from spi_lightning.io.units import TABLE, named_unit, text
from spi_lightning.write_errors import new_hdf5

_COLUMNS: Final = ("qx", "qy", "qz", "corr", "mask")
POLARISATIONS: Final = ("none", "x", "y")


@dataclass(frozen=True)
class Detector:
    """Rectangular flat detector.

    Attributes:
        shape: Rows and columns (H, W); columns are the fast axis of the file.
        classes: (H, W) uint8; 0 used, 1 measured but not used for orientation, 2 not measured.
        beam_centre: Row and column of the direct beam, pixel.
        distance: Distance from particle to detector, pixel.
        ewald_radius: Radius R of the Ewald sphere, voxel.
        q: (H, W, 3) scattering vectors ordered qx, qy, qz, voxel.
        correction: (H, W) solid angle and polarisation factor corr, 1 / pixel^2.
    """

    shape: tuple[int, int]
    classes: NDArray[np.uint8]
    beam_centre: tuple[float, float]
    distance: float
    ewald_radius: float
    q: NDArray[np.float64]
    correction: NDArray[np.float64]


def make_detector(
    shape: tuple[int, int],
    distance: float,
    beam_centre: tuple[float, float] | None = None,
    measured: NDArray[np.bool_] | None = None,
    ewald_radius: float | None = None,
    polarisation: str = "none",
) -> Detector:
    """Flat detector perpendicular to the beam.

    Args:
        shape: Rows and columns of the detector, (H, W).
        distance: Distance from particle to detector, pixel: distance (m) / pixel size (m).
        beam_centre: Row and column of the direct beam, pixel; None for the middle, ((H - 1) / 2, (W - 1) / 2).
        measured: (H, W) bool, True = measured.
        ewald_radius: Radius of the Ewald sphere, voxel; None for `distance`, one voxel per pixel at the centre.
        polarisation: Axis of linear polarisation, x (columns) or y (rows), or none.

    Raises:
        UserError: Unknown polarisation.
    """
    if polarisation not in POLARISATIONS:
        raise UserError(f"polarisation={polarisation} is unknown; choose one of {', '.join(POLARISATIONS)}")
    centre = beam_centre or ((shape[0] - 1) / 2, (shape[1] - 1) / 2)
    radius = distance if ewald_radius is None else ewald_radius
    y, x = np.meshgrid(*(np.arange(n) - c for n, c in zip(shape, centre, strict=True)), indexing="ij")
    p = np.sqrt(x**2 + y**2 + distance**2)
    correction = distance / p**3
    if polarisation != "none":
        correction *= 1 - ((x if polarisation == "x" else y) / p) ** 2
    q = radius * np.stack([x / p, y / p, distance / p - 1], axis=-1)
    classes = np.zeros(shape, np.uint8) if measured is None else np.where(measured, 0, 2).astype(np.uint8)
    return Detector(shape, classes, centre, distance, radius, q, correction)


def write_detector(path: str | os.PathLike[str], detector: Detector) -> None:
    """Write a detector file: HDF5 for the suffix .h5, else ASCII. Raises UserError if it cannot be written."""
    flat = [*detector.q.reshape(-1, 3).T, detector.correction.ravel(), detector.classes.ravel()]
    with atomic_write(Path(path)) as temporary:
        if Path(path).suffix == ".h5":
            with new_hdf5(temporary) as file:
                for name, values in zip(_COLUMNS, flat, strict=True):
                    file[name] = values
                file["detd"], file["ewald_rad"] = detector.distance, detector.ewald_radius
        else:
            header = f"{detector.classes.size} {detector.distance:.17g} {detector.ewald_radius:.17g}"
            form = ["%.17g"] * 4 + ["%d"]
            np.savetxt(temporary, np.stack(flat, axis=1), fmt=form, header=header, comments="")


@reads("a mask")
def is_detector(path: Path) -> bool:
    """Whether a file is a Dragonfly detector: HDF5 with qx and corr, or a text header before rows of five numbers."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(MAGIC):
        with opened(path) as hdf5:
            return "qx" in hdf5 and "corr" in hdf5
    lines = head.split(b"\n")
    return len(lines) > 2 and len(lines[0].split()) in (1, 3) and len(lines[1].split()) == 5


@reads("a Dragonfly detector")
def read_detector(path: str | os.PathLike[str]) -> Detector:
    """Read a detector file in HDF5 or ASCII.

    Raises:
        UserError: The file cannot be read, lacks a column or its distance, or its pixels are not a full rectangle; an
            impossible distance or Ewald radius, or one in another unit than pixels.
    """
    path = Path(path)
    note_read(path)
    with path.open("rb") as file:
        hdf5 = file.read(8) == MAGIC
    columns, distance, radius = _read_hdf5(path) if hdf5 else _read_ascii(path)
    for name, value, unit in (("distance", distance, "pixel"), ("Ewald radius", radius, "voxel")):
        if not (np.isfinite(value) and value > 0):
            raise UserError(f"{path}: the {name} is {value:g} {unit}, which is impossible; correct the detector file")
    _require_numbers(columns, path)
    qx, qy, qz = (columns[name].astype(np.float64).ravel() for name in ("qx", "qy", "qz"))
    x, y = (q * distance / (radius + qz) for q in (qx, qy))
    shape, centre = _rectangle(x, y, path)
    return Detector(
        shape,
        columns["mask"].astype(np.uint8).reshape(shape),
        centre,
        distance,
        radius,
        np.stack([qx, qy, qz], axis=-1).reshape(*shape, 3),
        columns["corr"].astype(np.float64).reshape(shape),
    )


def _require_numbers(columns: dict[str, NDArray[Any]], path: Path) -> None:
    """Raise UserError for columns of unequal length, values that are not numbers, and unknown classes of pixels."""
    lengths = {name: columns[name].size for name in _COLUMNS}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{number} {name}" for name, number in lengths.items())
        raise UserError(f"{path}: the detector file is damaged: {listed}, not one of each per pixel; write it again")
    for name, column in columns.items():
        if column.dtype.kind not in "buif" or not np.isfinite(column).all():
            raise UserError(f"{path}: {name} holds values that are not numbers; correct the detector file")
    classes = columns["mask"].astype(np.float64)
    wrong = classes[(classes < 0) | (classes > 255) | (classes != np.rint(classes))]
    if len(wrong):
        raise UserError(
            f"{path}: mask holds {wrong[0]:g}; classes of pixels are 0 (used), 1 (measured) and 2 (not measured); "
            "correct the detector file"
        )


def _read_hdf5(path: Path) -> tuple[dict[str, NDArray[Any]], float, float]:
    """Columns, distance (pixel) and Ewald radius (voxel)."""
    with opened(path) as file:
        columns = {name: np.asarray(dataset(file, name, "data.keys.mask")[()]) for name in _COLUMNS}
        items = [dataset(file, name, "data.keys.mask") for name in ("detd", "ewald_rad")]
        for item in items:
            if named_unit(item).lower() in TABLE["length"]:
                raise UserError(
                    f"{path}: {item.name} is {text(item[()])} {named_unit(item)}, but Dragonfly uses pixels; divide it "
                    "by the pixel size"
                )
        scalars = [float(np.reshape(item[()], -1)[0]) for item in items]
    return columns, scalars[0], scalars[1]


def _read_ascii(path: Path) -> tuple[dict[str, NDArray[Any]], float, float]:
    """Columns, distance (pixel) and Ewald radius (voxel); old files without the last two are refused."""
    with path.open(encoding="utf-8", errors="replace") as file:
        header = file.readline().split()
        if len(header) < 3:
            raise UserError(f"{path}: an old detector file without distance and Ewald radius in line 1; add them")
        rows = np.loadtxt(file, ndmin=2)
        pixels, distance, radius = int(header[0]), float(header[1]), float(header[2])
    if rows.shape != (pixels, len(_COLUMNS)):
        raise UserError(
            f"{path}: line 1 states {pixels} pixels, but {len(rows)} rows follow; the file is truncated: copy it again"
        )
    return dict(zip(_COLUMNS, rows.T, strict=True)), distance, radius


def _rectangle(
    x: NDArray[np.float64], y: NDArray[np.float64], path: Path
) -> tuple[tuple[int, int], tuple[float, float]]:
    """Shape (H, W) and beam centre, pixel, of pixels in a full rectangle; x or y may be the fast axis.

    Args:
        x, y: Positions of the pixels relative to the beam, (H * W,), pixel.
        path: Path of the file, for messages.
    """
    index = {name: np.rint(each - each.min()).astype(np.int64) for name, each in (("x", x), ("y", y))}
    for fast, slow, origin in (("x", "y", (-y.min(), -x.min())), ("y", "x", (-x.min(), -y.min()))):
        rows, columns = int(index[slow].max()) + 1, int(index[fast].max()) + 1
        if rows * columns == len(x) and np.array_equal(index[slow] * columns + index[fast], np.arange(len(x))):
            return (rows, columns), (float(origin[0]), float(origin[1]))
    raise UserError(f"{path}: the pixels are not a full rectangle, so patterns are not images; write a detector of one")
