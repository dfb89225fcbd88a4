"""spi orient: with a stand-in for Dragonfly, and with the real one where it is."""

import json
import os
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from spi_lightning.apps import spi
from spi_lightning.io import open_patterns, read_detector
from spi_lightning.io.dragonfly.output import read_output
from spi_lightning.orientation.dragonfly import PROGRAM
from spi_lightning.physics.rotations.orientations import symmetry_group, viewing_directions
from spi_lightning.reports.orientation.maps import circles_figure, density_figure, smoothed_density
from spi_lightning.results import read
from spi_lightning.results.orientation import OrientationResult
from tests.io.dragonfly.test_output import write_old
from tests.orientation.stand_in import stand_in
from tests.reports.again import require_same_page

PATTERNS = 40


@pytest.fixture(scope="module")
def patterns(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty solid icosahedra on 32 x 32 pixels, with their orientations."""
    path = tmp_path_factory.mktemp("patterns") / "ico.cxi"
    make(path, PATTERNS, "simulate.shape=[32,32]", "simulate.block_size=20", "simulate.samples=16")
    return path


def make(path: Path, count: int, *settings: str) -> None:
    kept, sys.argv = sys.argv, ["simulate", "simulate=solid_icosahedra", f"patterns={count}", f"path={path}", *settings]
    try:
        spi.run("simulate")
    finally:
        sys.argv = kept
        os.environ.pop("HYDRA_FULL_ERROR", None)


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str) -> dict[str, object]:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    monkeypatch.setattr(sys, "argv", ["orient", f"hydra.run.dir={folder}", "iterations=3", *arguments])
    spi.run("orient")
    numbers: dict[str, object] = json.loads((folder / "metrics.json").read_text())
    return numbers


def fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str) -> str:
    with pytest.raises(SystemExit) as left:
        run(monkeypatch, folder, *arguments)
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error.splitlines()[-1] and error.splitlines()[-1].startswith("error: ")
    return error


@pytest.mark.parametrize("symmetry", ["none", "icosahedral"])
def test_everything_is_in_the_run_folder(
    symmetry: str,
    patterns: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", f"{stand_in(tmp_path).parent}{os.pathsep}{os.environ['PATH']}")
    settings = (f"data.path={patterns}", f"symmetry={symmetry}", "threads=2", "emc.num_div=4", "+emc.alpha=0.2")
    settings += ("+emc.point_group=icosahedral",)
    settings += (f"dragonfly={PROGRAM}",)  # by its name in PATH
    numbers = run(monkeypatch, tmp_path / "run", *settings)
    names = {item.name for item in (tmp_path / "run").iterdir()}
    assert names >= {"config.yaml", "versions.json", "metrics.json", "report.html", "orientation.h5", "dragonfly.log"}
    assert [item.name for item in (tmp_path / "run" / "data").iterdir()] == ["output_003.h5"]
    lines = (tmp_path / "run" / "config.ini").read_text().splitlines()
    assert {"num_div = 4", "alpha = 0.2", "point_group = A5", "save_prob = 1", "need_scaling = 1"} <= set(lines)
    assert "-t 2 3" in (tmp_path / "run" / "dragonfly.log").read_text()
    assert numbers["patterns"] == PATTERNS and numbers["orientations"] == 500 and numbers["iteration"] == 3
    recovery, test = numbers["recovery"], numbers["uniformity"]
    assert isinstance(recovery, dict) and isinstance(test, dict)
    assert recovery["median_error_deg"] > 15 and test["p_value"] > 1e-4  # found at random, so evenly
    printed = capsys.readouterr().out
    assert "Orientations are not distinguishable from even: p = " in printed and "recovered to" in printed
    page = (tmp_path / "run" / "report.html").read_text()
    for title in ("Orientation probabilities", "Central slices", "Mutual information", "Patterns and best matching"):
        assert title in page
    assert "1/nm" not in page  # inside pictures only


def test_outputs_of_all_iterations_are_kept_by_a_setting(
    patterns: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = stand_in(tmp_path)
    run(monkeypatch, tmp_path / "run", f"data.path={patterns}", f"dragonfly={tmp_path}", "keep=all", "examples=0")
    assert len(list((tmp_path / "run" / "data").iterdir())) == 4
    assert program.is_file()


def test_an_earlier_run_is_read_again(patterns: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(monkeypatch, tmp_path / "a", f"data.path={patterns}", f"dragonfly={stand_in(tmp_path)}")
    monkeypatch.setenv("PATH", "")
    again = run(monkeypatch, tmp_path / "b", f"data.path={patterns}", f"output={tmp_path / 'a'}", "examples=2")
    assert again == first
    require_same_page(tmp_path / "b")
    files = read(tmp_path / "b")
    assert isinstance(files, OrientationResult)
    assert files.log["iteration"].tolist() == [1, 2, 3]
    assert files.examples is not None and files.examples.photons.shape[0] == 2
    wavelength = 1.23984198e-6 / 1600
    assert files.voxel == pytest.approx(1.2e-3 / (0.58 * wavelength), rel=1e-4)


def test_absent_dragonfly_is_a_sentence_with_the_install_line(
    patterns: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    error = fails(monkeypatch, capsys, tmp_path / "run", f"data.path={patterns}", f"dragonfly={PROGRAM}")
    assert "Dragonfly is not installed (not at dragonfly=dragonfly.emc)" in error
    assert "pip install mpi4py dragonfly-spi" in error and "without dragonfly= the EMC of this package runs" in error
    assert len(error.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("trouble", "says", "displayed"),
    [
        ("raise ValueError('Unknown point group: I')", "left with status 1 after 0 of 3", "Unknown point group: I"),
        ("import os; os.kill(os.getpid(), 9)", "was killed by signal 9 after 0 of 3 iterations, perhaps", "threads"),
        ("sys.exit(0)", "left with status 0 after 0 of 3 iterations", "threads"),
        ("sys.exit(\"ModuleNotFoundError: No module named 'mpi4py'\")", "pip install mpi4py", "No module named"),
    ],
)
def test_failing_dragonfly_shows_its_log(
    trouble: str,
    says: str,
    displayed: str,
    patterns: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trouble = f"sys.stdout.flush(); {trouble}"
    settings = (f"data.path={patterns}", f"dragonfly={stand_in(tmp_path, trouble)}")
    error = fails(monkeypatch, capsys, tmp_path / "run", *settings)
    assert says in error.splitlines()[-1] and displayed in error
    assert not (tmp_path / "run" / "metrics.json").exists()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (("data.path=null",), "data.path has no value"),
        (("data.path={}/nothing.cxi",), "there is no such file"),
        (("data.path={}",), "holds no selection/selected.emc of an evaluation"),
        (("symmetry=cubic",), "symmetry=cubic is unknown; choose one of none, icosahedral"),
        (("iterations=0",), "iterations=0 must be above 0"),
        (("keep=some",), "keep=some must be last or all"),
        (("crop=80",), "crop=80: with the beam at row 15.5, column 15.5 of 32 x 32 pixels and bin=1"),
        (("bin=0",), "bin=0 must be above 0"),
        (("rings.inner=20", "rings.outer=10"), "rings.inner=20 must lie below rings.outer=10"),
        (("output={}/nowhere",), "there is no such Dragonfly output"),
        (("orient=nothing",), "orient=nothing is unknown"),
        (("start.seeed=1",), "seeed"),
        (
            ("dragonfly=null", "+emc.num_modes=2"),
            "emc.num_modes=2: the EMC of this package knows num_div, need_scaling",
        ),
        (("dragonfly=null", "emc.num_div=0"), "emc.num_div=0 must be above 0"),
        (("dragonfly=null", "emc.beta_schedule=1"), "emc.beta_schedule=1: give growth and period, such as 1.25 1"),
        (("start.count=2",), "start.count=2: Dragonfly is run once"),
        (("start.kind=flat",), "start.kind=flat: give profile or random"),
        (("dragonfly=null", "device=nowhere"), "device=nowhere is not available here"),
    ],
)
def test_a_mistake_is_one_line(
    settings: tuple[str, ...],
    says: str,
    patterns: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    program = stand_in(tmp_path)
    settings = tuple(setting.format(tmp_path) for setting in settings)
    error = fails(monkeypatch, capsys, tmp_path / "run", f"dragonfly={program}", f"data.path={patterns}", *settings)
    assert says in error


def test_an_output_of_other_patterns_is_refused(
    patterns: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_old(tmp_path / "old")
    settings = (f"data.path={patterns}", f"output={folder}", f"quaternions={folder / 'quat.dat'}")
    assert "is of 3 patterns" in fails(monkeypatch, capsys, tmp_path / "run", *settings)


def test_the_configuration_of_shi_composes(patterns: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ("orient=shi_orientations", f"data.path={patterns}", f"dragonfly={stand_in(tmp_path)}", "crop=28")
    run(monkeypatch, tmp_path / "run", *settings)
    assert "num_div = 6" in (tmp_path / "run" / "config.ini").read_text()
    detector = read_detector(tmp_path / "run" / "detector.h5")
    assert detector.shape == (28, 28) and set(np.unique(detector.classes)) == {0, 1, 2}


def test_without_dragonfly_the_emc_of_this_package_writes_the_same_files(
    patterns: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = (f"data.path={patterns}", "emc.num_div=2", "device=cpu", "symmetry=icosahedral")
    numbers = run(monkeypatch, tmp_path / "run", *settings)
    assert numbers["orientations"] == 420 and numbers["iteration"] == 3 and numbers["patterns"] == PATTERNS
    assert [item.name for item in (tmp_path / "run" / "data").iterdir()] == ["output_003.h5"]
    assert "recovered to" in capsys.readouterr().out and (tmp_path / "run" / "report.html").is_file()
    again = run(monkeypatch, tmp_path / "b", *settings, f"output={tmp_path / 'run'}")
    assert again == numbers
    longer = run(monkeypatch, tmp_path / "run", *settings, "iterations=4")  # goes on
    assert longer["iteration"] == 4 and len((tmp_path / "run" / "EMC.log").read_text().splitlines()) == 7


def test_the_likeliest_of_several_starts_counts(
    patterns: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = (f"data.path={patterns}", "emc.num_div=2", "start.count=3", "start.kind=random", "start.seed=5")
    numbers = run(monkeypatch, tmp_path / "run", *settings)
    likelihood = numbers["starts"]
    assert isinstance(likelihood, dict) and set(likelihood) == {"5", "6", "7"} and len(set(likelihood.values())) == 3
    best = max(likelihood, key=lambda seed: likelihood[seed])
    for name in ("EMC.log", "data/output_003.h5"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "run" / "starts" / best / name).read_bytes()


def test_maps_show_a_belt_where_it_is() -> None:
    draw = np.random.default_rng(0)
    quaternion = draw.normal(size=(3000, 4))
    quaternion /= np.linalg.norm(quaternion, axis=1, keepdims=True)
    height = viewing_directions(torch.from_numpy(quaternion)).numpy()[:, 0]
    probability = (np.abs(height) < 0.2).astype(float)
    empty = np.zeros(0)
    files = OrientationResult(
        empty.astype(int), quaternion, np.full(3000, 1 / 3000), probability, empty.astype(int), empty.astype(int),
        empty, np.ones((3, 5, 5)), np.nan, "none",
    )  # fmt: skip
    density = smoothed_density(files, np.array([[0.0, 0.6, 0.8], [1.0, 0.0, 0.0]]))
    assert density[0] > 3 and density[1] < 0.05
    for picture in (circles_figure(files), density_figure(files)):
        assert picture.axes[0].name == "hammer"


def dragonfly() -> str:
    """The real program, from $SPI_DRAGONFLY or PATH."""
    found = os.environ.get("SPI_DRAGONFLY") or shutil.which(PROGRAM)
    if not found:
        pytest.skip(f"Dragonfly is not installed: no {PROGRAM} in PATH, nor SPI_DRAGONFLY")
    return found


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("route", ["native", "dragonfly"])
def test_icosahedra_are_recovered_and_a_belt_is_found(
    route: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orientations up to symmetry and one rotation, to less than the sampling step; a belt is not even."""
    program = "null" if route == "native" else dragonfly()
    make(tmp_path / "all.cxi", 1500, "seed=11")
    known = torch.from_numpy(open_patterns(tmp_path / "all.cxi").labels["orientation"]).double()
    fivefold = torch.tensor([0.0, 1.0, (1 + 5**0.5) / 2], dtype=torch.float64)
    height = viewing_directions(known) @ (fivefold / fivefold.norm())
    belt = np.flatnonzero(height.abs().numpy() < np.sin(np.radians(10)))[:250]
    assert len(belt) > 200
    settings = (f"dragonfly={program}", "symmetry=icosahedral", "crop=36", "emc.num_div=4", "iterations=18")
    sets = (("control", np.arange(250, 500)), ("even", np.arange(250)), ("belt", belt))
    for name, frames in sets:
        np.savetxt(tmp_path / f"{name}.txt", frames, fmt="%d")
        chosen = (f"data.path={tmp_path / 'all.cxi'}", f"data.keys.index={tmp_path / name}.txt")
        control = [] if name == "control" else [f"control={tmp_path / 'control'}"]
        numbers = run(monkeypatch, tmp_path / name, *chosen, *settings, *control)
        assert numbers["recovery"]["median_error_deg"] < 0.5 * numbers["sampling_step_deg"], name
        assert numbers["icosahedral_share"] > 0.7, name
        if name != "control":
            p = numbers["uniformity"]["p_value"]
            assert p < 1e-6 if name == "belt" else p > 1e-3
    output = read_output(tmp_path / "even")
    assert len(output.quaternion) == 10 * (5 * 4**3 + 4) and output.weight.sum() == pytest.approx(1)
    assert len(symmetry_group("icosahedral")) == 60
    with h5py.File(tmp_path / "even" / "orientation.h5") as file:
        assert file["probability"][()].sum() > 200
