"""Geometry that files of rocking scans state, with the names and units of BraggGeometry."""

from collections.abc import Collection
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.fields import BEAM_CENTRE, BEAM_COLUMN, BEAM_ROW, DISTANCE, PHOTON_ENERGY, PIXEL_SIZE
from spi_lightning.io.hdf5.geometry import read_geometry, read_nexus_beam_centre
from spi_lightning.io.units import Kind, factor, named_unit, unit_of_label, unknown_unit
from spi_lightning.notes import Note

from .layout import ScanLayout
from .motors import STEADY_ANGLE, arm_angles, one_number, pixel_directions, unit_at_the_end
from .spec import SpecScan

_OPTIONS: Final = {
    PHOTON_ENERGY: "data.geometry.photon_energy",
    "wavelength": "data.geometry.photon_energy",
    DISTANCE: "data.geometry.distance",
    **dict.fromkeys((PIXEL_SIZE, "x_pixel_size", "y_pixel_size"), "data.geometry.pixel_size"),
}
_OURS: Final = {PHOTON_ENERGY: "photon_energy", DISTANCE: "distance", PIXEL_SIZE: "pixel_size"}
_SPEC: Final[dict[str, tuple[tuple[str, ...], Kind, str]]] = {
    "delta_deg": (("delta", "del"), "angle", "deg"),
    "gamma_deg": (("gamma", "gam"), "angle", "deg"),
    DISTANCE: (("camdist", "detdist"), "length", "mm"),
    PHOTON_ENERGY: (("energy",), "energy", "keV"),
}
_MAX_KEV: Final = 200  # energies of spec files are in keV up to here, else in eV


def geometry_of_hdf5(
    file: h5py.File, layout: ScanLayout, known: Collection[str] = (), notes: list[Note] | None = None
) -> dict[str, Any]:
    """Geometry of the detector of the counts, in m, eV and degree, from data sets and attributes with their units.

    Args:
        file: HDF5 file opened for reading.
        layout: Groups and data sets of the scan.
        known: Quantities of BraggGeometry that the user states, which are not read.
        notes: List that gets a note for each choice.

    Raises:
        UserError: An unknown unit, text, or an impossible number.
    """
    notes = [] if notes is None else notes
    skipped = [name for name, ours in _OURS.items() if ours in known]
    read = read_geometry(file, layout.keys[0], known=[*skipped, BEAM_CENTRE], square=False, options=_OPTIONS)
    for line in read.unknown.values():
        raise UserError(line)
    notes += read.notes
    values = {_OURS.get(name, "pixel_size_rows"): value for name, value in read.values.items()}
    found: dict[str, Any] = {
        ours: one for ours, value in values.items() if (one := one_number(value, ours, notes)) is not None
    }
    found |= arm_angles(layout, known, notes)
    for ours in ("beam_row", "beam_column"):
        pixel = number_of(file, ours)
        found |= {} if pixel is None else {ours: pixel}
    found |= pixel_directions(layout, notes)
    return _beam_of_nexus(layout, found.get(PIXEL_SIZE), found.get("pixel_size_rows"), notes) | found


def crop_of_hdf5(file: h5py.File) -> tuple[int, int]:
    """Row and column of the full detector at which the stored frames start, pixel; (0, 0) if the file states none."""
    origin = np.ravel(file.attrs.get("crop_origin_frame_row_col", (0, 0, 0)))
    return (int(origin[-2]), int(origin[-1])) if len(origin) == 3 and origin.dtype.kind in "ui" else (0, 0)


def geometry_of_spec(scan: SpecScan, notes: list[Note]) -> dict[str, float]:
    """Detector arm, distance and energy of a spec header of 34-ID-C: degree, mm, keV (or eV, by its magnitude).

    A unit in brackets after the name of a motor takes precedence, and so does a column of the scan over the position at
    the start; a motor that moves is not used, which is added to ``notes``.
    """
    found: dict[str, float] = {}
    for ours, (names, kind, unit) in _SPEC.items():
        name = scan.column_name(*names) or scan.motor_name(*names)
        if name in scan.columns:
            steady = STEADY_ANGLE if kind == "angle" else 0.0
            values = scan.columns[name][np.isfinite(scan.columns[name])]
            value = one_number(values, f"motor {name} of scan {scan.number}", notes, steady) if len(values) else None
        else:
            value = scan.motors[name] if name is not None else None
        if name is not None and value is not None and np.isfinite(value):
            notes += unknown_unit(name)
            by_size = "eV" if kind == "energy" and value > _MAX_KEV else unit
            found[ours] = value * factor(unit_of_label(name, kind) or by_size, kind, f"motor {name}")
    return found


def angles_in_degree(item: h5py.Dataset, name: str) -> NDArray[np.float64]:
    """Angles (frames,) of a data set, degree, by its unit or the end of its name; UserError for an unknown unit."""
    unit = named_unit(item) or unit_at_the_end(name) or "deg"
    if item.dtype.kind not in "uif":
        raise UserError(f"{_where(item)} holds {item.dtype} instead of numbers; name the angles with data.keys.angle=")
    by = factor(unit, "angle", _where(item), "data.geometry.step_deg")
    angles: NDArray[np.float64] = np.ravel(np.asarray(item[()], dtype=np.float64)) * by
    return angles


def number_of(file: h5py.File, name: str) -> float | None:
    """Attribute of the file that is one number; None without it. Raises UserError for text."""
    return one_number(file.attrs[name], f"{file.filename}: {name}", []) if name in file.attrs else None


def _where(item: h5py.Dataset) -> str:
    return f"{item.file.filename}: {item.name}"


def _beam_of_nexus(
    layout: ScanLayout, columns: float | None, rows: float | None, notes: list[Note]
) -> dict[str, float]:
    """Beam centre that NeXus states, pixel, if inside the frames; ``columns`` and ``rows`` are pixel edges, m.

    The direct beam misses a detector on a turned arm: a centre inside its frames was measured with the arm at 0.
    """
    sources = [(group.name.strip("/"), group) for group in layout.detector]
    centre = read_nexus_beam_centre(sources, layout.shape[0], (rows or columns, columns), notes)
    if centre is None or centre.ndim > 1 or not ((centre >= 0) & (centre < layout.shape[1:])).all():
        return {}
    return {BEAM_ROW: float(centre[0]), BEAM_COLUMN: float(centre[1])}
