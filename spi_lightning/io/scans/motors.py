"""Motors of a rocking scan in HDF5: the angles of the detector arm, and the rotation axis of the sample.

Positions are stored beside the detector, in groups of motors (``positioners``; ``before_scan`` and
``diffractometer_sample`` at Diamond I16) or in a group of their own with ``value`` and ``units``. Names are those of
34-ID-C: delta rotates about y, gamma about -x. The ``vector`` of a NeXus transformation states its rotation axis in
the same frame (z downstream, y up) and takes precedence over the name.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.io.hdf5.links import get_object, identity
from spi_lightning.io.hdf5.storage import whole
from spi_lightning.io.units import TABLE, factor, named_unit, text, unit_beside
from spi_lightning.notes import Note

from .layout import ScanLayout, groups

ARM: Final = {"delta_deg": ("delta", "del", "kdelta"), "gamma_deg": ("gamma", "gam", "kgamma", "kgam")}
_TURNS: Final = {"y+": ("delta_deg", 1), "y-": ("delta_deg", -1), "x-": ("gamma_deg", 1), "x+": ("gamma_deg", -1)}
_MOTORS: Final = re.compile(
    r"(start_)?positioners(_start)?|arm|motors|before_scan|transformations|(diffracto|gonio)meter\w*|"
    r"geometry|experiment|metadata|param(eter)?s",
    re.IGNORECASE,
)
_POSITION: Final = ("value", "position", "data", "readback")  # of a motor with a group of its own
_STEADY: Final = 1e-4  # largest relative change of a constant number
STEADY_ANGLE: Final = 2e-3  # degree, largest change of an arm at rest
_ALONG: Final = 1e-3  # largest deviation of a unit vector from an axis
_NEAR_ZERO: Final = 1e-2  # degree


def arm_angles(layout: ScanLayout, known: Any, notes: list[Note]) -> dict[str, float]:
    """Angles delta_deg and gamma_deg of the detector arm, degree, without known ones and those that move.

    Args:
        layout: Groups and data sets of the scan.
        known: Angles that the user states, which are not read.
        notes: List that gets a note for each choice.

    Raises:
        UserError: An unknown unit, text, or a number that is not finite.
    """
    found: dict[str, float] = {}
    read: set[str] = set()
    outer: dict[str, str] = {}
    for source in _sources(layout):
        for name in source:
            named = _angle_of(str(name))
            if not named or named in read or named in known:
                continue
            value, unit, where = _position(source, str(name), layout.entry.file)
            if value is None:
                continue
            by = factor(unit or "deg", "angle", where, f"data.geometry.{named}")
            number = one_number(value, where, notes, STEADY_ANGLE / by)
            if number is None:
                read |= {named} if isinstance(value, h5py.Dataset) and value.size > 1 else set()  # it moves
                continue
            read.add(named)
            angle = number * by
            ours, sign = _turned(value, named, where, notes)
            if ours not in found and ours not in known:
                found[ours] = sign * angle
                outer[ours] = _depends_on(value)
                if "before_scan" in where or ours != named or sign < 0:
                    notes.append(Note.of(f"{where} is taken as data.geometry.{ours}={sign * angle:g}"))
    if _in_other_order(outer) and all(abs(angle) > _NEAR_ZERO for angle in found.values()):
        notes.append(
            Note.warning(
                f"delta is mounted on gamma ({outer['delta_deg']}), but gamma on delta is supported only: the angles "
                "of the arm are not used; give data.geometry.delta_deg= and data.geometry.gamma_deg=",
                layout.entry.file.filename,
            )
        )
        return {}
    return found


def rocking_axis(item: h5py.Dataset | None, notes: list[Note]) -> str:
    """Axis of the rocking motor by its ``vector``, as y+; empty, with a warning, if along no axis of the frame."""
    vector = _vector(item)
    if item is None or vector is None:
        return ""
    where = f"{item.file.filename}: {item.name}"
    axis = _along(vector)
    turned = [name for name, value in _below(item) if abs(value) > _NEAR_ZERO]
    if not axis or turned:
        why = f"is mounted on {', '.join(turned)}, not at 0" if turned else f"rotates about {vector.round(3).tolist()}"
        notes.append(Note.warning(f"{where} {why}: y+ is taken as the axis; give data.geometry.rocking_axis="))
        return ""
    return axis


def commanded_motor(layout: ScanLayout) -> h5py.Dataset | None:
    """Positions (frames,) of the motor in the command, as `ascan eta 0 1 100 1` in ``title`` or ``scan_command``."""
    for key in ("title", "scan_command", "command"):
        item = get_object(layout.entry, key)
        words = text(item[()]).split() if isinstance(item, h5py.Dataset) and item.size == 1 else []
        if len(words) < 3 or not re.fullmatch(r"\w*scan|lup", words[0]):
            continue
        parents = [layout.beside, get_object(layout.entry, "measurement"), *layout.instruments()]
        for parent in (each for each in parents if isinstance(each, h5py.Group)):
            motor = get_object(parent, words[1])
            if isinstance(motor, h5py.Group):
                positions = (get_object(motor, one) for one in _POSITION)
                motor = next((one for one in positions if isinstance(one, h5py.Dataset)), None)
            if isinstance(motor, h5py.Dataset) and motor.shape == layout.shape[:1]:
                return motor
    return None


def pixel_directions(layout: ScanLayout, notes: list[Note]) -> dict[str, str]:
    """Directions of increasing row and column with the arm at 0, by NXdetector_module; empty if it states none."""
    found: dict[str, str] = {}
    for ours, name in (("row_direction", "slow_pixel_direction"), ("column_direction", "fast_pixel_direction")):
        item = next((one for group in layout.detector if (one := get_object(group, name)) is not None), None)
        vector = _vector(item)
        if vector is not None and item is not None:
            found[ours] = _along(vector)
            if not found[ours] or found[ours][0] == "z":
                notes.append(
                    Note.warning(
                        f"pixels count along {vector.round(3).tolist()} ({item.name}), "
                        "which is not supported: y- and x+ are taken; give data.geometry.row_direction= and "
                        "data.geometry.column_direction=",
                        item.file.filename,
                    )
                )
                return {}
    return found if len(found) == 2 else {}


def one_number(value: Any, where: str, notes: list[Note], steady: float = 0.0) -> float | None:
    """Constant number of a data set or attribute; None, with a note, if it changes.

    Args:
        value: Data set, or value of an attribute.
        where: Name of the value, for messages.
        notes: List that gets a note if the number changes.
        steady: Largest change due to the noise of an encoder, in the unit of the value.

    Raises:
        UserError: Text, NaN or infinity.
    """
    stored = whole(value)[()] if isinstance(value, h5py.Dataset) else value
    numbers = np.ravel(np.asarray(stored if not isinstance(stored, h5py.Empty) else []))
    if numbers.dtype.kind in "SUO":
        try:
            numbers = np.array([float(text(stored))])
        except ValueError:
            raise UserError(f"{where} is {text(stored)[:40]!r}; a number was expected") from None
    if len(numbers) == 0 or numbers.dtype.kind not in "uif":
        return None
    first, spread = float(numbers[0]), float(np.ptp(numbers))
    if not np.isfinite(numbers).all():
        raise UserError(f"{where} is not a number (NaN or infinite); state the quantity with data.geometry")
    if spread > max(_STEADY * abs(first), steady):
        notes.append(
            Note.of(f"{where} changes from {first:g} to {float(numbers[-1]):g} during the scan and is not used")
        )
        return None
    return first


def unit_at_the_end(name: str) -> str:
    """Unit of an angle at the end of a name, as in delta_mrad; empty if none."""
    bare, _, unit = name.rpartition("_")
    return unit if bare and unit.lower() in TABLE["angle"] else ""


def _angle_of(name: str) -> str:
    """Angle of the arm, delta_deg or gamma_deg, that a name means; empty for other names."""
    unit = unit_at_the_end(name)
    bare = (name[: -len(unit) - 1] if unit else name).lower().rpartition(".")[2]
    return next((ours for ours, names in ARM.items() if bare in names), "")


def _sources(layout: ScanLayout) -> Iterator[h5py.Group | h5py.AttributeManager]:
    """Groups and attributes that may hold angles of the arm, nearest first, each once."""
    inner = [group for each in [*layout.instruments(), layout.entry, layout.entry.file] for name, group in groups(each)
             if _MOTORS.fullmatch(name)]  # fmt: skip
    inner += [group for each in inner for name, group in groups(each) if _MOTORS.fullmatch(name)]
    near = [*layout.detector, *layout.instruments(), *inner, layout.beside, layout.entry, layout.entry.file]
    found = list({identity(group): group for group in near}.values())
    yield from found
    yield layout.counts[0].attrs
    yield from (group.attrs for group in found)


def _position(source: h5py.Group | h5py.AttributeManager, name: str, file: h5py.File) -> tuple[Any, str, str]:
    """Value of a motor in a group or among attributes, its unit, and its full name; None without a value."""
    unit = unit_at_the_end(name)
    if isinstance(source, h5py.AttributeManager):
        return source[name], unit_beside(source, name) or unit, f"{file.filename}: {name}"
    value = get_object(source, name)
    if isinstance(value, h5py.Group):
        group = value
        value = next((group[one] for one in _POSITION if isinstance(get_object(group, one), h5py.Dataset)), None)
        spelled = next((get_object(group, one) for one in ("units", "unit") if one in group), None)
        unit = (text(spelled[()]).strip() if isinstance(spelled, h5py.Dataset) else named_unit(group)) or unit
    if not isinstance(value, h5py.Dataset):
        return None, "", ""
    return value, named_unit(value) or unit, f"{value.file.filename}: {value.name}"


def _turned(value: Any, named: str, where: str, notes: list[Note]) -> tuple[str, int]:
    """Angle of the arm that a motor is, and its sign, by its rotation axis; by its name if no axis is stated."""
    vector = _vector(value)
    if vector is None:
        return named, 1
    axis = _along(vector)
    if axis not in _TURNS:
        notes.append(
            Note.warning(f"{where} rotates about {vector.round(3).tolist()}, neither x nor y: taken by its name")
        )
        return named, 1
    return _TURNS[axis]


def _vector(item: Any) -> NDArray[np.float64] | None:
    """Axis of a NeXus transformation, unit vector (3,) ordered x, y, z; None if none is stated."""
    if not isinstance(item, h5py.Dataset) or "vector" not in item.attrs:
        return None
    vector = np.ravel(np.asarray(item.attrs["vector"]))
    if vector.shape != (3,) or vector.dtype.kind not in "uif" or not np.linalg.norm(vector) > 0:
        return None
    found: NDArray[np.float64] = vector / np.linalg.norm(vector)
    return found


def _along(vector: NDArray[np.float64]) -> str:
    """Name of the axis along a unit vector (3,) ordered x, y, z, as x-; empty if it is along none."""
    axis = int(np.abs(vector).argmax())
    return f"{'xyz'[axis]}{'+' if vector[axis] > 0 else '-'}" if abs(abs(vector[axis]) - 1) < _ALONG else ""


def _depends_on(item: Any) -> str:
    return text(item.attrs["depends_on"]) if isinstance(item, h5py.Dataset) and "depends_on" in item.attrs else ""


def _below(item: h5py.Dataset) -> Iterator[tuple[str, float]]:
    """Rotations on which a motor is mounted, by name, with their first position, degree."""
    visited: set[object] = set()
    while (path := _depends_on(item)) not in ("", "."):
        following = get_object(item.file, path if "/" in path else f"{item.parent.name}/{path}")
        if not isinstance(following, h5py.Dataset) or identity(following) in visited:
            return
        item = following
        visited.add(identity(item))
        if text(item.attrs.get("transformation_type", "rotation")) == "rotation" and item.dtype.kind in "uif":
            yield path.rpartition("/")[2], float(np.ravel(item[()])[0]) * TABLE["angle"].get(named_unit(item), 1.0)


def _in_other_order(outer: dict[str, str]) -> bool:
    """Whether delta is mounted on gamma, by the last name of its ``depends_on``."""
    return len(outer) == 2 and _angle_of(outer["delta_deg"].rpartition("/")[2]) == "gamma_deg"
