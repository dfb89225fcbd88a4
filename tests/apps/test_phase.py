"""python -m spi_lightning.apps.phase on files made here."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from spi_lightning.apps.phase import start
from spi_lightning.data.measurement import Measurement
from spi_lightning.errors import UserError
from spi_lightning.fields import DENSITY
from spi_lightning.io import CxiWriter
from spi_lightning.io.volumes.cxi_image import read_cxi_image
from spi_lightning.phasing import Averaged, Phased, alignment
from spi_lightning.physics.fourier import fourier
from spi_lightning.reconstruction.assessment import judge
from spi_lightning.reconstruction.phase import Task
from spi_lightning.reconstruction.polish import agreeing
from spi_lightning.reconstruction.region import autocorrelation_region, require_determined
from spi_lightning.reconstruction.start import doubts, starting_support, unexplained
from spi_lightning.reports.phasing.verdict import verdict

KNOWN = "phasing.recipe=4*(60*HIO(0.9) + 20*ER)"


def particle(size: int = 48) -> torch.Tensor:
    """A lopsided positive density with sharp parts, 0 outside a triangle."""
    generator = torch.Generator().manual_seed(1)
    y, x = torch.meshgrid(*(torch.arange(size) - size // 2,) * 2, indexing="ij")
    inside = (y > -7) & (x > -6) & (y + x < 7)
    return torch.where(inside, 0.5 + torch.rand(size, size, generator=generator), 0.0)


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    photons = 50 * fourier(particle(), ndim=2).abs().square()
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["counts"] = torch.poisson(40 * photons, generator=torch.Generator().manual_seed(0)).numpy()[None]
        file["good"] = np.ones((48, 48), dtype=np.uint8)
    return tmp_path / "a.h5"


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *words: str) -> dict:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    monkeypatch.setattr(sys, "argv", ["phase", f"hydra.run.dir={folder}", *words])
    start()
    return json.loads((folder / "metrics.json").read_text())


def test_a_measured_pattern_becomes_a_density(measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "inside.npy", particle().numpy() > 0)
    words = [f"data.path={measured}", "data.keys.photons=counts", "data.centre=[24,24]", "data.size=48", KNOWN]
    support = f"support={tmp_path / 'inside.npy'}"
    numbers = run(monkeypatch, tmp_path / "run", *words, support, "starts=6", "halves=true")
    assert 1 <= numbers["kept"] <= 6 and numbers["fourier_error/best"] < 0.15
    image = read_cxi_image(tmp_path / "run" / "result.cxi")
    assert alignment(torch.from_numpy(image.density)[None], particle(), subpixel=True).overlap[0] > 0.95
    assert image.support.sum() < 400 and {"prtf", "error", "fsc"} <= set(image.results)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "agree" in page and "FRC of two halves of the photons" in page


def test_a_simulated_pattern_is_compared_with_its_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photons = (4e4 * fourier(particle(), ndim=2).abs().square()).round().numpy()[None]
    labels = {DENSITY: ((48, 48), np.dtype("float32"))}
    with CxiWriter(tmp_path / "a.cxi", (48, 48), 1, np.dtype("float32"), labels) as cxi:
        cxi.write(0, photons, np.ones((48, 48), dtype=bool), {DENSITY: particle().numpy()[None]}, {})
    words = [f"data.path={tmp_path / 'a.cxi'}", "support=ideal", "data.centre=[24,24]", "data.size=48", "held_out=0"]
    numbers = run(monkeypatch, tmp_path / "run", *words, KNOWN, "starts=4")
    assert numbers["truth/correlation"] > 0.97 and "held_out_error/best" not in numbers


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["support=nowhere"],
            "support=nowhere is neither the run or checkpoint of a network nor one of autocorrelation",
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
        (["data.centre=[x,3]"], "data.centre[0]=x must be a number"),
        (["start_noise=abc"], "start_noise=abc"),
        (["data.adu_per_photon=abc"], "data.adu_per_photon=abc must be a number"),
        (["data.geometry.distance=abc"], "data.geometry.distance=abc must be a number"),
        (["data.geometry.distance=0"], "data.geometry.distance=0 must be a positive number, in m"),
        (["data.geometry.distance=-0.5"], "data.geometry.distance=-0.5 must be a positive number, in m"),
        (["data.geometry.photon_energy=1e30"], "20 to 300000 eV can be; give data.geometry.photon_energy= in eV"),
        (["data.geometry.photon_energy=8.5"], "was it in keV? Then give data.geometry.photon_energy=8500"),
        (["data.geometry.distance=500"], "was it in mm? Then give data.geometry.distance=0.5"),
        (["data.geometry.pixel_size=75"], "was it in um? Then give data.geometry.pixel_size=7.5e-05"),
        (["+data.geometry.energy_ev=9000"], "data.geometry.energy_ev is unknown; choose among distance"),
        (["data.mask_convention=abc"], "data.mask_convention=abc is unknown"),
        (["support_threshold=0"], "support_threshold=0: give a number above 0"),
        (["phasing.recipe=12"], "phasing.recipe=12: give a recipe such as"),
        (["support=triple"], "support=triple is neither"),
        (
            ["support=folder/absent"],
            "support=folder/absent is neither the run or checkpoint of a network nor one of auto",
        ),
        (
            [f"support={__file__}"],
            "test_phase.py, a file of another kind, is neither the run or checkpoint of a network",
        ),
        ([f"start={__file__}"], "test_phase.py, a file of another kind, is neither the run or checkpoint of a network"),
        ([f"support={Path(__file__).parent}"], "the folder holds neither checkpoints/best.ckpt nor"),
        (["start=triple"], "start=triple is neither the run or checkpoint of a network nor one of random"),
    ],
)
def test_mistakes_get_one_line(
    measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, words: list[str], line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    data = [f"data.path={measured}", "data.keys.photons=counts", "data.centre=[24,24]", "data.size=48"]
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
    data = [f"data.path={measured}", "data.keys.photons=counts", "data.centre=[24,24]", "data.size=48", KNOWN]
    with pytest.raises(SystemExit):
        run(monkeypatch, tmp_path / "run", *data, f"support={path}")
    assert words in capsys.readouterr().err.strip().splitlines()[-1] and not (tmp_path / "run").exists()


def test_relative_intensities_are_phased_but_not_divided_in_halves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    np.save(tmp_path / "a.npy", 1e-3 * fourier(particle(), ndim=2).abs().square().numpy())
    words = [f"data.path={tmp_path / 'a.npy'}", "data.centre=[24,24]", "support=triple_intersection", KNOWN]
    numbers = run(monkeypatch, tmp_path / "run", *words, "starts=3")
    page = (tmp_path / "run" / "report.html").read_text()
    assert numbers["fourier_error/best"] < 0.2 and numbers["fourier_error/of_counting"] is None
    assert "the values are no photon counts" in page and "Intensity (relative)" in page and "Photons per" not in page
    assert "ms_per_iteration" not in page and "time per iteration and start (ms)" in page
    assert "All starts began" not in page and "on held-out pixels" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        run(monkeypatch, tmp_path / "again", *words, "halves=true")
    assert "this pattern holds no photon counts" in capsys.readouterr().err


def test_the_start_of_the_least_error_that_is_reported_is_the_reference() -> None:
    amplitude = fourier(particle(), 2).abs()
    everything = torch.ones_like(amplitude, dtype=torch.bool)
    density = torch.stack([torch.zeros_like(particle()), 1.02 * particle()])  # the first iterate had the lesser error
    phased = Phased(density, (particle() > 0).expand(2, -1, -1), torch.tensor([[0.1, 0.3]]), 1.0)
    recipe = SimpleNamespace(iterations=1)
    task = Task(amplitude, everything, ~everything, particle() > 0, None, recipe, "positive", 2, 0)
    assert agreeing(task, amplitude, phased, None, 0.1, False).kept.tolist() == [False, True]


def test_the_best_start_is_one_of_those_kept() -> None:
    amplitude = fourier(particle(), 2).abs()
    everything = torch.ones_like(amplitude, dtype=torch.bool)
    wrong = torch.fft.fftshift(torch.fft.ifft2(torch.fft.ifftshift(amplitude), norm="ortho").real)
    density = torch.stack([wrong, 1.05 * particle(), 1.02 * particle()])  # a start alone, and two that agree
    averaged = Averaged(density[1:].mean(0), density, torch.tensor([False, True, True]), torch.eye(3))
    phased = Phased(density, (particle() > 0).expand(3, -1, -1), torch.zeros(4, 3), 1.0)
    task = Task(
        amplitude, everything, ~everything, particle() > 0, None, SimpleNamespace(iterations=4), "positive", 3, 0
    )
    files, numbers = judge(task, Measurement(amplitude, everything), phased, averaged, None)
    assert numbers["fourier_error/best"] == pytest.approx(0.02, abs=1e-4)
    assert numbers["fourier_error/lowest_of_all_starts"] < 1e-4
    said = verdict(files, numbers)
    assert said.startswith("2 of 3 starts agree; the best of them leaves a relative Fourier error of 0.02")
    assert "A start that agrees with no other leaves" in said and "began from the same" not in said
    assert "names no resolution; phases of 2 unrelated starts agree to 0.64, so 2 starts tell little" in said
    assert numbers["prtf/crossing"] is None


@pytest.mark.parametrize(
    ("start", "words"), [(None, "The starts began apart"), (particle(), "All starts began from the same density")]
)
def test_starts_that_all_converge_are_not_called_one_start(start: torch.Tensor | None, words: str) -> None:
    amplitude = fourier(particle(), 2).abs()
    everything = torch.ones_like(amplitude, dtype=torch.bool)
    density = particle().expand(3, -1, -1)
    averaged = Averaged(density[0], density, torch.ones(3, dtype=torch.bool), torch.ones(3, 3))
    phased = Phased(density, density > 0, torch.zeros(4, 3), 1.0)
    begins = None if start is None else start.expand(3, -1, -1)
    recipe = SimpleNamespace(iterations=4)
    task = Task(amplitude, everything, ~everything, density[0] > 0, begins, recipe, "positive", 3, 0)
    files, numbers = judge(task, Measurement(amplitude, everything), phased, averaged, None)
    assert words in verdict(files, numbers)


def test_side_lobes_of_a_particle_in_two_parts_are_no_noise() -> None:
    y, x = torch.meshgrid(*(torch.arange(128) - 64,) * 2, indexing="ij")
    parts = sum(((y.square() + (x - place).square()) < 36).float() for place in (-18, 18))
    expected = fourier(torch.as_tensor(parts), 2).abs().square()
    counts = torch.poisson(1e6 * expected / expected.sum(), generator=torch.Generator().manual_seed(0))
    measured = Measurement(counts.sqrt(), torch.ones_like(counts, dtype=torch.bool), counted=True)
    region, _ = autocorrelation_region(measured, 0.004)
    assert region[0, 64, 64 + 36] and region[0, 64, 64 - 36] and not region[0, 64, 64 + 18]


@pytest.mark.parametrize(("photons", "background"), [(1.5e3, 0.0), (2e4, 0.05), (1e6, 0.0)])
@pytest.mark.parametrize("hidden", [0.0, 1.5])
def test_noise_background_and_a_small_hole_are_not_taken_for_a_wide_particle(
    photons: float, background: float, hidden: float
) -> None:
    expected = fourier(particle(64), 2).abs().square()
    expected = expected * (photons / expected.sum()) + background
    counts = torch.poisson(expected, generator=torch.Generator().manual_seed(0))
    y, x = torch.meshgrid(*(torch.arange(64) - 32,) * 2, indexing="ij")
    mask = (y.square() + x.square()).sqrt() >= hidden
    cfg = OmegaConf.load(Path(__file__).parents[2] / "conf" / "phase.yaml")
    notes: list[str] = []
    cfg.phasing = {"constraint": "positive"}
    found = starting_support(cfg, Measurement((counts * mask).sqrt(), mask, counted=True), notes)  # type: ignore[arg-type]
    rows, columns = found.nonzero().amax(0) - found.nonzero().amin(0) + 1
    assert max(int(rows), int(columns)) <= 37  # of a particle that spans 19
    assert any("only 1" in str(note) for note in notes) == (photons < 3e3)


def test_a_coarse_pattern_is_refused_with_the_number_and_a_concrete_mend() -> None:
    y, x = torch.meshgrid(*(torch.arange(32) - 16,) * 2, indexing="ij")
    wide = ((y.abs() < 9) & (x.abs() < 7)).float()
    amplitude = 30 * fourier(wide, 2).abs()
    cfg = OmegaConf.load(Path(__file__).parents[2] / "conf" / "phase.yaml")
    cfg.phasing = {"constraint": "positive"}
    everything = torch.ones_like(amplitude, dtype=torch.bool)
    with pytest.raises(UserError, match=r"spans 32 of 32 pixels along axis 0: the oversampling ratio is 1\.94"):
        starting_support(cfg, Measurement(amplitude, everything))  # type: ignore[arg-type]
    everything[15:18, 15:18] = False
    hidden = Measurement(amplitude * everything, everything)
    with pytest.raises(UserError, match=r"9 pixels that are not measured had to be guessed.* give support=box or a"):
        starting_support(cfg, hidden)  # type: ignore[arg-type]
    cfg.support = "box"
    require_determined(starting_support(cfg, hidden), "box", moves=False)  # type: ignore[arg-type]


def test_a_file_that_is_no_network_is_named_as_such_for_a_scan_too() -> None:
    cfg = OmegaConf.load(Path(__file__).parents[2] / "conf" / "phase.yaml")
    cfg.support = __file__
    scan = Measurement(torch.ones(6, 8, 8), torch.ones(6, 8, 8, dtype=torch.bool))
    with pytest.raises(UserError, match=r"support=.*test_phase\.py, a file of another kind, is neither .* nor a \.npy"):
        starting_support(cfg, scan)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kept", "error", "words"),
    [
        (
            [True, True, False],
            0.1,
            "2 of 3 starts agree; the best of them leaves a relative Fourier error of 0.1. The PRTF",
        ),
        ([True, True, False], 0.409, "2 of 3 starts agree with one another but do not fit the pattern; "),
        ([True, False], 0.1, "The other start does not agree with the best; "),
        ([True, False, False], 0.1, "None of the other 2 starts agrees with the best; "),
        ([True], 0.1, "One start, which nothing confirms; "),
    ],
)
def test_the_verdict_claims_no_more_than_was_seen(kept: list[bool], error: float, words: str) -> None:
    files = SimpleNamespace(
        kept=np.array(kept),
        final_error=np.full(len(kept), error),
        held_out_error=np.full(len(kept), np.nan),
        fsc=np.empty(0),
        about={},
        element="pixel",
        known=False,
    )
    assert words in verdict(files, {})  # type: ignore[arg-type]


@pytest.mark.parametrize("counted", [False, True])
def test_a_start_whose_amplitudes_are_not_those_of_the_pattern_is_doubted(counted: bool) -> None:
    density = particle()
    amplitude = fourier(density, 2).abs()
    if counted:
        rate = 1e5 * amplitude.square() / amplitude.square().sum()
        amplitude = torch.poisson(rate, generator=torch.Generator().manual_seed(0)).sqrt()
    measured = Measurement(amplitude, torch.ones_like(amplitude, dtype=torch.bool))
    assert doubts("RUN", 3 * density, measured) == []
    assert unexplained(density, measured) < 0.1
    (told,) = map(str, doubts("RUN", torch.roll(density, 5, 0) + density, measured))
    assert told.startswith("start=RUN: this density leaves a relative Fourier error of 0.")


def test_a_network_is_not_doubted_for_what_lies_outside_the_middle_that_it_saw() -> None:
    density = particle()
    amplitude, seen = fourier(density, 2).abs(), density.shape[-1] // 2
    middle = torch.zeros_like(amplitude, dtype=torch.bool)
    middle[seen // 2 : seen // 2 + seen, seen // 2 : seen // 2 + seen] = True
    wild = torch.where(middle, amplitude, amplitude.max() / 4)
    measured = Measurement(wild, torch.ones_like(middle))
    assert doubts("RUN", density, measured) and doubts("RUN", density, measured, seen) == []


@pytest.mark.parametrize("data", ["single_volume", "volumes", "hits"])
def test_sets_are_not_phased(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, data: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as leaving:
        run(monkeypatch, tmp_path / "run", f"data={data}", "data.path=none.h5")
    assert leaving.value.code == 2
    assert "data=one_frame" in capsys.readouterr().err.strip().splitlines()[-1]
