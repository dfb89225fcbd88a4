"""What files of rocking scans say about the geometry, under BraggGeometry's names and in its units."""

from __future__ import annotations

from typing import Final

import h5py
import numpy as np

from spi_lightning.io.spec import SpecScan
from spi_lightning.physics.constants import ELEMENTARY_CHARGE, wavelength_from_energy

_ATTRIBUTES: Final = {
    "energy_keV": ("energy_ev", 1e3),
    "energy_ev": ("energy_ev", 1.0),
    "detector_distance_m": ("distance", 1.0),
    "pixel_size_m": ("pixel_size", 1.0),
    "delta_deg": ("delta_deg", 1.0),
    "gamma_deg": ("gamma_deg", 1.0),
    "beam_row": ("beam_row", 1.0),
    "beam_column": ("beam_column", 1.0),
}
_DATASETS: Final = {
    "entry_1/instrument_1/source_1/energy": ("energy_ev", 1 / ELEMENTARY_CHARGE),  # CXI: joule
    "entry_1/instrument_1/detector_1/distance": ("distance", 1.0),
    "entry_1/instrument_1/detector_1/x_pixel_size": ("pixel_size", 1.0),
    "entry/instrument/detector/distance": ("distance", 1.0),
    "entry/instrument/detector/x_pixel_size": ("pixel_size", 1.0),
    "entry/instrument/beam/incident_energy": ("energy_ev", 1.0),
    "entry/instrument/monochromator/energy": ("energy_ev", 1.0),
    "entry/instrument/delta": ("delta_deg", 1.0),
    "entry/instrument/gamma": ("gamma_deg", 1.0),
}
_WAVELENGTHS: Final = ("entry/instrument/beam/incident_wavelength", "entry/instrument/monochromator/wavelength")
_BEAM: Final = {
    "beam_row": "entry/instrument/detector/beam_center_y",
    "beam_column": "entry/instrument/detector/beam_center_x",
}
_MOST_KEV: Final = 200  # photon energies without a unit are in keV up to here, else in eV
_LENGTHS: Final = ("m", "mm", "um", "cm", "nm")
_UNITS: Final = {
    "mm": 1e-3,
    "um": 1e-6,
    "cm": 1e-2,
    "kev": 1e3,
    "angstrom": 1e-10,
    "a": 1e-10,
    "nm": 1e-9,
    "rad": 57.29577951308232,
}


def geometry_of_hdf5(file: h5py.File) -> dict[str, float]:
    """Geometry in the attributes of a file, or where CXI and NeXus keep it; units as its `units` attributes say."""
    found: dict[str, float] = {}
    for name, (ours, factor) in _ATTRIBUTES.items():
        if name in file.attrs:
            found[ours] = factor * float(file.attrs[name])
    for key, (ours, factor) in _DATASETS.items():
        value = _scalar(file, key)
        if value is not None:
            found.setdefault(ours, factor * value)
    for key in _WAVELENGTHS:
        value = _scalar(file, key)
        if value:
            metres = value * (1e-10 if value > 1e-3 else 1.0)  # NeXus writes angstrom where it says nothing
            found.setdefault("energy_ev", wavelength_from_energy(metres))
    return found


def beam_of_nexus(file: h5py.File, shape: tuple[int, ...], pixel_size: float | None) -> dict[str, float]:
    """Pixel at which NeXus says that the direct beam meets a detector, if one of its frames (rows, columns) holds it.

    A detector on an arm that is turned sees no direct beam: what lies on it was found with the arm at 0. NeXus has the
    place as a length; programs write pixels too, which their ``units`` then say, or nothing.
    """
    found = {}
    for (ours, key), n in zip(_BEAM.items(), shape, strict=True):
        value = _scalar(file, key)
        if value is not None and _unit(file[key]) in _LENGTHS:
            value = value / pixel_size if pixel_size else None
        if value is None or not 0 <= value < n:
            return {}
        found[ours] = value
    return found


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


def _scalar(file: h5py.File, key: str) -> float | None:
    """One number, in SI units, eV or degree; None if it is not there or no number."""
    item = file.get(key)
    if not isinstance(item, h5py.Dataset) or item.size == 0 or item.dtype.kind not in "uif":
        return None
    return float(np.ravel(item[()])[0]) * _UNITS.get(_unit(item), 1.0)


def _unit(item: h5py.Dataset) -> str:
    """The unit that a data set names, in small letters; empty if none."""
    unit = item.attrs.get("units", "")
    return (unit.decode() if isinstance(unit, bytes) else str(unit)).strip().lower()
