from pathlib import Path

import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.io.scans.bragg_scan import open_scan
from spi_lightning.io.scans.geometry import geometry_of_spec
from spi_lightning.io.scans.spec import read_spec
from spi_lightning.io.units import unknown_unit

SPEC = """#F Staff
#E 1580000000
#D Tue Feb 04 10:00:00 2020
#O0     Theta       Delta  Table X
#O1   camdist  energy

#S 53  ascan  theta 0 1 2 0.25
#P0 0.1 32.0 1.5
#P1 500 9.0
#L Theta  Monitor  Detector A
0 1000 5
0.5 1010 6
1 1005 7

#S 54  ascan  theta -0.28 -0.27 2 0.25
#D Tue Feb 04 11:00:00 2020
#P0 0.22 32.174 1.5
#P1 500 9.0
#N 3
#L Theta  Monitor  Detector A
-0.28 1000 5
-0.275 1010 6e2
-0.27 1005 7
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "run.spec"
    path.write_text(SPEC)
    return path


def test_motors_columns_and_the_scanned_motor(spec: Path) -> None:
    scan = read_spec(spec, 54)
    assert scan.scanned == "Theta"
    assert scan.motor("DELTA") == 32.174
    assert scan.motors["Table X"] == 1.5
    assert scan.motor("nothing", "energy") == 9.0
    np.testing.assert_allclose(scan.column("theta"), [-0.28, -0.275, -0.27])
    np.testing.assert_allclose(scan.column("detector a"), [5, 600, 7])
    assert scan.column("other") is None


def test_wrong_scans_are_named(spec: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no scan 7; it holds the scans 53, 54"):
        read_spec(spec, 7)
    with pytest.raises(UserError, match="cannot be read"):
        read_spec(tmp_path / "none", 1)
    spec.write_text(SPEC.replace("-0.275 1010 6e2", "-0.275 1010"))
    with pytest.raises(UserError, match="truncated or edited"):
        read_spec(spec, 54)
    spec.write_text("1 2 3\n")
    with pytest.raises(UserError, match="not a spec file"):
        read_spec(spec, 54)
    spec.write_text(HEAD + "\n#S 1  ascan  th 0 1 2 1\n#N 1\n#L Theta\n#C aborted\n")
    with pytest.raises(UserError, match="no points"):
        read_spec(spec, 1)


def test_of_complete_scans_with_one_number_the_last_counts(spec: Path) -> None:
    spec.write_text(SPEC.replace("#S 53", "#S 54"))
    scan = read_spec(spec, 54)
    assert scan.motor("delta") == 32.174
    assert "started 2 times, with 3, 3 points" in str(scan.notes[0])


HEAD = "#F run\n#E 1\n#O0 Theta  Delta  Gamma\n#o0 th del gam\n"


def of(number: int, command: str, rows: list[str], before: str = "", end: str = "") -> str:
    return f"\n#S {number}  {command}\n{before}#N 2\n#L Theta  Monitor\n" + "".join(f"{row}\n" for row in rows) + end


@pytest.mark.parametrize("aborted", [0, 1, 2])
@pytest.mark.parametrize("points", [None, 3])
def test_an_aborted_repeat_hides_no_complete_scan(spec: Path, aborted: int, points: int | None) -> None:
    rows = ["0 5", "0.5 6", "1 7"]
    complete = of(5, "ascan  theta 0 1 2 1", rows, "#P0 0 32 12\n")
    repeat = of(5, "ascan  theta 0 1 2 1", rows[:aborted], "#P0 0 50 12\n", "#C aborted\n")
    for text in (complete + repeat, repeat + complete):
        spec.write_text(HEAD + text)
        scan = read_spec(spec, 5, points)
        assert (scan.points, scan.motor("delta")) == (3, 32)


def test_the_number_of_frames_decides_between_repeats(spec: Path) -> None:
    rows = ["0 5", "0.5 6", "1 7"]
    spec.write_text(HEAD + of(5, "ascan theta 0 1 2 1", rows) + of(5, "ascan theta 0 1 2 1", rows[:2]))
    assert read_spec(spec, 5, 2).points == 2


def test_names_of_a_scan_of_its_own_hold_for_it_alone(spec: Path) -> None:
    other = of(4, "ascan th 0 1 1 1", ["0 1", "1 1"], "#O0 Theta  Gamma  Delta\n#P0 0 12 32\n")
    spec.write_text(HEAD + other + of(5, "ascan th 0 1 1 1", ["0 1", "1 1"], "#P0 0 33 13\n"))
    assert (read_spec(spec, 4).motor("delta"), read_spec(spec, 4).motor("gamma")) == (32, 12)
    assert (read_spec(spec, 5).motor("delta"), read_spec(spec, 5).motor("gamma")) == (33, 13)
    assert read_spec(spec, 4).motor("del") == 32


@pytest.mark.parametrize("positions", ["#P0 0 7 32 12", "#P0 0 32", "#P0 0 32 12\n#P1 5"])
def test_positions_that_do_not_fit_their_names_are_not_taken(spec: Path, positions: str) -> None:
    spec.write_text(HEAD + of(5, "ascan th 0 1 1 1", ["0 1", "1 1"], positions + "\n"))
    scan = read_spec(spec, 5)
    assert scan.motors == {}
    assert "#P" in str(scan.notes[0]) and "no position is used" in str(scan.notes[0])


def test_spectra_are_no_points_and_rows_of_nan_are(spec: Path) -> None:
    rows = ["0 5", "@A 0 1 2\\", "4 5 6\\", "8 9", "nan 6", "@A 1 2", "1 inf"]
    spec.write_text((HEAD + of(5, "ascan th 0 1 2 1", rows)).replace("\n", "\r\n"), newline="")
    np.testing.assert_array_equal(read_spec(spec, 5).column("theta"), [0, np.nan, 1])
    np.testing.assert_array_equal(read_spec(spec, 5).column("monitor"), [5, 6, np.inf])


@pytest.mark.parametrize(
    ("command", "head", "found"),
    [
        ("ascan th 0 1 2 1", HEAD, "Theta"),
        ("ascan th 0 1 2 1", "#F run\n", "Theta"),  # the range is that of the command
        ("dscan th -0.5 0.5 2 1", "#F run\n", "Theta"),
        ("ascan del 0 2 2 1", "#F run\n", None),
        ("ascan del 0 1 2 1", HEAD.replace("th del", "del th"), "Theta"),
        ("hklscan 1 1 0 0 1 2 2 1", HEAD, None),
        ("timescan 1", HEAD, None),
    ],
)
def test_the_scanned_column_is_found_by_mnemonic_or_range(
    spec: Path, command: str, head: str, found: str | None
) -> None:
    spec.write_text(head + of(5, command, ["0 5", "0.5 6", "1 7"]))
    assert read_spec(spec, 5).scanned == found


def test_units_in_brackets_behind_names_hold(spec: Path) -> None:
    names = "#O0 Theta  Delta (rad)  Gamma [mrad]  camdist (m)  energy\n"
    spec.write_text("#F run\n" + names + of(5, "ascan theta 0 1 1 1", ["0 1", "1 1"], "#P0 0 0.5 200 0.5 9000\n"))
    expected = {"delta_deg": 28.6479, "gamma_deg": 11.4592, "distance": 0.5, "photon_energy": 9000.0}
    assert geometry_of_spec(read_spec(spec, 5), []) == pytest.approx(expected, rel=1e-5)


def test_a_header_in_latin_1_is_read(spec: Path) -> None:
    text = HEAD.replace("#E", "#C 20 °C\n#E") + of(5, "ascan th 0 1 1 1", ["0 1", "1 1"], "#P0 0 32 12\n")
    spec.write_bytes(text.encode("latin-1"))
    assert read_spec(spec, 5).motor("delta") == 32


def of_scan(path: Path, lines: str) -> Path:
    path.write_text(SPEC + "\n#S 60  " + lines)
    return path


def test_a_motor_in_a_column_is_not_where_it_stood_before(tmp_path: Path) -> None:
    rows = "".join(f"{0.1 * i:.1f} {32 + i} 7\n" for i in range(3))
    head = "a2scan  theta 0 0.2 delta 32 34 2 1\n#P0 0.1 12.0 1.5\n#P1 500 9\n#L Theta  Delta  Monitor\n"
    notes: list[str] = []
    read = read_spec(of_scan(tmp_path / "a.spec", head + rows), 60)
    assert "delta_deg" not in geometry_of_spec(read, notes)
    assert any("motor Delta of scan 60 changes from 32 to 34" in str(note) for note in notes)
    assert any("also moves Delta" in str(note) for note in read.other_motors())
    read = read_spec(of_scan(tmp_path / "b.spec", head + rows.replace("33", "32").replace("34", "32")), 60)
    assert geometry_of_spec(read, [])["delta_deg"] == 32 and read.other_motors() == []


def test_a_mesh_is_no_rocking_scan(tmp_path: Path) -> None:
    lines = "mesh  theta 0 1 1 chi 0 1 1 1\n#L Theta  Chi  Monitor\n0 0 5\n1 0 5\n0 1 5\n1 1 5\n"
    assert read_spec(of_scan(tmp_path / "a.spec", lines), 60).is_mesh
    np.save(tmp_path / "a.npy", np.random.default_rng(0).poisson(9.0, (4, 6, 7)))
    with pytest.raises(UserError, match=r"scan 60 is a mesh of two motors .*data\.scan="):
        open_scan(tmp_path / "a.npy", spec=str(tmp_path / "a.spec"), scan=60)


def test_labels_of_spec_columns_are_separated_by_tabs(tmp_path: Path) -> None:
    lines = "ascan  theta 0 1 2 1\n#L Theta\tMonitor\tDet A\n0\t5\t6\n0.5\t5\t6\n1\t5\t6\n"
    read = read_spec(of_scan(tmp_path / "a.spec", lines), 60)
    assert (list(read.columns), read.scanned) == (["Theta", "Monitor", "Det A"], "Theta")


@pytest.mark.parametrize(
    "label", ["Theta (mrad)", "Theta [deg.]", "Theta", "Theta (2)", "Energy (keV)", "camdist [mm]"]
)
def test_units_that_are_known_are_not_warned_about(label: str) -> None:
    assert unknown_unit(label) == []


def test_a_unit_in_brackets_that_is_not_known_is_noted() -> None:
    assert "'steps' is not a known unit" in unknown_unit("Theta (steps)")[0].text
