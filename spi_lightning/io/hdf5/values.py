"""Quantities of a geometry as HDF5 files hold them, data sets or attributes, and their conversion to m and eV.

Units are read from the attribute ``units`` of a data set, ``NAME_units`` beside an attribute, the end of a name
(``_mm``) or the text of a value ("580 mm"). Without one the unit that the format prescribes holds, if the value is
possible in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.fields import BEAM_CENTRE, DISTANCE, PHOTON_ENERGY, PIXEL_SIZE
from spi_lightning.io.units import SI, TABLE, Kind, factor, named_unit, remedy, text
from spi_lightning.notes import Note
from spi_lightning.physics.constants import ELEMENTARY_CHARGE

from .choice import there
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
# what a value without a unit may be, in m or eV, and in which units it is tried, the prescribed one first
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
_MEANT: Final[dict[Kind, tuple[str, ...]]] = {"energy": ("keV", "J"), "length": ("mm", "um", "cm")}
_TRIED: Final[dict[str, tuple[str, ...]]] = {PHOTON_ENERGY: ("eV", "keV", "J"), WAVELENGTH: ("m", "angstrom")}


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


def values_of(place: str, group: h5py.Group | h5py.Dataset, name: str) -> Iterator[Value]:
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
    return name != PHOTON_ENERGY or not plain or bool(beam) or TABLE["energy"].get(unit.lower()) in (1.0, 1e3)


def _prescribed(place: str, inner: str, name: str) -> str:
    """Unit that a format prescribes: joule in CXI's sources, angstrom for wavelengths in NeXus."""
    if name == PHOTON_ENERGY and re.search(r"source_\d+$", place):
        return "J"
    return "angstrom" if name == WAVELENGTH and inner == "incident_wavelength" else ""


def in_si(
    value: Value, name: str, patterns: int, note: Callable[[Note], None], option: str = ""
) -> float | NDArray[np.float64] | None:
    """A quantity in m or eV: one number, or (patterns,) where they differ; None, with a note, where it is unusable.

    Args:
        value: As stored.
        name: distance, pixel_size, x_pixel_size, y_pixel_size, photon_energy or wavelength.
        patterns: Number of patterns.
        note: Takes a line for the user.
        option: Option that states the quantity instead.

    Raises:
        UserError: A value that is not positive, not a number or beyond all setups; a unit of another kind.
    """
    kind, (stored, unit) = _KINDS.get(name, "length"), spelled_number(value)
    if isinstance(stored, str) and stored:
        note(Note.of(f"{value.where} = {stored!r} is no number and is not used as {name}"))
        return None
    numbers = numbers_of(stored)
    if numbers is None or numbers.size == 0:
        note(Note.of(f"{value.where} is empty or no number and is not used as {name}"))
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
                f"{value.where} is {numbers[0]:g} {SI[kind]} in its unit {unit!r}, which cannot be; {remedy(option)}"
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
    note(
        Note.of(
            f"{value.where} holds {len(numbers)} different values for {patterns} patterns and is not used as {name}"
        )
    )
    return None


def _without_unit(
    numbers: NDArray[np.float64], value: Value, name: str, kind: Kind, note: Callable[[Note], None]
) -> NDArray[np.float64] | None:
    """Numbers in m or eV in the first unit in which they are possible; None, with a note, where there is none."""
    usual = value.prescribed or _TRIED.get(name, ("m",))[0]
    low, high = POSSIBLE[name]
    for unit in dict.fromkeys((usual, *_TRIED.get(name, ()))):
        scaled = numbers * (1 / ELEMENTARY_CHARGE if unit == "J" else factor(unit, kind, value.where))
        if low <= scaled.min() and scaled.max() <= high:
            if unit != usual:
                taken = f"it is taken in {unit}, in {usual} it cannot be"
                note(Note.of(f"{value.where} = {numbers[0]:g} has no unit; {taken}"))
            return scaled
    note(Note.of(f"{value.where} = {numbers[0]:g} has no unit and cannot be in {usual}; it is not used as {name}"))
    return None


def spelled_number(value: Value) -> tuple[Any, str]:
    """What a value holds, and its unit: of text such as "580 mm" the number, or the text where it is no number."""
    spelled = _spelled(value.stored)
    if not spelled:
        return value.stored, value.unit
    match = _NUMBER_AND_UNIT.match(spelled)
    return (float(match[1]), match[2] or value.unit) if match else (spelled, value.unit)


def require_possible(name: str, value: float) -> None:
    """Raise UserError for a distance, pixel_size or photon_energy (m, eV) of the user that no setup has."""
    low, high = POSSIBLE[name]
    if low <= value <= high:
        return
    kind = _KINDS.get(name, "length")
    likely = [
        f"was it in {unit}? Then give data.geometry.{name}={value * factor(unit, kind, name):g}"
        for unit in _MEANT[kind]
        if low <= value * factor(unit, kind, name) <= high
    ]
    mend = likely[0] if likely else f"give data.geometry.{name}= in {SI[kind]}"
    raise UserError(f"data.geometry.{name}={value:g} {SI[kind]}: {low:g} to {high:g} {SI[kind]} can be; {mend}")


def _spelled(stored: Any) -> str | None:
    """Text of a value that is one; None for numbers and for nothing at all."""
    if isinstance(stored, h5py.Empty):
        return None
    array = np.asarray(stored, dtype=object) if isinstance(stored, str | bytes) else np.asarray(stored)
    if array.dtype.kind in "OSU" and array.size == 1:
        return text(array).strip()
    return None


def numbers_of(stored: Any) -> NDArray[np.float64] | None:
    """A value as float64; None where it is no number."""
    if isinstance(stored, h5py.Empty):
        return None
    array = np.asarray(stored)
    return array.astype(np.float64) if array.dtype.kind in "iuf" else None
