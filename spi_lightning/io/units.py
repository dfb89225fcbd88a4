"""Units of lengths, photon energies and angles in files, and their conversion to m, eV and degree.

A value without a unit is in the unit that its format prescribes, which the caller names.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

import h5py
import numpy as np

from spi_lightning.errors import UserError
from spi_lightning.notes import Note
from spi_lightning.physics.constants import ELEMENTARY_CHARGE

Kind = Literal["length", "energy", "angle"]

_LENGTHS: Final = {
    **dict.fromkeys(("m", "metre", "metres", "meter", "meters"), 1.0),
    **dict.fromkeys(("cm", "centimetre", "centimetres", "centimeter", "centimeters"), 1e-2),
    **dict.fromkeys(("mm", "millimetre", "millimetres", "millimeter", "millimeters"), 1e-3),
    **dict.fromkeys(
        ("um", "µm", "μm", "micron", "microns", "micrometre", "micrometres", "micrometer", "micrometers"), 1e-6
    ),
    **dict.fromkeys(("nm", "nanometre", "nanometres", "nanometer", "nanometers"), 1e-9),
    **dict.fromkeys(("pm", "picometre", "picometres", "picometer", "picometers"), 1e-12),
    **dict.fromkeys(("a", "å", "Å".lower(), "ang", "angstrom", "angstroms", "ångström", "angström"), 1e-10),
}
_ENERGIES: Final = {
    **dict.fromkeys(("ev", "electronvolt", "electronvolts", "electron volt", "electron volts"), 1.0),
    **dict.fromkeys(("kev", "kiloelectronvolt", "kiloelectronvolts", "kilo electron volt", "kilo electron volts"), 1e3),
    **dict.fromkeys(("mev",), 1e6),
    **dict.fromkeys(("j", "joule", "joules"), 1 / ELEMENTARY_CHARGE),
}
_DEGREE: Final = 180 / np.pi
_ANGLES: Final = {
    **dict.fromkeys(("deg", "degree", "degrees", "°", "º", "degs"), 1.0),
    **dict.fromkeys(("rad", "rads", "radian", "radians"), _DEGREE),
    **dict.fromkeys(("mrad", "mrads", "milliradian", "milliradians"), 1e-3 * _DEGREE),
    **dict.fromkeys(("urad", "µrad", "μrad", "microradian", "microradians"), 1e-6 * _DEGREE),
    **dict.fromkeys(("mdeg", "millidegree", "millidegrees"), 1e-3),
    **dict.fromkeys(
        ("arcmin", "arcmins", "arcminute", "arcminutes", "arc minute", "arc minutes", "arc min", "minutes of arc"),
        1 / 60,
    ),
    **dict.fromkeys(
        ("arcsec", "arcsecs", "arcsecond", "arcseconds", "arc second", "arc seconds", "arc sec", "seconds of arc"),
        1 / 3600,
    ),
    **dict.fromkeys(("gon", "gons", "gradian", "gradians"), 0.9),
    **dict.fromkeys(("turn", "turns", "rev", "revolution", "revolutions"), 360.0),
}
_NO_UNIT: Final = ("none", "no unit", "nounit", "n/a", "na", "null", "any", "dimensionless", "unknown", "-")
TABLE: Final[dict[Kind, dict[str, float]]] = {"length": _LENGTHS, "energy": _ENERGIES, "angle": _ANGLES}
SI: Final[dict[Kind, str]] = {"length": "m", "energy": "eV", "angle": "degree"}


class UnknownUnitError(UserError):
    """Unknown unit, or a unit of another kind of quantity."""


def factor(unit: str, kind: Kind, where: str, option: str = "") -> float:
    """Factor from a named unit to m, eV or degree.

    Args:
        unit: Name or symbol of the unit; case, surrounding spaces and a final period do not matter.
        kind: Kind of the quantity: length, energy or angle.
        where: File and data set, for the message.
        option: Option that states the quantity instead, for the message.

    Raises:
        UnknownUnitError: The unit is unknown, or of another kind of quantity.
    """
    known = TABLE[kind].get(unit.strip().rstrip(".").replace("_", " ").replace("-", " ").lower())
    if known is None:
        raise UnknownUnitError(
            f"{where}: unit {unit!r} is not known for {'an ' if kind != 'length' else 'a '}{kind}; known are "
            f"{', '.join(_symbols(kind))}; {remedy(option, 'correct the unit')}"
        )
    return known


def remedy(option: str, correction: str = "correct it") -> str:
    """Remedy for an unusable value, as the end of a message: the option that states it, if any, or its correction."""
    return f"{f'give {option}=, or ' if option else ''}{correction} in a copy of the file"


def named_unit(item: h5py.Dataset) -> str:
    """Unit in the attribute ``units`` or ``unit`` of a data set, in upper or lower case; empty if none.

    Text, bytes (also Latin-1) and arrays of one of these are read; words for "no unit" count as empty.
    """
    attributes = {str(name).lower(): name for name in item.attrs}
    for name in ("units", "unit"):
        if name in attributes:
            unit = text(item.attrs[attributes[name]]).strip()
            return "" if unit.lower() in _NO_UNIT else unit
    return ""


def unit_beside(attributes: Mapping[str, Any], name: str) -> str:
    """Unit that an attribute beside that of a name states, as in ``NAME_units``; empty if none."""
    beside = (f"{name}_units", f"{name}_unit", f"{name}.units")
    return next((text(attributes[one]).strip() for one in beside if one in attributes), "")


def unit_of_label(label: str, kind: Kind = "angle") -> str:
    """Unit in brackets at the end of the name of a column or motor, as in `Theta (mrad)`; empty if none."""
    match = re.search(r"[\[(]([^\])]+)[\])]\s*$", label)
    unit = match.group(1).strip() if match else ""
    return unit if unit.lower() in TABLE[kind] else ""


def unknown_unit(label: str) -> list[Note]:
    """Warning about an unknown unit in brackets at the end of a name; empty if none."""
    match = re.search(r"[\[(]\s*([^\W\d]+)\.?\s*[\])]\s*$", label)
    if match is None or any(match[1].lower() in table for table in TABLE.values()):
        return []
    return [Note.warning(f"{match[1]!r} is not a known unit; it is ignored", str(label))]


def text(value: Any) -> str:
    """Text of an HDF5 attribute: str, bytes in UTF-8 or Latin-1, or an array of one of these or of characters."""
    array = np.ravel(np.asarray(value)) if not isinstance(value, h5py.Empty) else np.empty(0, "S1")
    if array.dtype == np.uint8 or (array.dtype.kind in "SU" and array.dtype.itemsize in (1, 4) and len(array) > 1):
        joined = array.tobytes() if array.dtype.kind != "U" else "".join(array).encode()
        return _decoded(joined.rstrip(b"\0"))
    first = array[0] if len(array) else ""
    return _decoded(first if isinstance(first, bytes) else str(first).encode(errors="surrogateescape"))


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _symbols(kind: Kind) -> tuple[str, ...]:
    return {
        "length": ("m", "cm", "mm", "um", "nm", "pm", "angstrom"),
        "energy": ("eV", "keV", "MeV", "J"),
        "angle": ("deg", "rad", "mrad", "urad", "mdeg", "arcmin", "arcsec"),
    }[kind]
