"""Geometry of a data set of patterns in an HDF5 file of any layout, in m, eV and pixel.

Distance and pixel size come from the detector whose data are read, the photon energy from the beam of the same entry,
and what a file without such groups knows from attributes and data sets beside the patterns, up to the root. Units are
read from the attribute ``units`` of a data set, ``NAME_units`` beside an attribute, the end of a name (``_mm``) or the
text of a value ("580 mm"). Without one the unit that the format prescribes holds, if the value is possible in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import BEAM_CENTRE, DISTANCE, PHOTON_ENERGY, PIXEL_SIZE, UserError
from spi_lightning.io.hdf5_choice import shape_of_frames, there
from spi_lightning.io.hdf5_groups import Named, surroundings
from spi_lightning.io.hdf5_storage import whole
from spi_lightning.io.units import SI, Kind, factor, named_unit, text
from spi_lightning.physics.constants import ELEMENTARY_CHARGE, wavelength_from_energy

Geometry = dict[str, "float | NDArray[Any]"]

_UNIT_AT_END: Final = re.compile(r"_(m|cm|mm|um|nm|ev|kev|j|a|angstroms?)$", re.IGNORECASE)
_NUMBER_AND_UNIT: Final = re.compile(r"\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*(\S*)\s*$")
_X_PIXEL, _Y_PIXEL, _WAVELENGTH = "x_pixel_size", "y_pixel_size", "wavelength"
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    DISTANCE: ("distance", "detector_distance", "sample_detector_distance", "sample_to_detector_distance",
               "detector_sample_distance", "camera_length"),
    PIXEL_SIZE: ("pixel_size", "pixelsize", "detector_pixel_size"),
    _X_PIXEL: ("x_pixel_size", "pixel_size_x", "x_pixelsize"),
    _Y_PIXEL: ("y_pixel_size", "pixel_size_y", "y_pixelsize"),
    PHOTON_ENERGY: ("photon_energy", "incident_energy", "incident_photon_energy", "xray_energy", "energy"),
    _WAVELENGTH: ("wavelength", "incident_wavelength", "photon_wavelength", "xray_wavelength", "lambda"),
    BEAM_CENTRE: ("beam_center_row_col", "beam_centre_row_col", "beam_centre", "beam_center"),
}  # fmt: skip
_KINDS: Final[dict[str, Kind]] = {PHOTON_ENERGY: "energy"}  # all others are lengths
# what a value without a unit may be, in m or eV, and in which units it is tried, the prescribed one first
_POSSIBLE: Final[dict[str, tuple[float, float]]] = {
    DISTANCE: (1e-3, 100.0),
    PIXEL_SIZE: (1e-7, 0.02),
    _X_PIXEL: (1e-7, 0.02),
    _Y_PIXEL: (1e-7, 0.02),
    PHOTON_ENERGY: (20.0, 3e5),
    _WAVELENGTH: (4e-12, 7e-8),
}
_SURE: Final[dict[Kind, tuple[float, float]]] = {
    "length": (1e-12, 1e4),
    "energy": (0.1, 1e9),
    "angle": (-np.inf, np.inf),
}
_TRIED: Final[dict[str, tuple[str, ...]]] = {PHOTON_ENERGY: ("eV", "keV", "J"), _WAVELENGTH: ("m", "angstrom")}
_EQUAL: Final = 1e-3
_AGREE: Final = 0.02  # of an energy and a wavelength beside it


@dataclass(frozen=True)
class Value:
    """A quantity as a file has it.

    Attributes:
        where: File and name, for messages.
        stored: Number, array or text.
        unit: Unit that the file names; empty if none.
        prescribed: Unit that the format prescribes where the file names none; empty if it prescribes none.
    """

    where: str
    stored: Any
    unit: str = ""
    prescribed: str = ""


@dataclass
class FileGeometry:
    """Geometry of patterns (N, H, W): name -> one number or (N,), m or eV; beam_centre (2,) or (N, 2), pixel.

    Attributes:
        values: distance, pixel_size, photon_energy, beam_centre, where known.
        notes: One line for each value that was not usable or whose unit had to be found out.
    """

    values: Geometry = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_geometry(
    file: h5py.File, key: str, labels: h5py.Group | None = None, known: Collection[str] = (), square: bool = True
) -> FileGeometry:
    """Geometry of the patterns in a data set.

    Args:
        file: Open file.
        key: Name of the data set.
        labels: Group with one value a pattern, if the file has one.
        known: Quantities that the caller has from elsewhere; those of the file are not looked at.
        square: Whether pixels must be square; else ``pixel_size`` is their edge along x, and ``y_pixel_size`` that
            along y where it is another one.

    Raises:
        UserError: A value that no setup has: not positive or not a number; a unit that is not known, or one of another
            kind of quantity; pixels that are not square.
    """
    around, item = surroundings(file, key), file[key]
    own, shape = [(key, item)], shape_of_frames(item.shape)
    beside: list[Named] = [("labels", labels)] if labels is not None else []
    # attributes and data sets of the root describe one detector; of two they say nothing
    general = around.general if around.detectors < 2 else []
    places = {
        DISTANCE: own + around.detector + beside + general,
        BEAM_CENTRE: own + around.detector + general,
        PHOTON_ENERGY: own + around.detector + around.beam + beside + around.general,
    }
    places |= dict.fromkeys((PIXEL_SIZE, _X_PIXEL, _Y_PIXEL), places[DISTANCE])
    places[_WAVELENGTH] = places[PHOTON_ENERGY]
    found = FileGeometry()
    look = _Lookup(file, shape, places, found.notes)
    if DISTANCE not in known:
        _keep(found, DISTANCE, look(DISTANCE))
    if PIXEL_SIZE not in known:
        rows, columns = _pixel_edges(look)
        if rows is not None and not np.allclose(rows, columns, rtol=_EQUAL, atol=0):  # type: ignore[arg-type]
            _require_no_square(file, rows, columns, square)
            found.values[_Y_PIXEL] = rows
        _keep(found, PIXEL_SIZE, columns)
    if PHOTON_ENERGY not in known:
        _keep(found, PHOTON_ENERGY, _energy(look))
    if BEAM_CENTRE not in known:
        _keep(found, BEAM_CENTRE, look.centre())
    return found


def _keep(found: FileGeometry, name: str, value: float | NDArray[np.float64] | None) -> None:
    if value is not None:
        found.values[name] = value


@dataclass
class _Lookup:
    """Looks a quantity up in groups, nearest first."""

    file: h5py.File
    shape: tuple[int, int, int]
    places: dict[str, list[Named]]
    notes: list[str]

    def __call__(self, name: str) -> float | NDArray[np.float64] | None:
        """In m or eV: one number, or one for each pattern; None where no usable value is found."""
        for place, group in self.places[name]:
            for value in _values(place, group, name):
                converted = in_si(value, name, self.shape[0], self.notes.append)
                if converted is not None:
                    return converted
        return None

    def centre(self) -> NDArray[np.float64] | None:
        """Row, column where the beam meets the detector, (2,) or (N, 2); None where none is, which is noted.

        Whether it lies inside the frames is checked where files of all formats pass, see stated_centre.py.
        """
        for place, group in self.places[BEAM_CENTRE]:
            for value in _values(place, group, BEAM_CENTRE):
                numbers = _numbers(value.stored)
                if numbers is None or numbers.shape not in ((2,), (self.shape[0], 2)):
                    self.notes.append(f"{value.where} is not used: row and column are two numbers")
                else:
                    return numbers
        return None


def _values(place: str, group: h5py.Group | h5py.Dataset, name: str) -> Iterator[Value]:
    """What a group or data set holds under the names of a quantity: data sets first, then attributes."""
    own = group.name.strip("/")
    here = f"{group.file.filename}: {own}".rstrip(": ")
    inside = f"{group.file.filename}: {own}/" if own else f"{group.file.filename}: "
    if isinstance(group, h5py.Group):
        for inner in _named(group, name):
            item = there(group, inner)
            if isinstance(item, h5py.Dataset) and item.size != 0 and item.size is not None and item.size < 1 << 24:
                unit = named_unit(item) or _end(inner)
                if _is_meant(inner, name, place, unit):
                    yield Value(
                        inside + inner,
                        whole(item)[()],
                        unit,
                        _prescribed(place, inner, name),
                    )
            elif isinstance(item, h5py.Dataset) or item is None:  # without a value, or a link to nothing
                yield Value(inside + inner, np.array([]))
    for inner in _named(group.attrs, name):
        beside = (f"{inner}_units", f"{inner}_unit", f"{inner}.units")
        unit = next((text(group.attrs[one]).strip() for one in beside if one in group.attrs), "") or _end(inner)
        if _is_meant(inner, name, place, unit):
            yield Value(f"{here} attribute {inner}", group.attrs[inner], unit, _prescribed(place, inner, name))


def _named(names: Collection[str], name: str) -> list[str]:
    """Those of ``names`` that mean a quantity, whatever their case, sign of a space and unit at the end."""
    plain = {one: _UNIT_AT_END.sub("", re.sub(r"[\s-]+", "_", one)).lower() for one in names}
    return [one for usual in _NAMES[name] for one, known in plain.items() if known == usual]


def _end(name: str) -> str:
    """Unit at the end of a name."""
    found = _UNIT_AT_END.search(name)
    return found[1] if found else ""


def _is_meant(inner: str, name: str, place: str, unit: str) -> bool:
    """Whether ``energy`` is that of the photons, and not that of a pulse or a storage ring."""
    plain = _UNIT_AT_END.sub("", inner).lower() == "energy"
    beam = re.search(r"(source_\d+|monochromator|beam|metadata|positioners)$", place, re.IGNORECASE)
    return name != PHOTON_ENERGY or not plain or bool(beam) or unit.lower() in ("ev", "kev")


def _prescribed(place: str, inner: str, name: str) -> str:
    """Unit that a format prescribes: joule in CXI's sources, angstrom for wavelengths in NeXus."""
    if name == PHOTON_ENERGY and re.search(r"source_\d+$", place):
        return "J"
    return "angstrom" if name == _WAVELENGTH and inner == "incident_wavelength" else ""


def in_si(value: Value, name: str, patterns: int, note: Callable[[str], None]) -> float | NDArray[np.float64] | None:
    """A quantity in m or eV: one number, or (patterns,) where they differ; None, with a note, where it is unusable.

    Args:
        value: As stored.
        name: distance, pixel_size, x_pixel_size, y_pixel_size, photon_energy or wavelength.
        patterns: Number of patterns.
        note: Takes a line for the user.

    Raises:
        UserError: A value that is not positive, not a number or beyond all setups; a unit of another kind.
    """
    kind, stored, unit = _KINDS.get(name, "length"), value.stored, value.unit
    if spelled := _spelled(stored):
        match = _NUMBER_AND_UNIT.match(spelled)
        if match is None:
            note(f"{value.where} = {spelled!r} is no number and is not used as {name}")
            return None
        stored, unit = float(match[1]), match[2] or unit
    numbers = _numbers(stored)
    if numbers is None or numbers.size == 0:
        note(f"{value.where} is empty or no number and is not used as {name}")
        return None
    numbers = numbers.reshape(-1)
    bad = ~(np.isfinite(numbers) & (numbers > 0))
    if bad.any():
        also = f", as in {int(bad.sum())} of {len(numbers)} values" if len(numbers) > 1 else ""
        raise UserError(
            f"{value.where} = {numbers[bad][0]:g}{also}: a {name.replace('_', ' ')} must be positive; "
            "correct it, or remove it, in a copy of the file"
        )
    if unit:
        numbers = numbers * factor(unit, kind, value.where)
        low, high = _SURE[kind]
        if not (low <= numbers.min() and numbers.max() <= high):
            raise UserError(
                f"{value.where} is {numbers[0]:g} {SI[kind]} in its unit {unit!r}, which cannot be; correct it in "
                "a copy of the file"
            )
    else:
        fitting = _without_unit(numbers, value, name, kind, note)
        if fitting is None:
            return None
        numbers = fitting
    if np.ptp(numbers) <= 1e-9 * numbers[0]:
        return float(numbers[0])
    if len(numbers) == patterns:
        return numbers
    if name == PIXEL_SIZE and len(numbers) == 2:
        return numbers  # along rows and columns; _square compares them
    note(f"{value.where} holds {len(numbers)} different values for {patterns} patterns and is not used as {name}")
    return None


def _without_unit(
    numbers: NDArray[np.float64], value: Value, name: str, kind: Kind, note: Callable[[str], None]
) -> NDArray[np.float64] | None:
    """Numbers in m or eV in the first unit in which they are possible; None, with a note, where there is none."""
    usual = value.prescribed or _TRIED.get(name, ("m",))[0]
    low, high = _POSSIBLE[name]
    for unit in dict.fromkeys((usual, *_TRIED.get(name, ()))):
        scaled = numbers * (1 / ELEMENTARY_CHARGE if unit == "J" else factor(unit, kind, value.where))
        if low <= scaled.min() and scaled.max() <= high:
            if unit != usual:
                note(f"{value.where} = {numbers[0]:g} has no unit; it is taken in {unit}, in {usual} it cannot be")
            return scaled
    note(f"{value.where} = {numbers[0]:g} has no unit and cannot be in {usual}; it is not used as {name}")
    return None


_Edge = float | NDArray[np.float64] | None


def _pixel_edges(look: _Lookup) -> tuple[_Edge, _Edge]:
    """Edges of the pixels along y and x; along x alone where only one is known."""
    rows, columns = look(_Y_PIXEL), look(_X_PIXEL)
    if rows is None or columns is None:
        single = look(PIXEL_SIZE) if rows is None and columns is None else None
        if isinstance(single, np.ndarray) and len(single) == 2 and look.shape[0] != 2:
            return float(single[0]), float(single[1])
        return None, next((edge for edge in (columns, rows, single) if edge is not None), None)
    return rows, columns


def _require_no_square(file: h5py.File, rows: _Edge, columns: _Edge, square: bool) -> None:
    """Raise UserError for pixels that differ where they must be square."""
    if square:
        down, across = (float(np.ravel(np.asarray(edge))[0]) * 1e6 for edge in (rows, columns))
        raise UserError(
            f"{file.filename}: pixels of {down:g} um along y and {across:g} um along x; only square pixels are "
            "supported; bin the data to square pixels"
        )


def _energy(look: _Lookup) -> float | NDArray[np.float64] | None:
    """Photon energy, eV, else that of the wavelength; a note where both are there and contradict each other."""
    energy, wavelength = look(PHOTON_ENERGY), look(_WAVELENGTH)
    if wavelength is None:
        return energy
    from_wavelength = wavelength_from_energy(wavelength)  # type: ignore[arg-type]
    if energy is None:
        return from_wavelength
    used, other = float(np.mean(energy)), float(np.mean(from_wavelength))
    if abs(used / other - 1) > _AGREE:
        look.notes.append(
            f"WARNING: {look.file.filename}: the photon energy of {used:.5g} eV is used; a wavelength beside it says "
            f"{other:.5g} eV"
        )
    return energy


def _spelled(stored: Any) -> str | None:
    """Text of a value that is one; None for numbers and for nothing at all."""
    if isinstance(stored, h5py.Empty):
        return None
    array = np.asarray(stored, dtype=object) if isinstance(stored, str | bytes) else np.asarray(stored)
    if array.dtype.kind in "OSU" and array.size == 1:
        return text(array).strip()
    return None


def _numbers(stored: Any) -> NDArray[np.float64] | None:
    """A value as float64; None where it is no number."""
    if isinstance(stored, h5py.Empty):
        return None
    array = np.asarray(stored)
    return array.astype(np.float64) if array.dtype.kind in "iuf" else None
