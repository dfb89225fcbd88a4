import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

import spi_lightning.apps.process.entry  # noqa: F401  registers the resolvers of the configuration
from spi_lightning.apps import spi
from spi_lightning.apps.configuration.plain_words import command_line
from spi_lightning.apps.evaluate import evaluate
from spi_lightning.errors import UserError
from spi_lightning.methods import PhotonCount
from spi_lightning.metrics import describe_patterns
from spi_lightning.progress import Listener
from spi_lightning.results import read
from spi_lightning.results.hit_answer import HitPart

ROOT = Path(__file__).parents[2]
TASK = {
    "_target_": "spi_lightning.tasks.HitClassification",
    "network": {"_target_": "spi_lightning.networks.TinyCNN", "size": 24},
    "preprocess": {"_target_": "spi_lightning.data.transforms.Preprocess"},
    "loss": {"_target_": "spi_lightning.losses.binary_cross_entropy", "_partial_": True},
    "metrics": {"_target_": "spi_lightning.metrics.HitMetrics"},
    "optimizer": {"_target_": "torch.optim.Adam", "_partial_": True},
}


@pytest.fixture
def hits(tmp_path) -> str:
    """24 patterns of 24 x 24 pixels under odd names, labelled, with a mask of 1 = bad."""
    random = np.random.default_rng(0)
    label = np.arange(24) % 2
    radius = np.hypot(*np.mgrid[-11.5:12.5, -11.5:12.5])
    with h5py.File(tmp_path / "hits.h5", "w") as file:
        rate = (0.2 + 8 * label[:, None, None]) * np.exp(-((radius / 5) ** 2))
        file["frames"] = random.poisson(rate).astype(np.uint16)
        file["truth"] = label
        file["bad"] = (radius < 2).astype(np.uint8)
    return str(tmp_path / "hits.h5")


@pytest.fixture
def make_run(tmp_path) -> Callable[[int], Path]:
    def make(seed: int) -> Path:
        torch.manual_seed(seed)
        task = instantiate(TASK)
        path = tmp_path / "runs" / f"seed_{seed}" / "checkpoints" / "best.ckpt"
        path.parent.mkdir(parents=True)
        torch.save({"state_dict": task.state_dict(), "config": {"task": TASK}}, path)
        return path.parents[1]

    return make


def run(folder: Path, *overrides: str) -> dict[str, Any]:
    small = (f"folder={folder}", "bootstrap.replicates=50", "report.gallery=2", "device=cpu", "cache=null")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return evaluate(compose("evaluate", overrides=command_line("evaluate", [*small, *overrides], "data.path")))


def keys(path: str) -> list[str]:
    names = ["data.keys.photons=frames", "data.keys.label=truth", "data.keys.mask=bad", "data.mask_convention=bad"]
    return [f"data.path={path}", *names]


def test_an_evaluation_leaves_numbers_predictions_lists_and_a_page(hits, make_run, tmp_path, capsys) -> None:
    metrics = run(tmp_path / "out", f"checkpoint={make_run(0)}", *keys(hits), "data.exclude=[3,5]")
    out = tmp_path / "out"
    written = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert {"config.yaml", "versions.json", "metrics.json", "predictions.csv", "predictions.h5"} <= written
    assert {"selection/index.txt", "report.html"} <= written
    assert json.loads((out / "metrics.json").read_text()) == metrics
    assert metrics["test/frames"] == 24 and metrics["test_kept/frames"] == 22
    assert metrics["test/accuracy/low"] <= metrics["test/accuracy"] <= metrics["test/accuracy/high"]
    rows = list(csv.DictReader((out / "predictions.csv").open()))
    assert [row["frame"] for row in rows] == [str(i) for i in range(24)]
    assert {"score", "probability", "decision", "abstain", "is_single_hit", "is_hit", "beam_row"} <= rows[0].keys()
    assert [row["excluded"] for row in rows[:6]] == ["0", "0", "0", "1", "0", "1"]
    assert any("1 = bad" in str(note) or "0 = measured" in str(note) for note in read(out).notes)
    printed = capsys.readouterr().out
    assert "report.html" in printed and "without 2 frames, excluded" in printed


def test_checkpoints_and_a_baseline_stand_beside_their_ensemble(hits, make_run, tmp_path) -> None:
    runs = [make_run(seed) for seed in (0, 1)]
    metrics = run(tmp_path / "out", f"checkpoint={tmp_path}/runs/*", "method=photon_count", *keys(hits))
    assert list(metrics["methods"]) == ["photon_count", *(f"runs/{path.name}" for path in runs), "ensemble"]
    assert metrics["test/auroc"] == metrics["methods"]["ensemble"]["test/auroc"]
    assert metrics["methods"]["photon_count"]["test/auroc"] > 0.95
    single = [metrics["methods"][f"runs/seed_{seed}"]["test/auroc"] for seed in (0, 1)]
    assert metrics["spread"]["test/auroc/mean"] == pytest.approx(np.mean(single))
    result = read(tmp_path / "out")
    mean = (result.answers[1].probability + result.answers[2].probability) / 2
    np.testing.assert_allclose(result.primary.probability, mean, rtol=1e-6)


def test_methods_by_name_and_by_path_are_compared_on_the_same_frames(hits, make_run, tmp_path) -> None:
    both = f"method=[photon_count,{make_run(0)}]"
    metrics = run(tmp_path / "out", both, *keys(hits))
    assert list(metrics["methods"]) == ["photon_count", "runs/seed_0"]
    comparison = metrics["comparison"]
    assert comparison["methods"] == ["photon_count", "runs/seed_0"]
    assert len(comparison["mcnemar"]) == 1 and comparison["agreement"][0][0] == 1
    assert sum(group["frames"] for group in comparison["groups"] if group["methods"] == [0, 1]) == comparison["common"]
    assert (tmp_path / "out" / "selection" / "common" / "index.txt").is_file()
    assert "Methods compared" in (tmp_path / "out" / "report.html").read_text()


def test_an_unlabelled_file_is_predicted_without_numbers(hits, make_run, tmp_path) -> None:
    unlabelled = [word for word in keys(hits) if "keys.label" not in word]
    metrics = run(tmp_path / "out", f"checkpoint={make_run(0)}", *unlabelled, "frame_columns=0")
    assert metrics == {"frames": 24}
    assert "no metrics" in (tmp_path / "out" / "report.html").read_text()


def test_what_is_selected_follows_the_decision(hits, tmp_path) -> None:
    run(tmp_path / "out", "method=photon_count", *keys(hits), "decision.abstain_within=0")
    chosen = np.flatnonzero(read(tmp_path / "out").primary.decision)
    lines = (tmp_path / "out" / "selection" / "index.txt").read_text().splitlines()[1:]
    assert [int(line.split(",")[1]) for line in lines] == chosen.tolist()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], "nothing to evaluate"),
        (["checkpoint=nowhere"], "nowhere"),
        (["checkpoint=hits.h5"], "not a checkpoint"),
        (["method=photon_count", "data.exclude=[99]"], "frame 99"),
        (["method=photon_count", "data.exclude=[a]"], "data.exclude"),
        (["method=photon_count", "data.exclude=[1]", "data.keys.label=null"], "no labels"),
        (["method=photon_count", "data.keys.label=lable"], "lable"),
        (["method=photon_count", "data.path=gone.h5"], "gone.h5"),
        (["method=photon_count", "decision.threshold=2"], "decision.threshold"),
        (["method=photon_count", "report.embedding=umap"], "pca or tsne"),
        (["method=[photon_count,graph_cutt]"], "graph_cutt is neither.*did you mean graph_cut"),
        (["method=photon_count", "+settings.photon_count.k=3"], "photon_count.k is unknown"),
        (["method=photon_count", "+settings.graph_cut.k=3"], "does not hold graph_cut"),
        (["method=photon_count", "training_labels.folds=1"], "training_labels.folds=1"),
        (["method=photon_count", "device=tpu9"], "device=tpu9"),
    ],
)
def test_mistakes_are_user_errors(hits, tmp_path, monkeypatch, overrides, message) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        run(tmp_path / "out", *keys(hits), *overrides)


def test_the_command_itself_answers_a_mistake_with_one_line_and_status_two(tmp_path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "evaluate.py"), "method=nothing", "data.path=x"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "photon_count" in done.stderr and "Traceback" not in done.stderr
    assert done.stderr.strip().count("\n") == 0, done.stderr


def test_the_page_of_no_run_folder_is_one_line_and_status_two(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    monkeypatch.setattr(sys, "argv", ["report", "nowhere"])
    with pytest.raises(SystemExit) as left:
        spi.run("report")
    assert left.value.code == 2
    assert re.fullmatch(r"error: nowhere: there is no such folder; name the folder of a run\n", capsys.readouterr().err)


def test_real_patterns_end_to_end(spi_data, tmp_path) -> None:
    doubtful = "data.exclude=[6,8,9,15,16,19,24]"
    path = spi_data / "spi" / "pr772_dev.h5"
    metrics = run(tmp_path / "out", "method=photon_count", f"data.path={path}", "data.mask_convention=bad", doubtful)
    assert metrics["test/frames"] == 25 and metrics["test_kept/frames"] == 18
    assert round(metrics["test/auroc"], 2) == 0.66
    assert np.nanmedian(read(tmp_path / "out").columns["diameter_nm"]) == pytest.approx(62, abs=4)


@pytest.mark.slow
def test_a_network_warns_of_patterns_unlike_its_training(make_run, tmp_path) -> None:
    """Virus patterns of the kind simulated pass; noise of the same brightness and another detector do not."""
    real = Path(os.environ.get("SPI_DATA", "../shared/data")) / "spi" / "pr772_dev.h5"
    if not real.is_file():
        pytest.skip("no real patterns: set SPI_DATA")
    with h5py.File(real) as file:
        photons, bad = file["patterns"][()].astype(np.float32), file["mask"][()]
    noise = np.random.default_rng(0).poisson(photons.mean((1, 2), keepdims=True), photons.shape)
    coarse = np.zeros_like(photons)  # twice the pixel size: the same light on a quarter of the pixels
    coarse[:, 32:96, 32:96] = photons.reshape(25, 64, 2, 64, 2).sum((2, 4))
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("train", overrides=["experiment=han_resnet10", "network.widths=[4,8]", f"folder={tmp_path}"])
    simulator, task = instantiate(cfg.simulate, _convert_="all"), instantiate(cfg.task, _convert_="all")
    torch.manual_seed(0)
    blocks = [simulator(block, 0) for block in range(6)]
    batch = {name: torch.cat([block[name] for block in blocks])[:, None] for name in ("photons", "mask")}
    with torch.inference_mode():
        task.eval()
        pattern = task.preprocess(batch)
        task.domain.fit(describe_patterns(task.network.features(pattern), pattern))
    path = tmp_path / "warned" / "checkpoints" / "best.ckpt"
    path.parent.mkdir(parents=True)
    torch.save({"state_dict": task.state_dict(), "config": OmegaConf.to_container(cfg, resolve=True)}, path)
    alike = {}
    for name, frames in {"real": photons, "noise": noise, "coarse": coarse}.items():
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["frames"], file["bad"] = frames, bad
        words = [f"data.path={tmp_path}/{name}.h5", "data.keys.photons=frames", "data.keys.mask=bad"]
        metrics = run(tmp_path / name, f"checkpoint={path}", *words, "data.mask_convention=bad", "frame_columns=0")
        (found,) = metrics["domain"].values()
        alike[name] = found["alike"]
    assert alike == {"real": True, "noise": False, "coarse": False}


def finetuned(tmp_path: Path, path: str, seed: int = 0) -> Path:
    """A run whose configuration says that it was trained on a file."""
    task = instantiate(TASK)
    run = tmp_path / "runs" / "tuned"
    (run / "checkpoints").mkdir(parents=True)
    keys = {"_target_": "spi_lightning.io.PatternKeys", "photons": "frames", "label": "truth", "mask": "bad"}
    fractions = {"train": 0.5, "val": 0.25, "test": 0.25}
    data = {"_target_": "spi_lightning.data.HitDataModule", "path": path, "keys": keys, "mask_convention": "bad"}
    config = {"task": TASK, "data": {**data, "fractions": fractions, "seed": seed}}
    torch.save({"state_dict": task.state_dict(), "config": config}, run / "checkpoints/best.ckpt")
    return run


@pytest.mark.slow
def test_frames_that_a_network_was_trained_on_are_warned_of_and_left_out(hits, tmp_path, capsys) -> None:
    metrics = run(tmp_path / "out", f"checkpoint={finetuned(tmp_path, hits)}", *keys(hits))
    warning = "tuned was trained on 12 and validated on 6 of these 24 frames"
    assert f"WARNING: runs/{warning}" in capsys.readouterr().out
    assert f"WARNING: {warning}" in (tmp_path / "out/report.html").read_text()
    assert metrics["test/frames"] == 24 and metrics["test_kept/frames"] == 6
    other = tmp_path / "copy.h5"
    other.write_bytes(Path(hits).read_bytes())
    metrics = run(tmp_path / "other", f"checkpoint={tmp_path / 'runs/tuned'}", *keys(str(other)))
    assert "test_kept/frames" not in metrics and "WARNING" not in capsys.readouterr().out


def test_a_reference_that_learnt_from_the_same_file_is_warned_of(hits, tmp_path, capsys) -> None:
    labelled = tmp_path / "set.h5"
    with h5py.File(hits) as old, h5py.File(labelled, "w") as new:
        new["photons"], new["is_single_hit"] = old["frames"][()], old["truth"][()]
    settings = "+settings.random_forest"
    from_itself = [f"{settings}.learn_from={labelled}", f"{settings}.estimator.n_estimators=5"]
    metrics = run(tmp_path / "out", "method=random_forest", f"data.path={labelled}", *from_itself)
    assert "no labelled frame is left that is new to it" in capsys.readouterr().out
    assert "test_kept/accuracy" not in metrics


@pytest.mark.slow
def test_the_method_that_selects_is_named_everywhere_and_can_be_chosen(hits, make_run, tmp_path, capsys) -> None:
    requested = [f"method=[photon_count,{make_run(0)},{make_run(1)}]", *keys(hits)]
    for chosen, words in {"ensemble": [], "photon_count": ["selection.method=photon_count"]}.items():
        metrics = run(tmp_path / chosen, *requested, *words)
        assert f"frames selected by {chosen}" in " ".join(capsys.readouterr().out.split())
        head = (tmp_path / chosen / "selection/index.txt").read_text().splitlines()[0]
        assert head.endswith(f"single hits by {chosen}")
        page = (tmp_path / chosen / "report.html").read_text()
        assert f"selected as single hits by {chosen}" in page and f"Probability and decision of {chosen}" in page
        assert "ensemble" in metrics["methods"]
    with pytest.raises(
        UserError, match=r"selection.method=nobody: .*choose one of photon_count, runs/seed_0.*ensemble"
    ):
        run(tmp_path / "none", *requested, "selection.method=nobody")
    assert not (tmp_path / "none").exists()


def test_the_reason_of_the_first_method_to_select_is_its_order(hits, tmp_path, capsys) -> None:
    why = "; photon_count is the first of 2 methods, selection.method=NAME chooses another"
    for name, words in {"first": "", "chosen": "selection.method=photon_count"}.items():
        run(tmp_path / name, "method=[photon_count,graph_cut]", *keys(hits), *words.split())
        assert (why in " ".join(capsys.readouterr().out.split())) == (not words)
        assert (why in (tmp_path / name / "report.html").read_text()) == (not words)
    run(tmp_path / "one", "method=photon_count", *keys(hits))
    assert "chooses another" not in capsys.readouterr().out


def test_numbers_that_fit_the_network_are_named_before_a_method_reads_the_file(
    hits, make_run, tmp_path, monkeypatch
) -> None:
    def answer(self: PhotonCount, part: HitPart, listener: Listener) -> None:
        pytest.fail("the file was read")

    monkeypatch.setattr(PhotonCount, "answer", answer)
    with pytest.raises(UserError, match=r"24 x 24 pixels of .*: set preprocess.bin=1 preprocess.crop=24"):
        run(tmp_path / "out", f"method=[photon_count,{make_run(0)}]", *keys(hits), "preprocess.bin=2")
    assert not (tmp_path / "out").exists()


def test_the_threshold_of_a_hit_is_an_option(hits, tmp_path) -> None:
    found = {}
    for threshold in (1, 1e6):
        run(tmp_path / f"{threshold}", "method=photon_count", *keys(hits), f"hits.threshold={threshold}")
        rows = csv.DictReader((tmp_path / f"{threshold}" / "predictions.csv").open())
        found[threshold] = sum(int(row["is_hit"]) for row in rows)
    assert found[1] > 0 and found[1e6] == 0
