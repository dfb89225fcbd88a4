"""Quantities of a scan under names that its reader does not know are named, with the options that take them."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from spi_lightning.data.scans.preparation import Preparation
from spi_lightning.data.scans.single_pattern import read_pattern
from spi_lightning.errors import UserError
from spi_lightning.io.scans.bragg_scan import ScanKeys


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    z, y, x = np.indices((24, 40, 24)) - np.array([12, 20, 12])[:, None, None, None]
    counts = 1e4 * (np.sinc(z / 6) * np.sinc(y / 5) * np.sinc(x / 4)) ** 2
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["run/counts"] = np.random.default_rng(0).poisson(counts).astype(np.uint16)
        file["run/eta"], file["run/time"] = 10 + 0.01 * np.arange(24), np.arange(24.0)
        file["run/eta"].attrs["units"] = "deg"
        for name, value, unit in (("nrj", 9.5, "keV"), ("far", 900.0, "mm"), ("tube", 2.0, "furlong")):
            file[f"run/{name}"] = value
            file[f"run/{name}"].attrs["units"] = unit
    return tmp_path / "scan.h5"


def hints(scan: Path, **settings: object) -> str:
    made = read_pattern(scan, preparation=Preparation(size=16, bin=1), **settings)  # type: ignore[arg-type]
    return "\n".join(str(note) for note in made.notes if note.level)


def test_numbers_with_a_fitting_unit_are_named_with_their_options(scan: Path) -> None:
    found = hints(scan)
    assert "data.geometry.photon_energy=9500 (run/nrj, 9.5 keV)" in found
    assert "data.geometry.distance=0.9 (run/far, 900 mm)" in found and "data.keys.angle=run/eta" in found
    assert "tube" not in found and "run/time" not in found


def test_what_is_stated_is_not_searched_and_what_is_assumed_is_named(scan: Path) -> None:
    stated = {"photon_energy": 9500.0, "distance": 0.9, "pixel_size": 55e-6, "delta_deg": 30.0, "gamma_deg": 10.0}
    found = hints(scan, geometry=stated, keys=ScanKeys(angle="run/eta"))
    assert "under names that are not known" not in found
    assert (
        "assumed, as the file does not say it: data.geometry.row_direction=y- data.geometry.column_direction=x+"
        in found
    )
    whole = {"row_direction": "y-", "column_direction": "x+", "rocking_axis": "y+"}
    assert "assumed" not in hints(scan, geometry=stated | whole, keys=ScanKeys(angle="run/eta"))


def test_a_name_without_its_groups_is_recognised(scan: Path) -> None:
    with pytest.raises(UserError, match=r"did you mean data\.keys\.angle=run/eta\?"):
        read_pattern(scan, ScanKeys(angle="eta"))


@pytest.mark.parametrize(("unit", "words"), [("furlong", "its unit 'furlong' is neither"), ("", "it has no unit")])
def test_an_energy_that_is_not_read_is_named(scan: Path, unit: str, words: str) -> None:
    with h5py.File(scan, "a") as file:
        file["run/energy"] = 9.5
        if unit:
            file["run/energy"].attrs["units"] = unit
    assert f"run/energy = 9.5 is not read as the photon energy: {words}" in hints(scan)


def test_a_size_that_leaves_out_a_part_of_the_scan_says_so(scan: Path) -> None:
    found = hints(scan)
    assert "data.preparation.size=16 leaves out a part of the scan" in found
    assert "data.preparation.size=[24,40,24] takes all" in found
