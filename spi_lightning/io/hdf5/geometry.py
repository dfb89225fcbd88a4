"""Geometry of a data set of patterns in an HDF5 file of any layout, in m, eV and pixel.

Distance, pixel size and beam centre come from the detector whose data are read, the photon energy from the beam of the
same entry; in a file without such groups, from attributes and data sets beside the patterns and above, up to the root.

Files hold a beam centre as one pair (``beam_centre``: row, column), or as NeXus one number along x and one along y
(``beam_center_x``, ``beam_center_y``). NeXus defines them as lengths and most programs write pixels: the unit decides.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.fields import BEAM_CENTRE, DISTANCE, PHOTON_ENERGY, PIXEL_SIZE
from spi_lightning.io.units import TABLE, UnknownUnitError, factor
from spi_lightning.notes import Note
from spi_lightning.physics.constants import wavelength_from_energy

from .choice import shape_of_frames
from .groups import Named, surroundings
from .values import (
    BEAM_COLUMN,
    BEAM_ROW,
    WAVELENGTH,
    X_PIXEL,
    Y_PIXEL,
    Value,
    energies_passed_over,
    in_si,
    numbers_of,
    spelled_number,
    values_of,
)

Edge = float | NDArray[np.float64] | None
Edges = tuple[Edge, Edge]

_MIN_PIXELS: Final = 0.3  # a smaller centre without a unit is not in pixels, but a length in m as in NeXus
_PIXELS: Final = ("pixel", "pixels", "px", "pix")


def read_beam_centre(
    sources: Sequence[Named], frames: int, edges: Edges, notes: list[Note]
) -> NDArray[np.float64] | None:
    """Row and column in the first source that states them, pixel, (2,) or (frames, 2); None if none does.

    Whether they lie inside the frames is checked by patterns/assembly.py.

    Args:
        sources: Groups and data sets by name, nearest first.
        frames: Number of frames in the file.
        edges: Pixel edges along y and along x, m, for centres stated as lengths; None where unknown.
        notes: List that gets a note for each value that is not used.
    """
    for source, group in sources:
        for value in values_of(source, group, BEAM_CENTRE):
            numbers = numbers_of(value.stored)
            if numbers is None or numbers.shape not in ((2,), (1, 2), (frames, 2)):
                notes.append(Note.of(f"{value.where} is not used: row and column are two numbers"))
                continue
            row, column = (_in_pixels(numbers[..., axis], value, edges[axis], notes) for axis in (0, 1))
            if row is not None and column is not None:
                return np.stack([row, column], axis=-1)
        if (found := read_nexus_beam_centre([(source, group)], frames, edges, notes)) is not None:
            return found
    return None


def read_nexus_beam_centre(
    sources: Sequence[Named], frames: int, edges: Edges, notes: list[Note]
) -> NDArray[np.float64] | None:
    """As ``read_beam_centre``, from one number along y and one along x; both 0, a detector's default, are ignored."""
    for source, group in sources:
        rows, columns = (next(iter(values_of(source, group, name)), None) for name in (BEAM_ROW, BEAM_COLUMN))
        if rows is None or columns is None:
            if (alone := rows or columns) is not None:
                notes.append(Note.of(f"{alone.where} is not used: the beam centre along the other axis is missing"))
            continue
        row, column = _of_frames(rows, frames, edges[0], notes), _of_frames(columns, frames, edges[1], notes)
        if row is None or column is None:
            continue
        centre = np.stack(np.broadcast_arrays(row, column), axis=-1)
        if not centre.any():
            notes.append(Note.of(f"{rows.where} and the one along x are 0 and state no beam centre"))
            continue
        return centre
    return None


def _of_frames(value: Value, frames: int, edge: Edge, notes: list[Note]) -> NDArray[np.float64] | None:
    """Centre along one axis, pixel, () or (frames,) where it varies; None, with a note, if it is not usable."""
    number, unit = spelled_number(value)
    numbers = numbers_of(number)
    if numbers is None or numbers.size == 0:
        notes.append(Note.of(f"{value.where} is empty or not a number and is not used as beam centre"))
        return None
    numbers = numbers.reshape(-1)
    numbers = numbers[0] if (numbers == numbers[0]).all() else numbers
    if numbers.size not in (1, frames):
        notes.append(
            Note.of(f"{value.where} holds {numbers.size} numbers for {frames} frames and is not used as beam centre")
        )
        return None
    return _in_pixels(numbers, Value(value.where, numbers, unit), edge, notes)


def _in_pixels(numbers: NDArray[np.float64], value: Value, edge: Edge, notes: list[Note]) -> NDArray[np.float64] | None:
    """Positions along one axis, pixel, converted by the unit of a value; None, with a note, if it is not usable."""
    unit = value.unit.strip().rstrip(".").lower()
    if not unit and edge is not None and 0 < np.max(numbers) < _MIN_PIXELS:
        notes.append(
            Note.of(f"{value.where} has no unit; it is taken in m, in pixels it would be the corner of the detector")
        )
        unit = "m"
    if not unit or unit in _PIXELS:
        return np.asarray(numbers, dtype=np.float64)
    if unit not in TABLE["length"]:
        notes.append(
            Note.of(f"{value.where} is not used as beam centre: {value.unit!r} is neither pixels nor a length")
        )
        return None
    if edge is None:
        notes.append(
            Note.of(f"{value.where} is not used as beam centre: it is a length, and the file has no pixel size")
        )
        return None
    return np.asarray(numbers, dtype=np.float64) * factor(unit, "length", value.where) / edge


Geometry = dict[str, "float | NDArray[Any]"]

_QUANTITY: Final = {X_PIXEL: PIXEL_SIZE, Y_PIXEL: PIXEL_SIZE, WAVELENGTH: PHOTON_ENERGY}  # stated by others
_EQUAL: Final = 1e-3  # relative difference of the edges of a square pixel
_AGREE: Final = 0.02  # relative difference of a photon energy and a wavelength beside it


@dataclass
class FileGeometry:
    """Geometry of patterns (N, H, W): name -> one number or (N,), m or eV; beam_centre (2,) or (N, 2), pixel.

    Attributes:
        values: Known ones of distance, pixel_size, photon_energy and beam_centre.
        notes: One line for each value that was not usable or whose unit was inferred.
        unknown: Those of distance, pixel_size and photon_energy with an unknown unit, each with the error message to
            raise where the quantity is needed.
    """

    values: Geometry = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)


def read_geometry(
    file: h5py.File,
    key: str,
    labels: h5py.Group | None = None,
    known: Collection[str] = (),
    square: bool = True,
    options: Mapping[str, str] = MappingProxyType({}),
) -> FileGeometry:
    """Geometry of the patterns in a data set.

    Args:
        file: HDF5 file opened for reading.
        key: Name of the data set of patterns.
        labels: Group with one value per pattern, if the file has one.
        known: Quantities that the caller has from elsewhere; those of the file are not read.
        square: Whether pixels must be square; else ``pixel_size`` is their edge along x, and ``y_pixel_size`` that
            along y where it differs.
        options: Option that states a quantity instead, by its name, for messages.

    Raises:
        UserError: An impossible value, not positive or not a number; pixels that are not square.
    """
    around, item = surroundings(file, key), file[key]
    own, shape = [(key, item)], shape_of_frames(item.shape)
    beside: list[Named] = [("labels", labels)] if labels is not None else []
    # attributes and data sets of the root describe a single detector
    general = around.general if around.detectors < 2 else []
    sources = {
        DISTANCE: own + around.detector + beside + general,
        BEAM_CENTRE: own + around.detector + general,
        PHOTON_ENERGY: own + around.detector + around.beam + beside + around.general,
    }
    sources |= dict.fromkeys((PIXEL_SIZE, X_PIXEL, Y_PIXEL), sources[DISTANCE])
    sources[WAVELENGTH] = sources[PHOTON_ENERGY]
    found = FileGeometry()
    look = _Lookup(file, shape, sources, found.notes, options, found.unknown)
    if DISTANCE not in known:
        _keep(found, DISTANCE, look(DISTANCE))
    edges: Edges = (None, None)
    if PIXEL_SIZE not in known:
        rows, columns = _pixel_edges(look)
        edges = (columns if rows is None else rows, columns)
        if rows is not None and not np.allclose(rows, columns, rtol=_EQUAL, atol=0):  # type: ignore[arg-type]
            _require_no_square(file, rows, columns, square)
            found.values[Y_PIXEL] = rows
        _keep(found, PIXEL_SIZE, columns)
    if PHOTON_ENERGY not in known:
        _keep(found, PHOTON_ENERGY, _energy(look))
        option = f"; if it is, give {options.get(PHOTON_ENERGY, 'data.geometry.photon_energy')}= in eV"
        for line in () if PHOTON_ENERGY in found.values else dict.fromkeys(_passed_over(sources[PHOTON_ENERGY])):
            found.notes.append(Note.hint(line + option))
    if BEAM_CENTRE not in known:
        _keep(found, BEAM_CENTRE, read_beam_centre(sources[BEAM_CENTRE], shape[0], edges, found.notes))
    found.notes += [Note.warning(f"{line}; it is not used") for line in found.unknown.values()]
    found.unknown = {name: line for name, line in found.unknown.items() if name not in found.values}
    return found


def _passed_over(sources: Sequence[Named]) -> Iterator[str]:
    return (line for source, group in sources for line in energies_passed_over(source, group))


def _keep(found: FileGeometry, name: str, value: float | NDArray[np.float64] | None) -> None:
    if value is not None:
        found.values[name] = value


@dataclass
class _Lookup:
    """Search for a quantity in groups and data sets, nearest first."""

    file: h5py.File
    shape: tuple[int, int, int]
    sources: dict[str, list[Named]]
    notes: list[Note]
    options: Mapping[str, str]
    unknown: dict[str, str]

    def __call__(self, name: str) -> float | NDArray[np.float64] | None:
        """Quantity in m or eV, one number or (N,); None if no usable value is found."""
        for source, group in self.sources[name]:
            for value in values_of(source, group, name):
                try:
                    converted = in_si(value, name, self.shape[0], self.notes.append, self.options.get(name, ""))
                except UnknownUnitError as error:
                    self.unknown.setdefault(_QUANTITY.get(name, name), str(error))
                    continue
                if converted is not None:
                    return converted
        return None


def _pixel_edges(look: _Lookup) -> tuple[Edge, Edge]:
    """Edges of the pixels along y and x, m; along x alone where only one is known."""
    rows, columns = look(Y_PIXEL), look(X_PIXEL)
    if rows is None or columns is None:
        single = look(PIXEL_SIZE) if rows is None and columns is None else None
        if isinstance(single, np.ndarray) and len(single) == 2 and look.shape[0] != 2:
            return float(single[0]), float(single[1])
        return None, next((edge for edge in (columns, rows, single) if edge is not None), None)
    return rows, columns


def _require_no_square(file: h5py.File, rows: Edge, columns: Edge, square: bool) -> None:
    """Raise UserError for pixels that differ where they must be square."""
    if square:
        down, across = (float(np.ravel(np.asarray(edge))[0]) * 1e6 for edge in (rows, columns))
        raise UserError(
            f"{file.filename}: pixels of {down:g} um along y and {across:g} um along x; only square pixels are "
            "supported; bin the data to square pixels"
        )


def _energy(look: _Lookup) -> float | NDArray[np.float64] | None:
    """Photon energy, eV, else that of the wavelength; a note if the two contradict each other."""
    energy, wavelength = look(PHOTON_ENERGY), look(WAVELENGTH)
    if wavelength is None:
        return energy
    from_wavelength = wavelength_from_energy(wavelength)  # type: ignore[arg-type]
    if energy is None:
        return from_wavelength
    used, other = float(np.mean(energy)), float(np.mean(from_wavelength))
    if abs(used / other - 1) > _AGREE:
        look.notes.append(
            Note.warning(
                f"the photon energy of {used:.5g} eV is used; a wavelength beside it says {other:.5g} eV",
                look.file.filename,
            )
        )
    return energy
