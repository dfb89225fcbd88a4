from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.io.scans.bragg_scan import BraggScan, open_scan

COUNTS = np.random.default_rng(0).poisson(np.full((8, 12, 14), 40.0)).astype(np.uint16)
RAD = np.pi / 180


def scan(path: Path, add: Callable[[h5py.Group], None], known: tuple[str, ...] = ()) -> BraggScan:
    """A NeXus scan of eight frames to which ``add`` adds motors, below /entry1."""
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry1")
        entry.attrs["NX_class"] = "NXentry"
        entry["instrument/pil3_100k/data"] = COUNTS
        for name, nx_class in (("instrument", "NXinstrument"), ("instrument/pil3_100k", "NXdetector")):
            entry[name].attrs["NX_class"] = nx_class
        data = entry.create_group("pil3_100k")
        data.attrs.update({"NX_class": "NXdata", "signal": "data", "axes": np.array([b"kth", b".", b"."])})
        data["data"] = h5py.SoftLink("/entry1/instrument/pil3_100k/data")
        data["kth"] = 0.2 + 0.01 * np.arange(8)
        add(entry)
    return open_scan(path, known=known)


def positioner(entry: h5py.Group, name: str, value: Any, unit: str = "deg", **attributes: Any) -> None:
    """A motor as GDA writes it: a group with its value in each frame."""
    entry[f"instrument/{name}/value"] = value
    entry[f"instrument/{name}/soft_limit_max"] = 120.0
    entry[f"instrument/{name}/value"].attrs.update({"units": unit, **attributes})


def test_motors_before_the_scan_are_read_and_noted(tmp_path: Path) -> None:
    def add(entry: h5py.Group) -> None:
        for name, value in {"delta": 32.0, "gam": 12.0, "delta_axis_offset": 8.8, "eta": 0.2, "mu": 0.0}.items():
            entry[f"before_scan/diffractometer_sample/{name}"] = value

    read = scan(tmp_path / "a.nxs", add)
    assert (read.geometry["delta_deg"], read.geometry["gamma_deg"]) == (32, 12)
    assert read.geometry["step_deg"] == pytest.approx(0.01)
    assert any(
        "before_scan/diffractometer_sample/delta is taken as data.geometry.delta_deg=32" in str(n) for n in read.notes
    )


@pytest.mark.parametrize("unit_in", ["attribute", "data set", "group"])
def test_motors_with_a_group_of_their_own_have_their_unit_there(tmp_path: Path, unit_in: str) -> None:
    def add(entry: h5py.Group) -> None:
        for name, value in {"kdelta": 32 * RAD, "kgam": 12 * RAD}.items():
            group = entry.create_group(f"before_scan/{name}")
            group["value"] = value
            if unit_in == "data set":
                group["units"] = "rad"
            else:
                (group if unit_in == "group" else group["value"]).attrs["units"] = "rad"

    found = scan(tmp_path / "a.nxs", add).geometry
    assert (found["delta_deg"], found["gamma_deg"]) == pytest.approx((32, 12))


def test_a_vector_is_the_axis_of_a_motor(tmp_path: Path) -> None:
    def reversed_gamma(entry: h5py.Group) -> None:
        positioner(entry, "kdelta", np.full(8, 32.0), vector=[0, 1, 0], depends_on=".")
        positioner(entry, "kgam", np.full(8, -12.0), vector=[1, 0, 0], depends_on="/entry1/instrument/kdelta/value")
        entry["pil3_100k/kth"].attrs["vector"] = [-1.0, 0, 0]

    found = scan(tmp_path / "a.nxs", reversed_gamma).geometry
    assert (found["delta_deg"], found["gamma_deg"], found["rocking_axis"]) == (32, 12, "x-")

    def named_otherwise(entry: h5py.Group) -> None:
        positioner(entry, "delta", 12.0, vector=[-1, 0, 0])
        positioner(entry, "gamma", 32.0, vector=[0, 1, 0])

    read = scan(tmp_path / "b.nxs", named_otherwise)
    assert (read.geometry["delta_deg"], read.geometry["gamma_deg"]) == (32, 12)
    assert any("delta/value is taken as data.geometry.gamma_deg=12" in str(note) for note in read.notes)


def test_arms_that_turn_in_the_other_order_are_not_taken(tmp_path: Path) -> None:
    def add(entry: h5py.Group, gamma: float) -> None:
        positioner(entry, "kgam", gamma, vector=[1, 0, 0], depends_on=".")
        positioner(entry, "kdelta", 19.9, vector=[0, 1, 0], depends_on="entry1/instrument/transformations/gamma")

    read = scan(tmp_path / "a.nxs", lambda entry: add(entry, 12.0))
    assert "delta_deg" not in read.geometry
    assert any("delta is mounted on gamma" in str(note) for note in read.notes)
    assert scan(tmp_path / "b.nxs", lambda entry: add(entry, 0.0)).geometry["delta_deg"] == 19.9


def test_what_moved_during_the_scan_is_not_replaced_by_where_it_stood_before(tmp_path: Path) -> None:
    def add(entry: h5py.Group) -> None:
        positioner(entry, "kdelta", np.linspace(19.8, 19.9, 8))
        entry["instrument/diffractometer_sample/delta"] = 19.8

    read = scan(tmp_path / "a.nxs", add)
    assert "delta_deg" not in read.geometry
    assert any("kdelta/value changes from 19.8 to 19.9" in str(note) for note in read.notes)


def test_a_rocking_axis_of_a_kappa_circle_draws_a_warning(tmp_path: Path) -> None:
    def add(entry: h5py.Group) -> None:
        entry["pil3_100k/kth"].attrs["vector"] = [0, 0.64278762, -0.76604444]

    read = scan(tmp_path / "a.nxs", add)
    assert "rocking_axis" not in read.geometry
    assert any("WARNING" in str(note) and "give data.geometry.rocking_axis=" in str(note) for note in read.notes)

    def on_a_turned_circle(entry: h5py.Group) -> None:
        positioner(entry, "kmu", np.full(8, 4.0), vector=[1, 0, 0], depends_on=".", transformation_type="rotation")
        entry["pil3_100k/kth"].attrs.update({"vector": [0, 1.0, 0], "depends_on": "/entry1/instrument/kmu/value"})

    read = scan(tmp_path / "b.nxs", on_a_turned_circle)
    assert any("is mounted on value, not at 0" in str(note) for note in read.notes)
    assert not any("WARNING" in str(n) for n in scan(tmp_path / "c.nxs", on_a_turned_circle, ("rocking_axis",)).notes)


def test_rows_and_columns_count_along_the_vectors_of_the_module(tmp_path: Path) -> None:
    def add(entry: h5py.Group, fast: list[float]) -> None:
        for name, vector in (("slow", [0.0, 1, 0]), ("fast", fast)):
            entry[f"instrument/pil3_100k/module/{name}_pixel_direction"] = [0.172]
            entry[f"instrument/pil3_100k/module/{name}_pixel_direction"].attrs.update({"vector": vector, "units": "mm"})

    found = scan(tmp_path / "a.nxs", lambda entry: add(entry, [-1, 0, 0])).geometry
    assert (found["row_direction"], found["column_direction"]) == ("y+", "x-")
    read = scan(tmp_path / "b.nxs", lambda entry: add(entry, [0.7064, 0.0018, -0.7078]))
    assert "row_direction" not in read.geometry
    assert any("which is not supported" in str(note) for note in read.notes)


def test_an_unknown_unit_names_the_option(tmp_path: Path) -> None:
    def add(entry: h5py.Group) -> None:
        positioner(entry, "kdelta", 32.0, "furlong")

    with pytest.raises(UserError, match=r"unit 'furlong' .*; give data\.geometry\.delta_deg=, or correct the unit"):
        scan(tmp_path / "a.nxs", add)
    assert scan(tmp_path / "a.nxs", add, ("delta_deg",)).geometry["step_deg"] == pytest.approx(0.01)


def test_the_noise_of_an_encoder_is_no_movement(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 2e-4, 8)

    def add(entry: h5py.Group) -> None:
        positioner(entry, "kdelta", 32 + noise)
        positioner(entry, "kgam", noise * RAD, "rad")

    found = scan(tmp_path / "a.nxs", add).geometry
    assert (found["delta_deg"], found["gamma_deg"]) == pytest.approx((32, 0), abs=1e-3)


@pytest.mark.parametrize("command", ["ascan eta 0.2 0.27 7 1", "scan eta 0.2 0.27 0.01 pil3_100k 1", "fscan eta 1 2"])
def test_the_command_names_the_rocking_motor(tmp_path: Path, command: str) -> None:
    def add(entry: h5py.Group, name: str) -> None:
        del entry["pil3_100k"].attrs["axes"], entry["pil3_100k/kth"]
        entry["scan_command"] = command
        entry[name] = 0.2 + 0.01 * np.arange(8)

    for name in ("measurement/eta", "instrument/eta/value", "pil3_100k/eta"):
        read = scan(tmp_path / "a.nxs", lambda entry, name=name: add(entry, name))  # type: ignore[misc]
        assert read.geometry["step_deg"] == pytest.approx(0.01)
        assert any(f"angles from /entry1/{name}, the motor that was scanned" in str(note) for note in read.notes)


def test_a_scan_of_energy_has_no_angles(tmp_path: Path) -> None:
    def add(entry: h5py.Group) -> None:
        del entry["pil3_100k"].attrs["axes"], entry["pil3_100k/kth"]
        entry["title"] = "ascan energy 9 9.1 7 1"
        entry["measurement/energy"] = np.linspace(9, 9.1, 8)

    assert scan(tmp_path / "a.nxs", add).angle_deg is None
