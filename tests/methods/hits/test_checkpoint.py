import numpy as np
import pytest
import torch
from hydra.utils import instantiate

from spi_lightning.errors import UserError
from spi_lightning.methods import CheckpointMethod, DecisionRule, find_checkpoints, run_name


@pytest.mark.parametrize("settings", [{}, {"mask_channel": True, "scale": "log"}])
@pytest.mark.parametrize("masks", [1, 3])
def test_answers_equal_one_pass_of_the_task(make_run, make_file, settings, masks) -> None:
    patterns = make_file(30, masks=masks)
    method = CheckpointMethod("x", make_run(**settings), instantiate, DecisionRule(0.5, 0.02), batch_size=7)
    answer = method.answer(patterns)
    frames = np.arange(30)
    batch = {
        "photons": torch.from_numpy(patterns.read(frames))[:, None],
        "mask": torch.from_numpy(patterns.read_mask(frames).copy())[:, None],
        "frame": torch.from_numpy(frames),
    }
    with torch.inference_mode():
        whole = method.task.predict_step(batch, 0)
    np.testing.assert_array_equal(answer.frame, frames)
    np.testing.assert_allclose(answer.score, whole["score"], atol=1e-6)
    np.testing.assert_allclose(answer.probability, whole["probability"], atol=1e-6)
    np.testing.assert_allclose(answer.features, whole["features"], atol=1e-5)
    np.testing.assert_array_equal(answer.decision, answer.probability >= 0.5)
    np.testing.assert_array_equal(answer.abstain, np.abs(answer.probability - 0.5) < 0.02)
    assert answer.probability.dtype == np.float32 and answer.decision.dtype == np.int64


def test_five_classes_give_class_probabilities(make_run, make_file) -> None:
    answer = CheckpointMethod("x", make_run(classes=5), instantiate).answer(make_file(9))
    assert answer.class_probability.shape == (9, 5)
    np.testing.assert_allclose(answer.class_probability.sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(answer.class_probability[:, 0], answer.probability, rtol=1e-5)


def test_answers_are_averaged_over_views_if_asked(make_run, make_file) -> None:
    run, patterns = make_run(), make_file(9)
    plain, averaged = (CheckpointMethod("x", run, instantiate, views=views) for views in (None, "dihedral"))
    assert plain.task.views == "none" and averaged.task.views == "dihedral"
    assert not np.allclose(plain.answer(patterns).probability, averaged.answer(patterns).probability, atol=1e-7)


def test_a_pattern_of_another_size_is_refused_in_one_line(make_run, make_file, tmp_path) -> None:
    method = CheckpointMethod("x", make_run(bin=2), instantiate)
    with pytest.raises(
        UserError, match=r"24 x 24 pixels, .* preprocess.bin=2: set preprocess.crop=24 preprocess.bin=1$"
    ):
        method.answer(make_file(4))


def test_another_crop_fits_larger_patterns_to_the_network(make_run, make_file) -> None:
    patterns = make_file(4, edge=30)
    with pytest.raises(UserError, match=r"30\D+30"):
        CheckpointMethod("x", make_run("a"), instantiate).answer(patterns)
    cropped = CheckpointMethod("x", make_run("b"), instantiate, crop=24).answer(patterns)
    np.testing.assert_array_equal(
        cropped.probability, CheckpointMethod("x", make_run("c", crop=24), instantiate).answer(patterns).probability
    )


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
