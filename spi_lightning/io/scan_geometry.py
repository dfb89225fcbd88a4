"""What files of rocking scans say about the geometry, under BraggGeometry's names and in its units."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import UserError
from spi_lightning.io.scan_layout import ScanLayout, groups
from spi_lightning.io.spec import SpecScan
from spi_lightning.io.units import TABLE, Kind, factor, named_unit, text
from spi_lightning.physics.constants import wavelength_from_energy


@dataclass(frozen=True)
class _Quantity:
    """A number of BraggGeometry: its kind, the unit where a file names none, and its names in files."""

    kind: Kind
    unit: str
    names: tuple[str, ...]


_DETECTOR: Final = {
    "distance": _Quantity("length", "m", ("distance", "detector_distance", "sample_detector_distance")),
    "pixel_size": _Quantity("length", "m", ("x_pixel_size", "pixel_size", "pixel_size_x")),
    "pixel_size_rows": _Quantity("length", "m", ("y_pixel_size", "pixel_size_y")),
}
_BEAM: Final = {
    "energy_ev": _Quantity("energy", "", ("photon_energy", "incident_energy", "energy", "xray_energy")),
    "wavelength": _Quantity("length", "", ("incident_wavelength", "wavelength")),
}
_ARM: Final = {
    "delta_deg": _Quantity("angle", "deg", ("delta", "del")),
    "gamma_deg": _Quantity("angle", "deg", ("gamma", "gam")),
}
_ALL: Final = _DETECTOR | _BEAM | _ARM
_PIXELS: Final = {
    "beam_row": ("beam_row", "beam_center_y"),
    "beam_column": ("beam_column", "beam_center_x"),
}
_POSITION: Final = ("value", "position", "data")  # of a motor that has a group of its own
_BEAM_GROUPS: Final = ("beam", "monochromator", "positioners")
_MOST_KEV: Final = 200  # photon energies without a unit are in keV up to here, else in eV
_STEADY: Final = 1e-4  # relative change of a motor that is taken as standing still


def geometry_of_hdf5(
    file: h5py.File, layout: ScanLayout, given: Collection[str] = (), notes: list[str] | None = None
) -> dict[str, float]:
    """Geometry of the detector that counted, in m, eV and degree, from data sets and attributes with their units.

    Args:
        file: HDF5 file.
        layout: Which of its groups belong to the counts.
        given: Quantities that the user states, which are not read.
        notes: Takes what was chosen.

    Raises:
        UserError: An unknown unit, text, or NaN.
    """
    found: dict[str, float] = {}
    notes = [] if notes is None else notes
    for quantities, places in (
        (_DETECTOR, _detector_places(layout)),
        (_BEAM, _beam_places(layout)),
        (_ARM, _arm_places(layout)),
        (_ALL, [*_attributes(layout), file]),
    ):
        for place in places:
            for ours, quantity in quantities.items():
                if ours not in found and ours not in given:
                    value = _look_up(place, ours, quantity, layout, notes)
                    found |= {} if value is None else {ours: value}
    wavelength = found.pop("wavelength", None)
    if wavelength:
        found.setdefault("energy_ev", wavelength_from_energy(wavelength))
    if "pixel_size" in given or _alike(found.get("pixel_size_rows"), found.get("pixel_size")):
        found.pop("pixel_size_rows", None)
    if "pixel_size" not in found and "pixel_size_rows" in found:
        found["pixel_size"] = found.pop("pixel_size_rows")
    for ours, names in _PIXELS.items():
        if names[0] in file.attrs:
            found[ours] = float(file.attrs[names[0]])
    return _beam_of_nexus(layout, found.get("pixel_size"), found.get("pixel_size_rows")) | found


def crop_of_hdf5(file: h5py.File) -> tuple[int, int]:
    """Row and column of the detector at which the stored frames begin, (0, 0) where the file does not say."""
    told = np.ravel(file.attrs.get("crop_origin_frame_row_col", (0, 0, 0)))
    return (int(told[-2]), int(told[-1])) if len(told) == 3 and told.dtype.kind in "ui" else (0, 0)


def geometry_of_spec(scan: SpecScan) -> dict[str, float]:
    """Detector arm, distance and energy of a spec header of 34-ID-C: degree, mm, keV (or eV, as its size tells)."""
    motors = {
        "delta_deg": (scan.motor("delta", "del"), 1.0),
        "gamma_deg": (scan.motor("gamma", "gam"), 1.0),
        "distance": (scan.motor("camdist", "detdist"), 1e-3),
    }
    found = {
        name: factor * value for name, (value, factor) in motors.items() if value is not None and np.isfinite(value)
    }
    energy = scan.motor("energy")
    if energy is not None and np.isfinite(energy):
        found["energy_ev"] = energy if energy > _MOST_KEV else 1e3 * energy
    return found


def angles_in_degree(item: h5py.Dataset, name: str) -> NDArray[np.float64]:
    """Angles of a data set, in degree by its unit or the end of its name. Raises UserError for an unknown unit."""
    unit = named_unit(item) or _unit_at_the_end(name, "angle") or "deg"
    angles: NDArray[np.float64] = np.asarray(item[()], dtype=np.float64) * factor(unit, "angle", _where(item))
    return np.ravel(angles)


def _detector_places(layout: ScanLayout) -> list[h5py.Group]:
    return [] if layout.detector is None else [layout.detector]


def _beam_places(layout: ScanLayout) -> list[h5py.Group]:
    """Where the energy of the photons stands; NeXus's `source` has that of the electrons, CXI's has it."""
    names = (*_BEAM_GROUPS, *(("source_1", "source") if layout.cxi else ()))
    places = [
        group[name] for group in layout.instruments() for name in names if isinstance(group.get(name), h5py.Group)
    ]
    places += [
        group for name in ("sample/beam", "sample_1/beam") if isinstance(group := layout.entry.get(name), h5py.Group)
    ]
    if layout.detector is not None and isinstance(layout.detector.get("detectorSpecific"), h5py.Group):
        places.append(layout.detector["detectorSpecific"])
    return [*places, *layout.instruments()]


def _arm_places(layout: ScanLayout) -> list[h5py.Group]:
    inner = [group for each in layout.instruments() for name, group in groups(each) if name in ("positioners", "arm")]
    own = [] if layout.detector is None else [layout.detector, *(group for _, group in groups(layout.detector))]
    return [*own, *layout.instruments(), *inner, layout.beside]


def _attributes(layout: ScanLayout) -> Iterator[h5py.AttributeManager]:
    for item in (layout.counts[0], layout.beside, layout.entry, layout.entry.file):
        yield item.attrs


def _look_up(
    place: Mapping[str, Any], ours: str, quantity: _Quantity, layout: ScanLayout, notes: list[str]
) -> float | None:
    """A quantity in a group or among attributes, in m, eV or degree; None where it is not there."""
    for name in place:
        bare, unit = _parted(str(name), quantity.kind)
        if bare.lower() not in quantity.names:
            continue
        value = place[name] if isinstance(place, h5py.AttributeManager) else place.get(name)
        if isinstance(value, h5py.Group):
            value = next((value[one] for one in _POSITION if isinstance(value.get(one), h5py.Dataset)), None)
        if value is None:
            continue
        where = f"{layout.entry.file.filename}: {name}"
        if isinstance(value, h5py.Dataset):
            where, unit = _where(value), named_unit(value) or unit
        number = _number(value, where, notes)
        if number is not None:
            return number * _factor(number, ours, quantity, unit, where, place, notes)
    return None


def _factor(
    number: float, ours: str, quantity: _Quantity, unit: str, where: str, place: Any, notes: list[str]
) -> float:
    """Factor to m, eV or degree, by the unit, or where there is none by the format or by the number's size."""
    if unit or quantity.unit:
        return factor(unit or quantity.unit, quantity.kind, where)
    if ours == "wavelength":
        return factor("angstrom" if number > 1e-3 else "m", quantity.kind, where)  # NeXus's programs write angstrom
    if isinstance(place, h5py.Group) and place.name.rpartition("/")[2].startswith("source"):
        return factor("J", quantity.kind, where)  # CXI
    if 1 <= abs(number) <= _MOST_KEV:
        notes.append(f"{where} is {number:g} without a unit: taken in keV")
        return factor("keV", quantity.kind, where)
    return factor("eV", quantity.kind, where)


def _number(value: Any, where: str, notes: list[str]) -> float | None:
    """One number of a data set or attribute; None, and a note, where it changes."""
    held = value[()] if isinstance(value, h5py.Dataset) else value
    numbers = np.ravel(np.asarray(held if not isinstance(held, h5py.Empty) else []))
    if numbers.dtype.kind in "SUO":
        try:
            numbers = np.array([float(text(held))])
        except ValueError:
            raise UserError(f"{where} is {text(held)[:40]!r}; a number was expected") from None
    if len(numbers) == 0 or numbers.dtype.kind not in "uif":
        return None
    first, spread = float(numbers[0]), float(np.ptp(numbers))
    if not np.isfinite(numbers).all():
        raise UserError(f"{where} is not a number (NaN or infinite); state the quantity with data.geometry.")
    if spread > _STEADY * max(abs(first), spread * _STEADY):
        notes.append(f"{where} changes from {first:g} to {float(numbers[-1]):g} during the scan and is not taken")
        return None
    return first


def _parted(name: str, kind: Kind) -> tuple[str, str]:
    """A name without the unit at its end, and that unit: detector_distance_mm is detector_distance, mm."""
    unit = _unit_at_the_end(name, kind)
    return (name[: -len(unit) - 1], unit) if unit else (name, "")


def _unit_at_the_end(name: str, kind: Kind) -> str:
    bare, _, unit = name.rpartition("_")
    return unit if bare and unit.lower() in TABLE[kind] else ""


def _where(item: h5py.Dataset) -> str:
    return f"{item.file.filename}: {item.name}"


def _alike(one: float | None, other: float | None) -> bool:
    """Whether two lengths are the same within a thousandth."""
    return one is not None and other is not None and abs(one - other) <= 1e-3 * abs(other)


def _beam_of_nexus(layout: ScanLayout, columns: float | None, rows: float | None) -> dict[str, float]:
    """Pixel at which NeXus says that the direct beam meets a detector, if one of its frames (rows, columns) holds it.

    A detector on an arm that is turned sees no direct beam: what lies on it was found with the arm at 0. NeXus has the
    place as a length; programs write pixels too, which their ``units`` then say, or nothing.
    """
    found: dict[str, float] = {}
    for (ours, (_, key)), n, edge in zip(_PIXELS.items(), layout.shape[1:], (rows or columns, columns), strict=True):
        item = None if layout.detector is None else layout.detector.get(key)
        value = _number(item, _where(item), []) if isinstance(item, h5py.Dataset) else None
        unit = named_unit(item).lower() if isinstance(item, h5py.Dataset) else ""
        if value is not None and unit in TABLE["length"]:
            value = value * factor(unit, "length", key) / edge if edge else None
        if value is None or not 0 <= value < n:
            return {}
        found[ours] = value
    return found
