"""spi phase on files made here."""

import json
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from spi_lightning.apps import spi
from spi_lightning.fields import DENSITY
from spi_lightning.io import CxiWriter
from spi_lightning.io.volumes.cxi_image import read_cxi_image
from spi_lightning.phasing import alignment
from spi_lightning.physics.fourier import fourier
from tests.phasing.lopsided import lopsided
from tests.reconstruction.merged_file import body, write_beside, write_merged
from tests.reports.again import require_same_page

KNOWN = "phasing.recipe=4*(60*HIO(0.9) + 20*ER)"


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    photons = 50 * fourier(lopsided(), ndim=2).abs().square()
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["counts"] = torch.poisson(40 * photons, generator=torch.Generator().manual_seed(0)).numpy()[None]
        file["good"] = np.ones((48, 48), dtype=np.uint8)
    return tmp_path / "a.h5"


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *words: str) -> dict:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    monkeypatch.setattr(sys, "argv", ["phase", f"hydra.run.dir={folder}", *words])
    spi.run("phase")
    return json.loads((folder / "metrics.json").read_text())


def test_a_measured_pattern_becomes_a_density(measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "inside.npy", lopsided().numpy() > 0)
    words = [f"data.path={measured}", "data.keys.photons=counts", "data.beam_centre=[24,24]", "data.crop=48", KNOWN]
    support = f"support={tmp_path / 'inside.npy'}"
    numbers = run(monkeypatch, tmp_path / "run", *words, support, "starts=6", "halves=true")
    assert 1 <= numbers["kept"] <= 6 and numbers["fourier_error/best"] < 0.15
    image = read_cxi_image(tmp_path / "run" / "result.cxi")
    assert alignment(torch.from_numpy(image.density)[None], lopsided(), subpixel=True).overlap[0] > 0.95
    assert image.support.sum() < 400 and {"prtf", "error", "fsc"} <= set(image.results)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "agree" in page and "FRC of two halves of the photons" in page
    require_same_page(tmp_path / "run")


def test_a_simulated_pattern_is_compared_with_its_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photons = (4e4 * fourier(lopsided(), ndim=2).abs().square()).round().numpy()[None]
    labels = {DENSITY: ((48, 48), np.dtype("float32"))}
    with CxiWriter(tmp_path / "a.cxi", (48, 48), 1, np.dtype("float32"), labels) as cxi:
        cxi.write(0, photons, np.ones((48, 48), dtype=bool), {DENSITY: lopsided().numpy()[None]}, {})
    words = [
        f"data.path={tmp_path / 'a.cxi'}",
        "support=ideal",
        "data.beam_centre=[24,24]",
        "data.crop=48",
        "held_out=0",
    ]
    numbers = run(monkeypatch, tmp_path / "run", *words, KNOWN, "starts=4")
    assert numbers["truth/correlation"] > 0.97 and "held_out_error/best" not in numbers


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["support=nowhere"],
            "support=nowhere is neither the run, checkpoint or name (spi weights) of a network nor one of auto",
        ),
        (["support=missing.npy"], "support=missing.npy: cannot be read"),
        (["support=ideal"], "needs the density of a simulated file"),
        (["held_out=0.7"], "held_out=0.7"),
        (["starts=0"], "starts=0"),
        (["held_out=x"], "held_out=x must be a number"),
        (["disagreement=x"], "disagreement=x must be a number"),
        (["halves=maybe"], "halves=maybe must be true or false"),
        (["phasing.constraint=foo"], "constraint='foo'"),
        (["phasing.recipe=50*ER + 20*HOI(0.9)"], "HOI"),
        (["data.bin=6"], "oversampling ratio"),
        (["phasing=unknown"], "phasing=unknown is unknown"),
        (["data.frame=7"], "has frames 0 to 0"),
        (["data.frame=x"], "data.frame=x must be a whole number"),
        (["data.bin=x"], "data.bin=x must be a whole number"),
        (["data.threshold=x"], "data.threshold=x must be a number"),
        (["data.beam_centre=[x,3]"], "data.beam_centre[0]=x must be a number"),
        (["start_noise=abc"], "start_noise=abc"),
        (["data.adu_per_photon=abc"], "data.adu_per_photon=abc must be a number"),
        (["data.geometry.distance=abc"], "data.geometry.distance=abc must be a number"),
        (["data.geometry.distance=0"], "data.geometry.distance=0 must be a positive number, in m"),
        (["data.geometry.distance=-0.5"], "data.geometry.distance=-0.5 must be a positive number, in m"),
        (["data.geometry.photon_energy=1e30"], "20 to 300000 eV is possible; give data.geometry.photon_energy= in eV"),
        (["data.geometry.photon_energy=8.5"], "was it in keV? Then give data.geometry.photon_energy=8500"),
        (["data.geometry.distance=500"], "was it in mm? Then give data.geometry.distance=0.5"),
        (["data.geometry.pixel_size=75"], "was it in um? Then give data.geometry.pixel_size=7.5e-05"),
        (["+data.geometry.delta_deg=32"], "data.geometry.delta_deg is unknown; choose among distance"),
        (["data.mask_convention=abc"], "data.mask_convention=abc is unknown"),
        (["support_threshold=0"], "support_threshold=0: give a number above 0"),
        (["phasing.recipe=12"], "phasing.recipe=12: give a recipe such as"),
        (["support=triple"], "support=triple is neither"),
        (
            ["support=folder/absent"],
            "support=folder/absent is neither the run, checkpoint or name (spi weights) of a network nor one of auto",
        ),
        (
            [f"support={__file__}"],
            "test_phase.py, a file of another kind, is neither the run, checkpoint",
        ),
        ([f"start={__file__}"], "test_phase.py, a file of another kind, is neither the run, checkpoint"),
        ([f"support={Path(__file__).parent}"], "the folder holds neither checkpoints/best.ckpt nor"),
        (
            ["start=triple"],
            "start=triple is neither the run, checkpoint or name (spi weights) of a network nor one of random",
        ),
    ],
)
def test_mistakes_get_one_line(
    measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, words: list[str], line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    data = [f"data.path={measured}", "data.keys.photons=counts", "data.beam_centre=[24,24]", "data.crop=48"]
    with pytest.raises(SystemExit) as leaving:
        run(monkeypatch, tmp_path / "run", *data, *words)
    assert leaving.value.code == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and line in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.random.default_rng(0).random((48, 48)), "it holds other values than True and False"),
        (np.full((48, 48), np.nan), "it holds other values than True and False"),
        (np.zeros((48, 48), dtype=bool), "it is empty"),
        (np.ones((48, 48), dtype=bool), "it is True everywhere"),
        (np.arange(48 * 48).reshape(48, 48) % 3 > 0, "needs one that holds half or less; add + shrinkwrap"),
        (np.zeros((8, 8), dtype=bool), "its shape (8, 8) is not that of the pattern"),
        (None, "cannot be read; save a bool array"),
    ],
)
def test_a_support_that_says_nothing_is_refused_and_leaves_no_folder(
    measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, values: np.ndarray | None, words: str
) -> None:
    path = tmp_path / "s.npy"
    if values is None:
        path.write_text("hello")
    else:
        np.save(path, values)
    data = [f"data.path={measured}", "data.keys.photons=counts", "data.beam_centre=[24,24]", "data.crop=48", KNOWN]
    with pytest.raises(SystemExit):
        run(monkeypatch, tmp_path / "run", *data, f"support={path}")
    assert words in capsys.readouterr().err.strip().splitlines()[-1] and not (tmp_path / "run").exists()


def test_relative_intensities_are_phased_but_not_divided_in_halves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    np.save(tmp_path / "a.npy", 1e-3 * fourier(lopsided(), ndim=2).abs().square().numpy())
    words = [f"data.path={tmp_path / 'a.npy'}", "data.beam_centre=[24,24]", "support=triple_intersection", KNOWN]
    numbers = run(monkeypatch, tmp_path / "run", *words, "starts=3")
    page = (tmp_path / "run" / "report.html").read_text()
    assert numbers["fourier_error/best"] < 0.2 and numbers["fourier_error/of_counting"] is None
    assert "the values are not photon counts" in page and "Intensity (relative)" in page and "Photons per" not in page
    assert "ms_per_iteration" not in page and "time per iteration and start (ms)" in page
    assert "All starts began" not in page and "on held-out pixels" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        run(monkeypatch, tmp_path / "again", *words, "halves=true")
    assert "this pattern holds no photon counts" in capsys.readouterr().err


@pytest.mark.parametrize("data", ["single_volume", "volumes", "hits"])
def test_sets_are_not_phased(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, data: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as leaving:
        run(monkeypatch, tmp_path / "run", f"data={data}", "data.path=none.h5")
    assert leaving.value.code == 2
    assert "data=one_frame" in capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize("named", [(), ("data=merged_intensity",)])
def test_a_merged_intensity_is_phased_as_a_real_density(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, named: tuple[str, ...]
) -> None:
    path = write_merged(tmp_path / "emc" / "data" / "output_020.h5", body(), hole=2.5)
    write_beside(tmp_path / "emc")
    words = [
        *named,
        f"data.path={path if named else path.parent.parent}",
        "starts=2",
        "phasing.recipe=20*HIO(0.9) + 5*ER",
    ]
    numbers = run(monkeypatch, tmp_path / "run", *words)
    printed = capsys.readouterr().out
    assert "as of a real, positive density" in printed and "Bragg" not in printed
    assert ("is taken as one (data=merged_intensity)" in printed) == (not named)
    assert numbers["size/longest_nm"] > 0
    page = (tmp_path / "run" / "report.html").read_text()
    assert "origin at voxel 24 as Dragonfly defines it" in page
    require_same_page(tmp_path / "run")


def test_a_detector_file_says_that_it_is_a_merged_intensity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    path = write_merged(tmp_path / "output_020.h5", body())
    write_beside(tmp_path, wavelength=None)
    words = [f"data.detector={tmp_path / 'detector.h5'}", "data.geometry.photon_energy=6000"]
    run(monkeypatch, tmp_path / "run", f"data.path={path}", *words, "starts=2", "phasing.recipe=10*HIO(0.9) + 5*ER")
    assert "data.detector is a setting of merged intensities alone" in capsys.readouterr().out.replace("\n", " ")
