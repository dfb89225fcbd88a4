import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from spi_lightning.apps.configuration.mistake_lines import one_line
from spi_lightning.apps.configuration.plain_words import command_line
from spi_lightning.apps.evaluate import evaluate
from spi_lightning.data.simulated.making import make_set
from spi_lightning.errors import UserError
from spi_lightning.io.volumes.cxi_image import read_cxi_image
from spi_lightning.io.volumes.laboratory_file import read_laboratory
from spi_lightning.io.volumes.mrc import read_mrc
from spi_lightning.io.volumes.vti import read_vti, read_vti_notes
from spi_lightning.notes import Level
from spi_lightning.results import read
from spi_lightning.simulate.volumes import VolumeSimulator
from tests.reports.again import require_same_page

CONF = Path(__file__).parents[2] / "conf"
NETWORK = ("task.epochs=10", "task.epochs_per_step=5", "network.width=2", "network.levels=2", "task.wrapping=null")
RECIPE = "2*(10*HIO(0.9) + 10*ER) + shrinkwrap(1.0, 0.1)/10"


def run(folder: Path, *overrides: str) -> dict[str, Any]:
    small = (
        f"folder={folder}",
        "device=cpu",
        "volumes.starts=2",
        "volumes.masks=2",
        "volumes.first=1",
        "volumes.gallery=1",
        "volumes.halves=0",
    )
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return evaluate(compose("evaluate", overrides=command_line("evaluate", [*small, *overrides], "data.path")))


def quick(*methods: str) -> list[str]:
    """Settings of methods with which they take no time."""
    words = []
    for method in methods:
        if method in ("untrained_network", "hybrid"):
            words += [f"+settings.{method}.overrides.{word}" for word in NETWORK]
        if method.startswith("iterative"):
            words.append(f'+settings.{method}.recipe="{RECIPE}"')
        if method == "hybrid":
            words.append('+settings.hybrid.then.recipe="10*HIO(0.9) + 10*ER"')
        if method == "gradient":
            words += ["+settings.gradient.steps=20", "+settings.gradient.polish_steps=10"]
    return words


@pytest.fixture(scope="module")
def particles(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("set") / "particles.h5"
    return str(make_set(VolumeSimulator(size=16, object_size=8, block_size=2), 2, 0, path))


@pytest.fixture
def scan(tmp_path) -> str:
    z, y, x = np.meshgrid(*(np.arange(16) - 8,) * 3, indexing="ij")
    density = (abs(z) < 3) & (abs(y) < 2.5) & (abs(x + 0.3 * z) < 3)
    density = density * np.exp(0.2j * z)
    rate = np.abs(np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(density)))) ** 2
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["counts"] = np.random.default_rng(0).poisson(20 * rate)
    return str(tmp_path / "scan.h5")


@pytest.mark.slow
def test_methods_are_compared_on_a_simulated_set(particles, tmp_path, capsys) -> None:
    methods = ("iterative", "gradient", "untrained_network", "hybrid")
    words = ["data=volumes", f"data.path={particles}", f"method=[{','.join(methods)}]", *quick(*methods)]
    out, cache = tmp_path / "out", tmp_path / "cache"
    metrics = run(out, *words, f"cache={cache}")
    assert tuple(metrics["methods"]) == methods
    for numbers in metrics["methods"].values():
        assert numbers["runs"] == 4 and numbers["chi_square"] < 1
        assert {"held_out_chi_square", "held_out_correlation_modified", "free_voxels", "phase_rms"} <= numbers.keys()
        assert numbers["density_error/q1"] <= numbers["density_error"] <= numbers["density_error/q3"]
    means = np.array(metrics["agreement"]["mean_overlap"])
    assert np.allclose(np.diag(means), 1) and np.allclose(means, means.T) and means.min() > 0
    matrix = np.array(metrics["agreement"]["overlap"])
    assert matrix.shape == (4, 4) and np.allclose(np.diag(matrix), 1) and (matrix <= 1 + 1e-9).all()
    assert json.loads((out / "metrics.json").read_text())["methods"].keys() == metrics["methods"].keys()
    page = (out / "report.html").read_text()
    assert page.count("Viewer of triangle meshes") == 1 and "https://" not in page.split("<script>")[0]
    assert page.count('class="surface"') == 2 + 2 * len(methods)
    assert "Fourier spectral weight" in page and "noise-free" in page
    stem = out / "densities" / "iterative" / "particle_0"
    image = read_cxi_image(stem.with_suffix(".cxi"))
    arrays, _ = read_vti(stem.with_suffix(".vti"))
    np.testing.assert_allclose(arrays["amplitude"], np.abs(image.density), rtol=1e-5)
    assert read_mrc(stem.with_suffix(".mrc"))[0].shape == image.density.shape
    assert np.load(stem.with_suffix(".npz"))["density"].dtype == np.complex64
    assert "report.html" in capsys.readouterr().out
    again = run(tmp_path / "again", *words, f"cache={cache}")
    hybrid = read(tmp_path / "again").methods[3]
    assert (hybrid.name, hybrid.kept, hybrid.answers) == ("hybrid", 2, 2)
    assert hybrid.settings["refinement"]["task"]["epochs"] == 10
    assert again["methods"]["hybrid"]["chi_square"] == metrics["methods"]["hybrid"]["chi_square"]
    require_same_page(out)


def test_a_measured_scan_has_halves_and_no_truth(scan, tmp_path) -> None:
    words = ["data=volumes", f"data.path={scan}", "cache=null", "volumes.halves=1"]
    metrics = run(tmp_path / "out", *words, "method=iterative", *quick("iterative"))
    numbers = metrics["methods"]["iterative"]
    assert "fsc/half_bit" in numbers and "density_error" not in numbers and "agreement" not in metrics
    single = ["data=single_volume", f"data.path={scan}", "data.size=16", "data.threshold=0", "cache=null"]
    other = run(tmp_path / "single", *single, "method=iterative", *quick("iterative"))
    assert other["methods"]["iterative"]["chi_square"] == numbers["chi_square"]
    assert not list((tmp_path / "out" / "densities").rglob("*laboratory*"))


def test_a_scan_of_known_geometry_is_also_written_in_the_laboratory_frame(scan, tmp_path) -> None:
    words = ["data=volumes", f"data.path={scan}", "data.size=16", "data.threshold=0", "cache=null", "volumes.masks=1"]
    known = {
        "photon_energy": 9000,
        "distance": 0.5,
        "pixel_size": 55e-6,
        "delta_deg": 32,
        "gamma_deg": 12,
        "step_deg": 0.01,
    }
    words += [f"data.geometry.{name}={value}" for name, value in known.items()]
    run(tmp_path / "out", *words, "method=iterative", *quick("iterative"))
    made = tmp_path / "out" / "densities" / "iterative"
    crystal, title = read_laboratory(made / "scan_laboratory.npz")
    assert title.startswith("iterative, scan") and crystal.support.any() and crystal.strain.isfinite().all()
    assert {path.name for path in made.iterdir()} >= {
        f"scan_laboratory.{kind}" for kind in ("cxi", "vti", "mrc", "npz")
    }
    assert "detector" in read_vti_notes(made / "scan.vti")["frame"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Displacement and strain along Q" in page and "in the laboratory frame: densities/METHOD" in page


def test_a_supervised_run_answers_alone_and_refined(particles, tmp_path) -> None:
    task = {
        "_target_": "spi_lightning.tasks.ComplexReconstruction",
        "network": {
            "_target_": "spi_lightning.networks.ComplexEncoderDecoder",
            "width": 2,
            "levels": 2,
            "box": [8, 8, 8],
            "heads": "bounded",
        },
        "loss": {"_target_": "spi_lightning.losses.SupervisedLoss"},
        "metrics": {"_target_": "spi_lightning.metrics.VolumeMetrics"},
        "optimizer": {"_target_": "torch.optim.Adam", "_partial_": True},
    }
    path = tmp_path / "runs" / "trained" / "checkpoints" / "best.ckpt"
    path.parent.mkdir(parents=True)
    state = instantiate(OmegaConf.create(task)).state_dict()
    torch.save({"state_dict": state, "config": {"task": task}}, path)
    words = ["data=volumes", f"data.path={particles}", f"method={path.parents[1]}", "cache=null", "volumes.masks=1"]
    metrics = run(tmp_path / "out", *words, "+transfer.task.epochs=20")
    alone, refined = metrics["methods"].values()
    assert list(metrics["methods"]) == ["runs/trained", "runs/trained, refined"]
    assert alone["runs"] == refined["runs"] == 1 and refined["chi_square"] < alone["chi_square"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["data=volumes", "method=photon_count"], "answers hits, and this data asks for volumes"),
        (["data=volumes", "method=[iterative]", "data.path=nowhere.h5"], "nowhere.h5"),
        (
            ["data=volumes", "method=[iterative]", "volumes.starts=0"],
            "volumes.starts=0: give a whole number, 1 or more",
        ),
        (["data=volumes", "method=[iterative]", "volumes.masks=few"], "volumes.masks=few: give a whole number"),
        (["data=volumes", "method=[iterative]", "volumes.levels=[low]"], "volumes.levels=['low']: give a list of"),
        (["data=volumes", "method=[iterative]", "volumes.peak_photons=[-1]"], "or null for no noise"),
        (["data=volumes", "method=[iterative]", "volumes.disagreement=x"], "volumes.disagreement=x: give a number"),
        (["data=volumes", "method=[iterative]", "data.path=null"], "data.path=null must be text"),
        (["data=volumes", "method=[hio_er]", "+settings.hio_er.margin=-1"], "margin must be positive"),
        (["data=volumes", "method=[iterative]", "volumes.held_out=0.9"], "held_out=0.9"),
        (["data=volumes", "method=[gradient]", "+settings.gradient.steps=0"], "must be positive"),
        (["data=volumes", "method=[hio_er]", "+settings.hio_er.support=sphere"], "support=sphere is unknown"),
        (
            ["data=volumes", "method=[untrained_network]", "+settings.untrained_network.experiment=shi_tiny_cnn"],
            "not a refinement",
        ),
    ],
)
def test_mistakes_are_one_line(words, line, particles, tmp_path) -> None:
    path = [] if any(word.startswith("data.path") for word in words) else [f"data.path={particles}"]
    with pytest.raises((UserError, InstantiationException)) as caught:
        run(tmp_path / "out", *words, *path, "cache=null")
    messages = one_line(caught.value)
    assert messages is not None and line in messages and "\n" not in messages


def test_the_hundred_seeds_of_wu_compose() -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("evaluate", overrides=["data=volumes", "volumes=wu_100_starts", "data.path=x"])
    assert cfg.volumes.starts == 100 and cfg.volumes.held_out == 0.05 and cfg.volumes.masks == 1


def test_a_method_that_cannot_answer_is_left_out_with_a_note(particles, tmp_path) -> None:
    words = ["data=volumes", f"data.path={particles}", "method=[hybrid,iterative]", "cache=null"]
    quickly = quick("hybrid", "iterative")
    metrics = run(tmp_path / "out", *words, *quickly, "+settings.hybrid.overrides.task.box=2")
    assert list(metrics["methods"]) == ["iterative"]
    notes = read(tmp_path / "out").notes
    assert any(note.level is Level.WARNING and note.text.startswith("hybrid is left out: ") for note in notes)
