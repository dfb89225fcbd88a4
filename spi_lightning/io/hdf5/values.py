"""Quantities of a geometry in HDF5 files, as data sets or attributes, and their conversion to m and eV.

Units are read from the attribute ``units`` of a data set, ``NAME_units`` beside an attribute, the end of a name
(``_mm``) or the text of a value ("580 mm"). A value without a unit is in the unit that the format prescribes, if it is
possible in it.
"""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.fields import BEAM_CENTRE, DISTANCE, PHOTON_ENERGY, PIXEL_SIZE
from spi_lightning.io.units import SI, TABLE, Kind, factor, named_unit, remedy, text, unit_beside
from spi_lightning.notes import Note
from spi_lightning.physics.constants import ELEMENTARY_CHARGE

from .links import get_object
from .storage import whole

_UNIT_AT_END: Final = re.compile(r"_(m|cm|mm|um|nm|ev|kev|j|a|angstroms?)$", re.IGNORECASE)
_NUMBER_AND_UNIT: Final = re.compile(r"\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*(\S*)\s*$")
X_PIXEL, Y_PIXEL, WAVELENGTH = "x_pixel_size", "y_pixel_size", "wavelength"
BEAM_ROW, BEAM_COLUMN = "beam_row", "beam_column"
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    DISTANCE: ("distance", "detector_distance", "sample_detector_distance", "sample_to_detector_distance",
               "detector_sample_distance", "camera_length"),
    PIXEL_SIZE: ("pixel_size", "pixelsize", "detector_pixel_size"),
    X_PIXEL: ("x_pixel_size", "pixel_size_x", "x_pixelsize"),
    Y_PIXEL: ("y_pixel_size", "pixel_size_y", "y_pixelsize"),
    PHOTON_ENERGY: ("photon_energy", "incident_energy", "incident_photon_energy", "xray_energy", "energy"),
    WAVELENGTH: ("wavelength", "incident_wavelength", "photon_wavelength", "xray_wavelength", "lambda"),
    BEAM_CENTRE: ("beam_center_row_col", "beam_centre_row_col", "beam_centre", "beam_center"),
    BEAM_ROW: ("beam_center_y", "beam_centre_y", "beam_row"),
    BEAM_COLUMN: ("beam_center_x", "beam_centre_x", "beam_column"),
}  # fmt: skip
_KINDS: Final[dict[str, Kind]] = {PHOTON_ENERGY: "energy"}  # all others are lengths
# range of a value without a unit, m or eV; _TRIED has the units in which it is tried, the prescribed one first
POSSIBLE: Final[dict[str, tuple[float, float]]] = {
    DISTANCE: (1e-3, 100.0),
    PIXEL_SIZE: (1e-7, 0.02),
    X_PIXEL: (1e-7, 0.02),
    Y_PIXEL: (1e-7, 0.02),
    PHOTON_ENERGY: (20.0, 3e5),
    WAVELENGTH: (4e-12, 7e-8),
}
_SURE: Final[dict[Kind, tuple[float, float]]] = {
    "length": (1e-12, 1e4),
    "energy": (0.1, 1e9),
    "angle": (-np.inf, np.inf),
}
_CONFUSED: Final[dict[Kind, tuple[str, ...]]] = {"energy": ("keV", "J"), "length": ("mm", "um", "cm")}
_TRIED: Final[dict[str, tuple[str, ...]]] = {PHOTON_ENERGY: ("eV", "keV", "J"), WAVELENGTH: ("m", "angstrom")}


@dataclass(frozen=True)
class Value:
    """Stored value of a quantity.

    Attributes:
        where: File and name of the value, for messages.
        stored: Number, array (any shape) or text as stored.
        unit: Unit that the file names; empty if none.
        prescribed: Unit that the format prescribes where the file names none; empty if it prescribes none.
    """

    where: str
    stored: Any
    unit: str = ""
    prescribed: str = ""


def values_of(source: str, group: h5py.Group | h5py.Dataset, name: str) -> Iterator[Value]:
    """Values of a quantity in a group or data set, by its usual names: data sets first, then attributes."""
    own = group.name.strip("/")
    here = f"{group.file.filename}: {own}".rstrip(": ")
    inside = f"{group.file.filename}: {own}/" if own else f"{group.file.filename}: "
    if isinstance(group, h5py.Group):
        for inner in _named(group, name):
            item = get_object(group, inner)
            if isinstance(item, h5py.Dataset) and item.size != 0 and item.size is not None and item.size < 1 << 24:
                unit = named_unit(item) or _end(inner)
                if _is_of_photons(inner, name, source, unit):
                    yield Value(inside + inner, whole(item)[()], unit, _prescribed(source, inner, name))
            elif isinstance(item, h5py.Dataset) or item is None:  # without a value, or a broken link
                yield Value(inside + inner, np.array([]))
    for inner in _named(group.attrs, name):
        unit = unit_beside(group.attrs, inner) or _end(inner)
        if _is_of_photons(inner, name, source, unit):
            yield Value(f"{here} attribute {inner}", group.attrs[inner], unit, _prescribed(source, inner, name))


def energies_passed_over(source: str, group: h5py.Group | h5py.Dataset) -> Iterator[str]:
    """Words for each number named ``energy`` that is not taken for that of the photons, whose units it lacks."""
    items = (
        {name: get_object(group, name) for name in _named(group, PHOTON_ENERGY)}
        if isinstance(group, h5py.Group)
        else {}
    )
    for inner, item in items.items():
        if not isinstance(item, h5py.Dataset) or item.size != 1 or item.dtype.kind not in "uif":
            continue
        unit = named_unit(item) or _end(inner)
        if not _is_of_photons(inner, PHOTON_ENERGY, source, unit):
            stated = f"its unit {unit!r} is neither eV nor keV" if unit else "it has no unit"
            number = float(np.ravel(item[()])[0])
            yield f"{group.file.filename}: {item.name} = {number:g} is not read as the photon energy: {stated}"


def _named(names: Collection[str], name: str) -> list[str]:
    """Those of ``names`` that mean a quantity, whatever their case, word separator and unit at the end."""
    plain = {one: _UNIT_AT_END.sub("", re.sub(r"[\s-]+", "_", one)).lower() for one in names}
    return [one for usual in _NAMES[name] for one, known in plain.items() if known == usual]


def _end(name: str) -> str:
    """Unit at the end of a name; empty if none."""
    found = _UNIT_AT_END.search(name)
    return found[1] if found else ""


def _is_of_photons(inner: str, name: str, source: str, unit: str) -> bool:
    """Whether a value named ``energy`` is that of the photons, not of a pulse or a storage ring; True for others."""
    plain = _UNIT_AT_END.sub("", inner).lower() == "energy"
    beam = re.search(r"(source_\d+|monochromator|beam|metadata|positioners)$", source, re.IGNORECASE)
    return name != PHOTON_ENERGY or not plain or bool(beam) or TABLE["energy"].get(unit.lower()) in (1.0, 1e3)


def _prescribed(source: str, inner: str, name: str) -> str:
    """Unit that a format prescribes: joule in CXI's sources, angstrom for wavelengths in NeXus; else empty."""
    if name == PHOTON_ENERGY and re.search(r"source_\d+$", source):
        return "J"
    return "angstrom" if name == WAVELENGTH and inner == "incident_wavelength" else ""


def in_si(
    value: Value, name: str, patterns: int, note: Callable[[Note], None], option: str = ""
) -> float | NDArray[np.float64] | None:
    """Quantity in m or eV: one number, or (patterns,) where it varies; None, with a note, where it is unusable.

    Args:
        value: Value and unit as stored.
        name: distance, pixel_size, x_pixel_size, y_pixel_size, photon_energy or wavelength.
        patterns: Number of patterns in the file.
        note: Function that records a line for the user.
        option: Option that states the quantity instead, for messages.

    Raises:
        UserError: A value that is not positive, not a number or impossible; a unit of another kind of quantity.
    """
    kind, (stored, unit) = _KINDS.get(name, "length"), spelled_number(value)
    if isinstance(stored, str) and stored:
        note(Note.of(f"{value.where} = {stored!r} is not a number and is not used as {name}"))
        return None
    numbers = numbers_of(stored)
    if numbers is None or numbers.size == 0:
        note(Note.of(f"{value.where} is empty or not a number and is not used as {name}"))
        return None
    numbers = numbers.reshape(-1)
    bad = ~(np.isfinite(numbers) & (numbers > 0))
    if bad.any():
        also = f", as in {int(bad.sum())} of {len(numbers)} values" if len(numbers) > 1 else ""
        raise UserError(
            f"{value.where} = {numbers[bad][0]:g}{also}: a {name.replace('_', ' ')} must be positive; "
            f"{remedy(option, 'correct it, or remove it,')}"
        )
    if unit:
        numbers = numbers * factor(unit, kind, value.where, option)
        low, high = _SURE[kind]
        if not (low <= numbers.min() and numbers.max() <= high):
            raise UserError(
                f"{value.where} is {numbers[0]:g} {SI[kind]} in its unit {unit!r}, which is "
                f"impossible; {remedy(option)}"
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
        return numbers  # along y and x
    note(
        Note.of(
            f"{value.where} holds {len(numbers)} different values for {patterns} patterns and is not used as {name}"
        )
    )
    return None


def _without_unit(
    numbers: NDArray[np.float64], value: Value, name: str, kind: Kind, note: Callable[[Note], None]
) -> NDArray[np.float64] | None:
    """Numbers in m or eV by the first unit in which they are possible; None, with a note, if there is none."""
    usual = value.prescribed or _TRIED.get(name, ("m",))[0]
    low, high = POSSIBLE[name]
    for unit in dict.fromkeys((usual, *_TRIED.get(name, ()))):
        scaled = numbers * (1 / ELEMENTARY_CHARGE if unit == "J" else factor(unit, kind, value.where))
        if low <= scaled.min() and scaled.max() <= high:
            if unit != usual:
                taken = f"it is taken in {unit}, in {usual} it is impossible"
                note(Note.of(f"{value.where} = {numbers[0]:g} has no unit; {taken}"))
            return scaled
    note(Note.of(f"{value.where} = {numbers[0]:g} has no unit and is impossible in {usual}; it is not used as {name}"))
    return None


def spelled_number(value: Value) -> tuple[Any, str]:
    """Stored number and unit of a value; text such as "580 mm" is split, and returned as it is if not a number."""
    spelled = _spelled(value.stored)
    if not spelled:
        return value.stored, value.unit
    match = _NUMBER_AND_UNIT.match(spelled)
    return (float(match[1]), match[2] or value.unit) if match else (spelled, value.unit)


def require_possible(name: str, value: float) -> None:
    """Raise UserError for a distance, pixel_size (m) or photon_energy (eV) of the user that is impossible."""
    low, high = POSSIBLE[name]
    if low <= value <= high:
        return
    kind = _KINDS.get(name, "length")
    likely = [
        f"was it in {unit}? Then give data.geometry.{name}={value * factor(unit, kind, name):g}"
        for unit in _CONFUSED[kind]
        if low <= value * factor(unit, kind, name) <= high
    ]
    hint = likely[0] if likely else f"give data.geometry.{name}= in {SI[kind]}"
    raise UserError(f"data.geometry.{name}={value:g} {SI[kind]}: {low:g} to {high:g} {SI[kind]} is possible; {hint}")


def _spelled(stored: Any) -> str | None:
    """Text of a value that is a single text; None for numbers and empty values."""
    if isinstance(stored, h5py.Empty):
        return None
    array = np.asarray(stored, dtype=object) if isinstance(stored, str | bytes) else np.asarray(stored)
    if array.dtype.kind in "OSU" and array.size == 1:
        return text(array).strip()
    return None


def numbers_of(stored: Any) -> NDArray[np.float64] | None:
    """Value as float64 array of its shape; None if it is not numeric."""
    if isinstance(stored, h5py.Empty):
        return None
    array = np.asarray(stored)
    return array.astype(np.float64) if array.dtype.kind in "iuf" else None
