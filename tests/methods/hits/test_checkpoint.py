from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate

from spi_lightning import load
from spi_lightning.errors import UserError
from spi_lightning.fields import BEAM_CENTRE
from spi_lightning.methods import CheckpointMethod
from spi_lightning.progress import Listener
from spi_lightning.results.decision import DecisionRule
from spi_lightning.tasks.checkpoint_files import find_checkpoints, run_name
from spi_lightning.tasks.frozen.backbone import FrozenCheckpoint
from tests.hit_runs import answer_of, task_config


@pytest.mark.parametrize("settings", [{}, {"mask_channel": True, "scale": "log"}])
@pytest.mark.parametrize("masks", [1, 3])
def test_answers_equal_one_pass_of_the_task(make_run, make_file, settings, masks) -> None:
    patterns = make_file(30, masks=masks)
    method = CheckpointMethod("x", make_run(**settings), instantiate, batch_size=7)
    answer = answer_of(method, patterns, rule=DecisionRule(0.5, 0.02))
    frames = np.arange(30)
    batch = {
        "photons": torch.from_numpy(patterns.read(frames))[:, None],
        "mask": torch.from_numpy(patterns.read_mask(frames).copy())[:, None],
        "frame": torch.from_numpy(frames),
    }
    with torch.inference_mode():
        whole = method.task.predict_step(batch, 0)
    np.testing.assert_allclose(answer.score, whole["score"], atol=1e-6)
    np.testing.assert_allclose(answer.probability, whole["probability"], atol=1e-6)
    np.testing.assert_allclose(answer.features, whole["features"], atol=1e-5)
    np.testing.assert_array_equal(answer.decision, answer.probability >= 0.5)
    np.testing.assert_array_equal(answer.abstain, np.abs(answer.probability - 0.5) < 0.02)
    assert answer.probability.dtype == np.float32 and answer.decision.dtype == np.int64


def test_five_classes_give_class_probabilities(make_run, make_file) -> None:
    answer = answer_of(CheckpointMethod("x", make_run(classes=5), instantiate), make_file(9))
    assert answer.class_probability.shape == (9, 5)
    np.testing.assert_allclose(answer.class_probability.sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(answer.class_probability[:, 0], answer.probability, rtol=1e-5)


def test_answers_are_averaged_over_views_by_a_setting(make_run, make_file) -> None:
    run, patterns = make_run(), make_file(9)
    plain, averaged = (CheckpointMethod("x", run, instantiate, views=views) for views in (None, "dihedral"))
    assert plain.task.views == "none" and averaged.task.views == "dihedral"
    assert not np.allclose(answer_of(plain, patterns).probability, answer_of(averaged, patterns).probability, atol=1e-7)


def test_a_pattern_of_another_size_is_refused_in_one_line(make_run, make_file, tmp_path) -> None:
    method = CheckpointMethod("x", make_run(bin=2), instantiate)
    with pytest.raises(
        UserError, match=r"24 x 24 pixels .* preprocess.bin=2 .*: set preprocess.bin=1 preprocess.crop=24"
    ):
        answer_of(method, make_file(4))


def test_another_crop_fits_larger_patterns_to_the_network(make_run, make_file) -> None:
    patterns = make_file(4, edge=30)
    with pytest.raises(UserError, match=r"30\D+30"):
        answer_of(CheckpointMethod("x", make_run("a"), instantiate), patterns)
    cropped = answer_of(CheckpointMethod("x", make_run("b"), instantiate, crop=24), patterns)
    np.testing.assert_array_equal(
        cropped.probability, answer_of(CheckpointMethod("x", make_run("c", crop=24), instantiate), patterns).probability
    )


def test_the_crop_follows_the_beam_that_the_file_or_the_user_states(make_run, make_file) -> None:
    patterns, run = make_file(12, edge=40), make_run(crop=24)
    stated = replace(patterns, geometry={BEAM_CENTRE: np.array([14.5, 23.5])})
    listener, method = Listener(), CheckpointMethod("x", run, instantiate)
    followed = answer_of(method, stated, listener=listener)
    assert any("the crop follows it" in note.text for note in listener.notes)
    by_user = answer_of(CheckpointMethod("x", run, instantiate, beam_centre=(14.5, 23.5)), patterns)
    np.testing.assert_array_equal(followed.probability, by_user.probability)
    in_python = load(run, device="cpu", beam_centre=(14.5, 23.5)).predict(patterns)
    np.testing.assert_allclose(in_python, by_user.probability, atol=1e-6)
    middle = answer_of(method, patterns).probability  # of another file after it
    assert not np.allclose(middle, followed.probability, atol=1e-6)
    np.testing.assert_array_equal(middle, answer_of(CheckpointMethod("x", run, instantiate), patterns).probability)


def test_the_best_checkpoint_of_a_run_is_taken_and_named_after_it(make_run) -> None:
    run = make_run("shi/seed_0")
    assert find_checkpoints(str(run)) == [run / "checkpoints" / "best.ckpt"]
    assert run_name(run / "checkpoints" / "best.ckpt") == "shi/seed_0"
    assert run_name(run / "checkpoints" / "last.ckpt") == "shi/seed_0/last"
    assert run_name(run / "other.ckpt") == "other"


def test_a_pattern_finds_every_run_that_has_a_checkpoint(make_run, tmp_path) -> None:
    runs = [make_run(f"shi/seed_{seed}") for seed in (1, 0)]
    (tmp_path / "runs" / "shi" / "broken").mkdir()
    found = find_checkpoints(str(tmp_path / "runs" / "shi" / "*"))
    assert [path.parents[1] for path in found] == sorted(runs)


@pytest.mark.parametrize("entry", ["nothing", "runs/*/nothing", "runs/empty"])
def test_a_missing_checkpoint_is_a_user_error(tmp_path, monkeypatch, entry) -> None:
    (tmp_path / "runs" / "empty").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=entry.replace("*", r"\*")):
        find_checkpoints(entry)


def test_a_batch_of_nothing_is_a_user_error(make_run) -> None:
    with pytest.raises(UserError, match="batch_size=0"):
        CheckpointMethod("x", make_run(), instantiate, batch_size=0)


def head(make_run, tmp_path: Path) -> Path:
    """A head with random weights on a frozen tiny network."""
    config = task_config(scale="none", mask_channel=True) | {
        "_target_": "spi_lightning.tasks.frozen.transfer_classification.TransferClassification",
        "network": {
            "_target_": "spi_lightning.tasks.frozen.transfer_classification.logistic_head",
            "weights": None,
            "backbone": str(make_run("backbone")),
        },
    }
    task = instantiate(config)
    torch.nn.init.normal_(task.network.head.weight)
    torch.save({"state_dict": task.state_dict(), "config": {"task": config}}, tmp_path / "head.ckpt")
    return tmp_path / "head.ckpt"


def test_features_are_computed_once_and_the_answer_stays(make_run, make_file, tmp_path: Path, monkeypatch) -> None:
    path, file = head(make_run, tmp_path), make_file()
    plain = answer_of(CheckpointMethod("a", path, instantiate, device="cpu"), file)
    method = CheckpointMethod("a", path, instantiate, device="cpu", cache_dir=str(tmp_path / "cache"))
    first = answer_of(method, file)

    def refuse(*arguments: object) -> None:
        raise AssertionError("the backbone computed again")

    monkeypatch.setattr(FrozenCheckpoint, "__call__", refuse)
    for answer in (first, answer_of(method, file)):
        np.testing.assert_allclose(answer.probability, plain.probability, atol=1e-6)
        np.testing.assert_allclose(answer.features, plain.features, atol=1e-5)


def test_other_checkpoints_and_binned_patterns_are_answered_as_ever(make_run, make_file, tmp_path: Path) -> None:
    file, cache = make_file(edge=48), tmp_path / "cache"
    for path in (make_run("plain"), head(make_run, tmp_path)):
        options = {"device": "cpu", "bin": 2}
        plain = answer_of(CheckpointMethod("a", path, instantiate, **options), file)
        cached = answer_of(CheckpointMethod("a", path, instantiate, cache_dir=str(cache), **options), file)
        np.testing.assert_array_equal(cached.probability, plain.probability)
    assert not cache.exists()
