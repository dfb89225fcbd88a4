"""Geometry in files: units, values that cannot be, and those that are not usable."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from spi_lightning.data.one_frame import measure_frame
from spi_lightning.errors import UserError
from spi_lightning.io import open_patterns
from spi_lightning.notes import Level

STACK = np.random.default_rng(0).poisson(3.0, (6, 20, 24)).astype(np.uint16)
TRUE = {"distance": 0.58, "pixel_size": 6e-4, "photon_energy": 1600.0}


def plain(path, attributes=None, units=None, **sets) -> Path:
    with h5py.File(path, "w") as file:
        file["patterns"] = STACK
        for name, value in sets.items():
            file[name] = value
        for name, unit in (units or {}).items():
            file[name].attrs["units"] = unit
        file.attrs.update(attributes or {})
    return path


def cxi(path, units=None, distance=0.58, pixels=(6e-4, 6e-4), energy=1600 * 1.602176634e-19) -> Path:
    with h5py.File(path, "w") as file:
        here = file.create_group("entry_1/instrument_1/detector_1")
        here["data"], here["distance"], here["x_pixel_size"], here["y_pixel_size"] = STACK, distance, *pixels
        file["entry_1/instrument_1/source_1/energy"] = energy
        for name, unit in (units or {}).items():
            file[f"entry_1/instrument_1/{'source_1' if name == 'energy' else 'detector_1'}/{name}"].attrs["units"] = (
                unit
            )
    return path


@pytest.mark.parametrize(
    "changed",
    [
        {"distance": 580.0, "units": {"distance": "mm"}},
        {"distance": np.array([58]), "units": {"distance": np.array([b"cm"])}},
        {"energy": 1.6, "units": {"energy": "keV"}},
        {"energy": 1600.0, "units": {"energy": np.bytes_("eV")}},
        {"pixels": (600.0, 0.6), "units": {"x_pixel_size": "µm".encode("latin-1"), "y_pixel_size": "mm"}},
        {"energy": 1600.0},  # no unit; in joule it would be 1e22 eV
        {"units": {"energy": "J", "distance": "m"}},
    ],
)
def test_units_of_cxi(tmp_path, changed) -> None:
    assert open_patterns(cxi(tmp_path / "a.cxi", **changed)).geometry == pytest.approx(TRUE)


@pytest.mark.parametrize(
    "held",
    [
        {"attributes": {"detector_distance_m": 0.58, "pixel_size_um": 600, "photon_energy_keV": 1.6}},
        {"attributes": {"distance": "580 mm", "pixel_size": "0.6 mm", "wavelength": "0.77490124 nm"}},
        {
            "attributes": {"distance": 58, "distance_units": "cm", "photon_energy": 1.6, "photon_energy_units": "keV"},
            "pixel_size": [600.0],
            "units": {"pixel_size": "um"},
        },
        {
            "distance": 580.0,
            "pixel_size": [0.6, 0.6],
            "wavelength": 7.7490124,
            "units": {"distance": "mm", "pixel_size": "mm", "wavelength": "Å"},
        },
        {"attributes": {"distance": 0.58, "pixel_size": 6e-4, "photon_energy": 1.6}},  # 1.6 eV cannot be
    ],
)
def test_units_of_plain_files(tmp_path, held) -> None:
    assert open_patterns(plain(tmp_path / "a.h5", **held)).geometry == pytest.approx(TRUE)


def test_one_value_for_each_pattern_in_its_unit(tmp_path) -> None:
    kev = np.linspace(1.5, 1.7, 6)
    file = open_patterns(plain(tmp_path / "a.h5", photon_energy=kev, units={"photon_energy": "keV"}))
    np.testing.assert_allclose(file.geometry["photon_energy"], 1e3 * kev)
    np.testing.assert_allclose(file.labels["photon_energy"], 1e3 * kev)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"distance": -0.58}, "distance = -0.58: a distance must be positive"),
        ({"distance": np.nan}, "distance = nan"),
        ({"energy": 0.0}, "energy = 0: a photon energy must be positive"),
        ({"energy": np.array([2e-16, 0, 2e-16, 2e-16, 2e-16, np.nan])}, "energy = 0, as in 2 of 6 values"),
        ({"energy": 1600.0, "units": {"energy": "J"}}, "1e\\+22 eV|9.98641e\\+21 eV"),
        ({"pixels": (6e-4, 3e-4)}, "300 um along y and 600 um along x; only square pixels"),
    ],
)
def test_impossible_values_are_refused(tmp_path, changed, message) -> None:
    with pytest.raises(UserError, match=message):
        open_patterns(cxi(tmp_path / "a.cxi", **changed))


@pytest.mark.parametrize(
    ("name", "value", "note"),
    [
        ("wavelength_angstrom", "abc", "'abc' is not a number"),
        ("distance", "", "is empty or not a number"),
        ("distance", h5py.Empty("f8"), "is empty or not a number"),
        ("distance", np.array([0.5, 0.6, 0.7]), "3 different values for 6 patterns"),
        ("distance", 580.0, "580 has no unit and is impossible in m"),
        ("beam_centre", np.array([3.0]), "row and column are two numbers"),
    ],
)
def test_what_is_not_usable_is_noted_and_not_used(tmp_path, name, value, note) -> None:
    file = open_patterns(plain(tmp_path / "a.h5", {name: value}))
    assert file.geometry == {}
    assert any(name in str(line) and note in str(line) for line in file.notes)


@pytest.mark.parametrize("unit", ["furlong", "keV"])
def test_a_value_in_an_unknown_unit_is_noted_and_blocks_only_what_needs_it(tmp_path, unit) -> None:
    path = cxi(tmp_path / "a.cxi", units={"distance": unit})
    file = open_patterns(path)
    assert set(file.geometry) == {"pixel_size", "photon_energy"}
    (line,) = (str(note) for note in file.notes if note.level is Level.WARNING)
    assert f"unit {unit!r} is not known for a length" in line and "data.geometry.distance=" in line
    with pytest.raises(UserError, match=f"unit {unit!r} is not known.*data.geometry.distance="):
        measure_frame(str(path))
    assert measure_frame(str(path), geometry={"distance": 0.58}).frequency_step is not None


def test_energy_and_wavelength_that_contradict_each_other(tmp_path) -> None:
    file = open_patterns(plain(tmp_path / "a.h5", {"photon_energy": 8000.0, "wavelength_angstrom": 7.749}))
    assert file.geometry == {"photon_energy": 8000.0}
    assert any(str(line).startswith("WARNING") and "1600 eV" in str(line) for line in file.notes)


def test_quantities_that_the_caller_knows_are_not_looked_at(tmp_path) -> None:
    path = plain(tmp_path / "a.h5", {"distance": -1.0, "pixel_size": 6e-4})
    assert open_patterns(path, known=("distance",)).geometry == {"pixel_size": 6e-4}


def test_what_the_user_states_holds_instead_of_the_file(tmp_path) -> None:
    path = plain(tmp_path / "a.h5", {"distance": -1.0, "pixel_size": 6e-4}, photon_energy=np.full(6, 1600.0))
    file = open_patterns(path, geometry={"distance": 0.5, "photon_energy": 2000.0, "pixel_size": None})
    assert file.geometry == {"distance": 0.5, "pixel_size": 6e-4, "photon_energy": 2000.0}
    assert "photon_energy" not in file.labels
    with pytest.raises(UserError, match=r"distance = -1.*data.geometry.distance="):
        open_patterns(path)
    for stated in ({"distance": -1.0}, {"distance": np.nan}, {"size": 1.0}):
        with pytest.raises(UserError, match=r"data\.geometry"):
            open_patterns(path, geometry=stated)
