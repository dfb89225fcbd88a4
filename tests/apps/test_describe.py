import csv

import h5py
import numpy as np
import pytest

from spi_lightning.io import CxiWriter
from tests.apps.in_process import status


@pytest.fixture
def patterns(tmp_path) -> str:
    rng = np.random.default_rng(0)
    photons = np.zeros((5, 48, 48), dtype=np.uint16)
    photons[:4] = rng.poisson(0.05, (4, 48, 48))
    offset = np.hypot(*np.mgrid[-23.5:24.5, -23.5:24.5])
    photons[3] += rng.poisson(200 * np.exp(-((offset / 8) ** 2))).astype(np.uint16)
    mask = np.ones((48, 48), dtype=bool)
    mask[20:24] = False
    path = tmp_path / "set.cxi"
    with CxiWriter(path, (48, 48), 5, labels={"is_single_hit": ((), "int64"), "kind": ((), "int64")}) as cxi:
        geometry = {"distance": 0.5, "pixel_size": 6e-4, "photon_energy": 1500.0}
        cxi.write(0, photons, mask, {"is_single_hit": [1, 0, 0, 1, -1], "kind": [0, 1, 5, 0, -1]}, geometry)
    return str(path)


def test_describes_a_set_in_words_and_units(patterns, capsys) -> None:
    assert status("describe", patterns) == 0
    out = " ".join(capsys.readouterr().out.replace("│", "").split())
    for words in (
        "CXI 1.60",
        "5 of 48 x 48 pixels, stored as uint16",
        "True = measured: 91.67% of the pixels",
        "1 unknown (-1), 2 not (0), 2 single hit (1)",
        "2 single (0), 1 double (1), 1 contaminant (5)",
        "0.5 m",
        "1500 eV",
        "0 = measured (where CXI keeps its mask)",
        "photons in 5 of 5 patterns",
        "128 to 255",
    ):
        assert words in out


def test_writes_hits_centres_and_sizes_of_every_frame(patterns, tmp_path, capsys) -> None:
    assert status("describe", patterns, f"out={tmp_path / 'out.csv'}", "frames=2") == 0
    assert "5 frames, 1 hits" in capsys.readouterr().out
    rows = list(csv.DictReader((tmp_path / "out.csv").open()))
    assert [row["is_hit"] for row in rows] == ["0", "0", "0", "1", "0"]
    assert [row["is_single_hit"] for row in rows] == ["1", "0", "0", "1", "-1"]
    assert abs(float(rows[3]["beam_row"]) - 23.5) < 0.3
    assert float(rows[3]["diameter_nm"]) > 0
    assert float(rows[3]["sphere_quality"]) > 0.8


def test_without_geometry_sizes_are_left_out_with_a_note(tmp_path, capsys) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(0).poisson(1.0, (2, 16, 16)))
    assert status("describe", str(tmp_path / "a.npy"), f"out={tmp_path / 'out.csv'}") == 0
    assert "no column of sizes: unknown without distance, pixel_size, photon_energy" in capsys.readouterr().out
    assert "diameter_nm" not in (tmp_path / "out.csv").read_text()


def test_settings_for_networks_are_named(tmp_path, capsys) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(0).poisson(1.0, (2, 195, 260)))
    assert status("describe", str(tmp_path / "a.npy")) == 0
    assert "for networks of 64 x 64 pixels: preprocess.bin=3 preprocess.crop=192 (" in capsys.readouterr().out


def test_settings_are_those_of_evaluate(tmp_path, capsys) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"], file["b"] = np.ones((2, 4, 4), dtype=int), np.ones((3, 4, 4), dtype=int)
        file["y"], file["m"] = [0, 1, 1], np.eye(4, dtype=int)
    arguments = ["data.keys.photons=b", "data.keys.label=y", "data.keys.mask=m", "data.mask_convention=bad"]
    assert status("describe", f"data.path={tmp_path / 'a.h5'}", *arguments) == 0
    out = capsys.readouterr().out
    assert "3 of 4 x 4" in out
    assert "1 not (0), 2 single hit (1)" in out
    assert "as set" in out


def test_detector_units_are_recognised_and_their_gain_estimated(tmp_path, capsys) -> None:
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["adu"] = rng.poisson(0.2, (3, 80, 80)) * 100 + rng.normal(0, 10, (3, 80, 80))
    assert status("describe", str(tmp_path / "a.h5")) == 0
    printed = capsys.readouterr()
    assert "not photons" in printed.out and not printed.err
    requested, _, note = printed.out.strip().rpartition("note: to find hits: ")
    gain = float(requested.strip().rpartition("set data.adu_per_photon=")[2])
    assert gain == pytest.approx(100, rel=0.02)
    assert "give data.adu_per_photon=" in note
    assert status("describe", str(tmp_path / "a.h5"), f"out={tmp_path / 'out.csv'}") == 2
    assert not (tmp_path / "out.csv").exists()
    capsys.readouterr()
    assert status("describe", str(tmp_path / "a.h5"), f"data.adu_per_photon={gain}") == 0
    assert "detector units" in capsys.readouterr().out


def test_intensities_that_are_no_counts_are_summarised(tmp_path, capsys) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(0).poisson(2.0, (3, 40, 40)) * 0.37)
    assert status("describe", str(tmp_path / "a.npy")) == 0
    line = capsys.readouterr()
    assert "note: to find hits: " in line.out and not line.err
    assert "0 to " in line.out and "in its own unit" in line.out and "intensities" in line.out


def test_an_index_list_is_no_file_of_patterns(tmp_path, capsys) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["patterns"], file["score"] = np.ones((2, 4, 4), dtype=int), [0.5, 0.25]
    (tmp_path / "list.txt").write_text("a.h5,0\na.h5,1\n")
    assert (
        status("describe", str(tmp_path / "list.txt"), "data.geometry.distance=0.5", "data.geometry.pixel_size=1e-4")
        == 0
    )
    line = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "1 file is read" in line and "0.5 m" in line and "unit 1" not in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.h5"], "gone.h5: there is no such file; check data.path="),
        (["set.cxi", "data.keys.photon=x"], "did you mean data.keys.photons"),
        (["set.cxi", "data.keys.photons=x"], "'x' is not in the file; there are:"),
        (["set.cxi", "data.adu_per_photon=x"], "must be a number"),
        (["set.cxi", "data.mask_convention=x"], "choose one of auto, cxi"),
        (["set.cxi", "frames=0"], "1 or more"),
        (["set.cxi", "out=set.cxi/out.csv"], "cannot be written"),
    ],
)
def test_mistakes_are_one_line_and_status_two(patterns, tmp_path, monkeypatch, capsys, arguments, message) -> None:
    monkeypatch.chdir(tmp_path)
    assert status("describe", *arguments) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.startswith("error: ")
    assert printed.count("\n") == 1


def test_real_patterns(spi_data, tmp_path, capsys) -> None:
    file = spi_data / "spi" / "pr772_dev.h5"
    assert status("describe", str(file), f"out={tmp_path / 'out.csv'}") == 0
    assert "25 frames, 25 hits" in capsys.readouterr().out


@pytest.mark.parametrize(("broken", "word"), [(np.nan, "is not a number"), (-1, "is negative")])
def test_counts_with_broken_pixels_are_refused_in_one_line(tmp_path, capsys, broken, word) -> None:
    frames = np.random.default_rng(0).poisson(0.2, (4, 40, 40)).astype(np.float32)
    frames[1, 3, 4] = frames[2, 5, 5] = broken
    np.save(tmp_path / "a.npy", frames)
    assert status("describe", str(tmp_path / "a.npy")) == 2
    line = capsys.readouterr()
    assert len(line.err.splitlines()) == 1 and f"frame 1 (and 1 more frames): pixel (3, 4) = {broken:g} " in line.err
    assert word in line.err and "photons with a few broken pixels" in " ".join(line.out.split())


def test_names_that_begin_like_options_and_words_that_are_none(patterns, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set.cxi").rename(tmp_path / "-set.cxi")
    assert status("describe", "-set.cxi") == 0
    capsys.readouterr()
    for arguments in (["-gone.cxi"], ["-set.cxi", "frames=a\nerror: b\x1b[31m"], []):
        assert status("describe", *arguments) == 2
        printed = capsys.readouterr().err
        assert printed.startswith("error: ") and printed.count("\n") == 1
