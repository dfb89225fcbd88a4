"""Refining networks on one pattern: members, best answers, roll back, resume, transfer, and files in the run folder."""

import json
import re
import shutil
import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.errors import InstantiationException
from omegaconf import DictConfig, open_dict
from torch import Tensor

from spi_lightning.apps.train import train
from spi_lightning.errors import UserError
from spi_lightning.io.volumes.laboratory_file import read_laboratory
from spi_lightning.losses import FourierLoss, UnsupervisedLoss
from spi_lightning.networks import ComplexEncoderDecoder, Members
from spi_lightning.optimizers import Alternating
from spi_lightning.phasing.polishing.wrapped import Wrapped, polish_wrapped
from spi_lightning.physics.agreement import chi_square
from spi_lightning.physics.oversampling import Oversampling
from spi_lightning.reports import write_report
from spi_lightning.schedules import AlternateEvery, WeibullWeight
from spi_lightning.simulate.volumes import VolumeSimulator, pattern_of
from spi_lightning.tasks.refining import refinement
from spi_lightning.tasks.refining import refiner as refining
from spi_lightning.tasks.refining.refiner import AXES, Refiner
from tests.apps.configuration.test_resume import PowerCutError, equal
from tests.apps.small_runs import CONF, load
from tests.tasks.test_complex_reconstruction import SMALL as SUPERVISED

SMALL = (
    "data.size=12",
    "data.threshold=0",
    "data.held_out=0.05",
    "network.width=2",
    "network.levels=2",
    "task.epochs=40",
    "task.epochs_per_step=10",
    "task.starts=2",
    "task.candidates=1",
    "task.wrapping.growth=[1.0,2.0]",
    "task.wrapping.steps=10",
    "task.wrapping.recipe=10*ER",
    "tracking=disabled",
    "callbacks.progress=null",
    "+trainer.enable_progress_bar=false",
)

KNOWN = {
    "photon_energy": 9000,
    "distance": 0.5,
    "pixel_size": 55e-6,
    "delta_deg": 32,
    "gamma_deg": 12,
    "step_deg": 0.01,
}
GEOMETRY = tuple(f"data.geometry.{name}={value}" for name, value in KNOWN.items())


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Counts of one particle, as a rocking scan."""
    amplitude, phase = VolumeSimulator(block_size=1, size=12, object_size=6).particles(0, seed=3)
    intensity = pattern_of(amplitude, phase, 12)[0] ** 2
    path = tmp_path_factory.mktemp("scan") / "scan.npy"
    np.save(path, torch.poisson(1e5 * intensity / intensity.max()).numpy())
    return str(path)


def config(tmp_path: Path, *overrides: str, name: str = "run", experiment: str = "wu_untrained") -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        small = [f"experiment={experiment}", f"folder={tmp_path / name}", *SMALL, *overrides]
        return compose("train", overrides=small)


def refiner(count: int = 2, epochs: int = 30, loss: Any = None, optimizer: Any = None, **options: Any) -> Refiner:
    amplitude, phase = VolumeSimulator(block_size=1, size=12, object_size=6).particles(0, seed=3)
    pattern = pattern_of(amplitude, phase, 12)[:, None].expand(count, 1, 12, 12, 12)
    network = ComplexEncoderDecoder(width=2, levels=2, norm="none", heads="bounded", source="latent")
    members = Members(network, count)
    made = (optimizer or (lambda weights: torch.optim.Adam(weights, lr=0.01)))(members.parameters())
    schedule = options.pop("schedule", lambda _: None)(made)
    mask = torch.ones_like(pattern, dtype=torch.bool)
    return Refiner(members, loss or FourierLoss(log_chi_square=1), made, schedule, pattern, mask, epochs, **options)


def test_the_best_answer_is_kept_and_fits_as_reported() -> None:
    running = refiner()
    running.advance(5)
    first = running.best_chi_square.clone()
    running.advance(100)
    assert running.epoch == 30 and (running.best_chi_square < 0.7 * first).all()
    assert running.best is not None
    predicted = torch.fft.fftn(running.best, s=(12, 12, 12), dim=AXES, norm="ortho").abs()
    torch.testing.assert_close(
        chi_square(predicted, running.measured, running.mask), running.best_chi_square, rtol=1e-4, atol=1e-7
    )


@pytest.mark.parametrize("loss", [UnsupervisedLoss(WeibullWeight()), FourierLoss(poisson=1), FourierLoss(chi_square=1)])
def test_every_loss_and_both_optimisers_learn(loss: Any) -> None:
    def adam_sgd(weights: Any) -> Alternating:
        return Alternating(weights, [torch.optim.Adam, torch.optim.SGD], lr=0.006)

    running = refiner(loss=loss, optimizer=adam_sgd, schedule=lambda made: AlternateEvery(made, 10, 0.95), clip=1.0)
    running.advance(1)
    first = running.best_chi_square.clone()
    running.advance(29)
    assert (running.best_chi_square < first).all()
    assert isinstance(running.optimizer, Alternating) and running.optimizer.active == 1  # after 10 + 10 + 10 epochs


def test_a_member_that_breaks_is_rolled_back_and_the_others_go_on() -> None:
    class Breaks:
        calls = 0

        def __call__(self, predicted: Tensor, measured: Tensor, mask: Tensor, progress: float) -> Tensor:
            self.calls += 1
            loss = FourierLoss(log_chi_square=1)(predicted, measured, mask)
            return loss * torch.tensor([1.0, torch.nan]) if self.calls == 4 else loss

    running, sound = refiner(loss=Breaks()), refiner()
    running.advance(10)
    assert running.rollbacks == 1 and running.rate == 0.5 and running.optimizer.param_groups[0]["lr"] == 0.005
    assert torch.isfinite(running.best_chi_square).all()
    assert all(torch.isfinite(weight).all() for weight in running.members.parameters())
    sound.advance(3)
    first = sound.best_chi_square.clone()
    assert (running.best_chi_square <= first + 1e-6).all()


def test_clipping_is_by_member() -> None:
    running = refiner(clip=1e-3, optimizer=lambda weights: torch.optim.SGD(weights, lr=1.0))
    before = [weight.detach().clone() for weight in running.members.parameters()]
    running.advance(1)
    moves = [(after - old).flatten(1) for after, old in zip(running.members.parameters(), before, strict=True)]
    assert torch.cat(moves, 1).norm(dim=1).tolist() == pytest.approx([1e-3, 1e-3], rel=1e-3)


def test_a_measured_file_becomes_a_particle(tmp_path: Path, scan: str, monkeypatch: pytest.MonkeyPatch) -> None:
    polishes: list[Any] = []

    def counted(*configured: Any) -> Wrapped:
        polishes.append(configured)
        return polish_wrapped(*configured)

    monkeypatch.setattr(refinement, "polish_wrapped", counted)
    train(config(tmp_path, f"data.path={scan}", "task.float64=true"))
    assert len(polishes) == 1  # once it is over, not at each look
    numbers = json.loads((tmp_path / "run/metrics.json").read_text())
    assert numbers["train/steps"] == 40 and len(numbers["val/chi_square_of_each"]) == 2
    assert numbers["val/polished_chi_square"] < 0.5 * numbers["val/chi_square"] < 0.5
    assert 0 < numbers["val/polished_held_out_chi_square"] < 1
    with np.load(tmp_path / "run/reconstruction.npz") as file:
        assert file["density"].dtype == np.complex128 and file["density"].shape[0] == 2
        assert file["chi_square"].tolist() == pytest.approx(numbers["val/polished_chi_square_of_each"])
        free = np.count_nonzero(file["density"], axis=(1, 2, 3))
        assert file["free_voxels"].tolist() == free.tolist() and numbers["val/free_voxels"] in free
    assert numbers["val/support_growth"] in (1.0, 2.0)


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU")
def test_networks_can_be_compiled(tmp_path: Path, scan: str) -> None:
    short = (f"data.path={scan}", "task.epochs=10", "task.polish_steps=0")
    for mode in ("null", "default"):
        train(config(tmp_path / mode, *short, f"task.compile={mode}"))
    plain, compiled = (
        json.loads((tmp_path / mode / "run/metrics.json").read_text())["val/chi_square"] for mode in ("null", "default")
    )
    assert compiled == pytest.approx(plain, rel=1e-3)
    with pytest.raises(InstantiationException, match=r"task.compile=fast is unknown"):
        train(config(tmp_path, *short, "task.compile=fast"))


def test_the_best_candidate_of_each_start_is_polished(tmp_path: Path, scan: str) -> None:
    short = (f"data.path={scan}", "task.epochs=10", "task.candidates=3", "task.polish_steps=2", "task.wrapping=null")
    train(config(tmp_path, *short, *GEOMETRY))
    numbers = json.loads((tmp_path / "run/metrics.json").read_text())
    every = load(tmp_path / "run/checkpoints/last.ckpt")["refiner"]["best_chi_square"].view(2, 3).amin(1)
    assert numbers["val/chi_square_of_each"] == pytest.approx(every.tolist(), rel=1e-3)
    with np.load(tmp_path / "run/reconstruction.npz") as file:
        assert numbers["val/free_voxels"] == file["density"][0].size
        assert file["voxel_m"].shape == (3,) and "not perpendicular" in str(file["frame"])
    crystal, title = read_laboratory(tmp_path / "run/scan_laboratory.npz")
    assert crystal.support.any() and title == "scan, the member of least chi square of 2"
    assert "Displacement and strain along Q" in write_report(tmp_path / "run").read_text()


def test_a_copy_resumed_ends_where_the_whole_run_ends(tmp_path: Path, scan: str) -> None:
    recipe = (f"data.path={scan}", "optimizer=adam_sgd", "schedule=alternate_every", "schedule.period=7")
    often = "callbacks.often.every_n_train_steps=1"
    train(config(tmp_path, *recipe, often))
    crash = "+callbacks.crash={_target_: tests.apps.configuration.test_resume.Crash, step: 20}"
    with pytest.raises(PowerCutError):
        train(config(tmp_path, *recipe, often, crash, name="cut"))
    shutil.copytree(tmp_path / "cut", tmp_path / "copy")
    before = {path: path.read_bytes() for path in (tmp_path / "cut").rglob("*") if path.is_file()}
    train(config(tmp_path, *recipe, often, f"resume={tmp_path / 'copy'}", "trust=tests", name="copy"))
    assert before == {path: path.read_bytes() for path in (tmp_path / "cut").rglob("*") if path.is_file()}
    whole, resumed = (load(tmp_path / run / "checkpoints/last.ckpt") for run in ("run", "copy"))
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "refiner", "global_step"):
        assert equal(whole[part], resumed[part]), part


def test_a_schedule_that_waits_for_validations_is_refused(tmp_path: Path, scan: str) -> None:
    cfg = config(tmp_path, f"data.path={scan}")
    with open_dict(cfg):
        cfg.schedule = {"_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau", "_partial_": True}
    with pytest.raises(UserError, match="ReduceLROnPlateau waits for validations"):
        train(cfg)


def test_transfer_starts_from_a_trained_network(tmp_path: Path, scan: str) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        trained = tmp_path / "trained"
        recipe = [*SUPERVISED, "network.width=3", "trainer.max_epochs=1", f"data.cache_dir={tmp_path / 'cache'}"]
        train(compose("train", overrides=[*recipe, f"folder={trained}"]))
    overrides = (f"checkpoint={trained}", f"data.path={scan}", "task.starts=1", "task.epochs=10", "task.polish_steps=5")
    cfg = config(tmp_path, *overrides, experiment="wu_transfer")
    train(cfg)
    assert cfg.network.width == 3  # that of the checkpoint, whatever else was said
    weights = load(tmp_path / "run/checkpoints/last.ckpt")["state_dict"]
    assert weights["members.weights.encoder|0|0|weight"].shape == (1, 3, 1, 3, 3, 3)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("task.box=quarter", r"task\.box=quarter"),
        ("task.box=[40,4,4]", r"from 1 to those of the pattern"),
        ("task.box=40", r"task\.box=40 must be text or a list"),
        ("task.starts=0", "must be above 0"),
        ("task.candidates=0", "1 or more"),
        ("task.wrapping.growth=[]", "growth"),
        ("data.held_out=0.7", r"data\.held_out"),
        ("data.path=nowhere.npy", "no such file"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, scan: str, override: str, words: str) -> None:
    with pytest.raises((UserError, InstantiationException), match=words):  # the doors unwrap the latter
        train(config(tmp_path, f"data.path={scan}", override))


def test_a_key_that_a_scan_does_not_have_is_named(tmp_path: Path, scan: str) -> None:
    with pytest.raises(UserError, match=r"leave out data\.key=wrong"):
        train(config(tmp_path, f"data.path={scan}", "data.key=wrong"))
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["counts"] = np.load(scan)
    with pytest.raises(UserError, match="wrong"):
        train(config(tmp_path, f"data.path={path}", "data.key=wrong"))


def test_a_small_box_is_reported(tmp_path: Path, scan: str) -> None:
    with pytest.warns(UserWarning, match=r"larger than its box, task\.box=\[2, 2, 2\]: .* in 2 along z"):
        train(config(tmp_path, f"data.path={scan}", "task.box=[2,2,2]", "task.epochs=2"))


@pytest.mark.parametrize(("extent", "words"), [(16.04, None), (16.4, r"16\.4 voxels in 16 along x; give more voxels")])
def test_a_tight_box_is_warned_of_by_the_numbers(
    monkeypatch: pytest.MonkeyPatch, extent: float, words: str | None
) -> None:
    particle = Oversampling((9.0, 13.0, extent), (3.5, 2.4, 2.0), 0.01)
    monkeypatch.setattr(refining, "estimate_oversampling", lambda _: particle)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert refining.box_for(torch.ones(1, 1, 32, 32, 32), "half", 1.25) == (16, 16, 16)
    assert len(warned) == (words is not None)
    if words is not None:
        assert re.search(words, str(warned[0].message))


def test_a_particle_that_leans_on_one_face_of_its_box_is_whole() -> None:
    density = torch.zeros(2, 6, 6, 6, dtype=torch.complex64)
    density[:, :5, 1:5, 1:5] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refining.warn_of_the_box(density)
    density[:, :, 1:5] = 1
    with pytest.warns(UserWarning, match="fills its box along z, x from face to face"):
        refining.warn_of_the_box(density)
