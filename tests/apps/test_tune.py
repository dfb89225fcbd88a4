"""spi simulate like=FILE and spi tune FILE, on frames of a detector that no network was trained on."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from spi_lightning.io import open_patterns
from tests.apps.in_process import status
from tests.apps.test_classify import CENTRE, WIDTH, sphere_and_pairs

SHORT = (
    *("steps=2", "+train.data.batch_size=16", "+train.data.num_workers=0", "+train.tracking=disabled"),
    "+train.data.patterns={train: 32, val: 32, test: 32}",
)


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tuned") / "frames.h5"
    counts, labels = sphere_and_pairs()
    with h5py.File(path, "w") as file:
        file["counts"], file["labels"] = counts, labels
        file["half"] = np.where(np.arange(len(labels)) < 30, labels.astype(np.int8), -1)
        file["blank"] = np.random.default_rng(0).poisson(0.01, counts.shape).astype(np.uint16)
    return path


def test_patterns_like_a_file_are_on_its_detector(frames: Path, tmp_path: Path) -> None:
    words = [f"like={frames}", "data.keys.photons=counts", "patterns=12", "bodies=[sphere]"]
    assert status("simulate", *words, f"out={tmp_path / 'like.cxi'}", "examples=4") == 0
    like = open_patterns(tmp_path / "like.cxi")
    assert like.shape == (12, 110, 120)
    assert np.asarray(like.geometry["beam_centre"])[0] == pytest.approx(CENTRE, abs=0.5)
    assert {path.name for path in tmp_path.iterdir()} >= {"like.cxi", "like.yaml", "like.html", "like.png"}
    again = [f"simulate={tmp_path / 'like.yaml'}", "patterns=4", f"out={tmp_path / 'cells.cxi'}"]
    assert status("simulate", *again) == 0
    assert open_patterns(tmp_path / "cells.cxi", check=False).shape == (4, 64, 64)


def test_a_tuned_run_is_a_run_as_any_other(frames: Path, tmp_path: Path) -> None:
    run, words = tmp_path / "run", (str(frames), "data.keys.photons=counts", "data.keys.label=half", "labels.most=8")
    assert status("tune", *words, *SHORT, f"out={run}") == 0
    numbers = json.loads((run / "tuned.json").read_text())
    assert len(numbers["labels_learned"]) == 8 and max(numbers["labels_learned"]) < 30
    assert numbers["frames"] == 60 and 0 <= numbers["tuned"]["auroc"] <= 1
    assert "speckle: " in (run / "tuned.yaml").read_text() and (run / "tuned.html").is_file()
    found = json.loads((run / "evaluation/metrics.json").read_text())
    assert (
        found["scale"]["speckle_width"] == pytest.approx(WIDTH, rel=0.1) if "speckle_width" in found["scale"] else True
    )
    told = [str(frames), "data.keys.photons=counts", f"checkpoint={run}", f"out={tmp_path / 'told'}", "cache=null"]
    assert status("evaluate", *told, "report.occlusion=0") == 0
    assert status("train", f"resume={run}", "trainer.max_steps=3") == 0


def test_a_file_without_hits_and_a_network_of_one_detector_are_refused(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status("tune", str(frames), "data.keys.photons=blank", f"out={tmp_path / 'run'}") == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "none of 60 frames is a hit, so there is nothing to simulate; check data.keys.mask" in said
    assert status("tune", str(frames), "data.keys.photons=counts", "checkpoint=nobody", f"out={tmp_path / 'x'}") == 2
    assert "nobody: no such file, run folder or weights" in capsys.readouterr().err


@pytest.mark.slow
def test_an_edited_recipe_is_trained_on_from_a_run(frames: Path, tmp_path: Path) -> None:
    run, words = tmp_path / "run", (str(frames), "data.keys.photons=counts", "labels.most=0", *SHORT)
    assert status("tune", *words, f"out={run}") == 0
    edited = run / "tuned.yaml"
    edited.write_text(edited.read_text().replace("blanks: 0.06", "blanks: 0.5"))
    assert status("tune", *words, f"recipe={edited}", f"checkpoint={run}", f"out={tmp_path / 'more'}") == 0
    assert "labelled" not in (tmp_path / "more/config.yaml").read_text()
    assert "blanks: 0.5" in (tmp_path / "more/config.yaml").read_text()
