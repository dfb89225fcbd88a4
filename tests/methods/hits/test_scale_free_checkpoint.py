from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate

from spi_lightning import load
from spi_lightning.api.patterns import as_patterns
from spi_lightning.errors import UserError
from spi_lightning.evaluation.hits import evaluate_hits
from spi_lightning.fields import MASK, PHOTONS
from spi_lightning.methods import CheckpointMethod
from tests.data.scale.test_file_scale import file_of
from tests.hit_runs import answer_of, task_config

CENTRE = (70.2, 52.4)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Checkpoint of random weights that takes patterns of any size."""
    torch.manual_seed(0)
    config = {"task": task_config(mask_channel=True)}
    config["task"]["network"]["size"] = 64
    config["task"]["preprocess"] = {"_target_": "spi_lightning.data.scale.scale_free.ScaleFree"}
    path = tmp_path / "any" / "checkpoints" / "best.ckpt"
    path.parent.mkdir(parents=True)
    torch.save({"state_dict": instantiate(config["task"]).state_dict(), "config": config}, path)
    return path.parents[1]


@pytest.fixture
def method(run: Path) -> Callable[..., CheckpointMethod]:
    return lambda **options: CheckpointMethod("x", run, instantiate, device="cpu", batch_size=7, **options)


def test_the_scale_of_the_file_comes_before_the_answer(method) -> None:
    patterns, one = file_of((130, 110), CENTRE, [12.0] * 9, 3e3, blanks=8), method()
    answer = answer_of(one, patterns)
    assert answer.scale.speckle_width == pytest.approx(12.0, rel=0.04) and answer.scale.bin == 2
    batch = {PHOTONS: torch.from_numpy(patterns.read(range(17)))[:, None]}
    batch |= {MASK: torch.from_numpy(patterns.read_mask(range(17)).copy())[:, None], "frame": torch.arange(17)}
    with torch.inference_mode():
        whole = one.task.predict_step(batch)
    assert answer.is_hit.sum() == 9
    np.testing.assert_array_equal(answer.probability == 0, ~answer.is_hit)
    np.testing.assert_allclose(
        answer.probability[answer.is_hit], whole["probability"].numpy()[answer.is_hit], atol=1e-6
    )


def test_pixels_of_half_the_edge_give_the_same_answers(method) -> None:
    patterns = file_of((192, 192), (95.5, 95.5), [12.0] * 8, 1e4)
    finer = np.zeros((8, 400, 420), dtype=np.float32)
    finer[:, 5:389:2, 30:414:2] = patterns.read(range(8))
    mask = np.zeros((400, 420), dtype=bool)
    mask[5:389, 30:414] = np.repeat(np.repeat(patterns.mask, 2, 0), 2, 1)
    coarse = answer_of(method(speckle=12.0, beam_centre=(95.5, 95.5)), patterns)
    options = {"speckle": 24.0, "beam_centre": (5 + 191.5, 30 + 191.5)}
    fine = answer_of(method(**options), as_patterns(finer, mask))
    assert (coarse.scale.bin, fine.scale.bin) == (2, 4)
    np.testing.assert_allclose(fine.probability, coarse.probability, atol=1e-6)


def test_settings_that_the_network_does_not_take_are_refused(method, make_run) -> None:
    with pytest.raises(UserError, match=r"preprocess.bin=2: .*; set preprocess.speckle or preprocess.beam_centre"):
        method(bin=2)
    with pytest.raises(UserError, match=r"preprocess.speckle=6.0: .*; set preprocess.crop or preprocess.bin"):
        CheckpointMethod("x", make_run(), instantiate, speckle=6.0)


def test_numbers_and_notes_tell_the_scale_and_blanks_lower_nothing(method, tmp_path: Path) -> None:
    patterns = file_of((130, 110), CENTRE, [9.0] * 9, 3e3, blanks=30)
    result = evaluate_hits(patterns, [method()], hit_threshold=None, occlusion=1)
    stored = result.metrics["scale"]["x"]
    assert stored["speckle_width"] == pytest.approx(9.0, rel=0.04) and stored["hits"] == 9
    assert any("speckles of" in str(note) and "9 hits of 39 frames" in str(note) for note in result.notes)
    result.save(tmp_path)
    assert type(result).load(tmp_path).answers[0].scale == result.answers[0].scale
    assert result.occlusion is not None


def test_arrays_and_files_are_predicted_in_python(run: Path) -> None:
    patterns = file_of((130, 110), CENTRE, [9.0] * 9, 3e3, blanks=4)
    network = load(run, device="cpu")
    found = network.predict(patterns.read(range(13)), patterns.mask)
    np.testing.assert_allclose(found, network.answer(patterns).probability, atol=1e-6)
    stated = load(run, device="cpu", speckle=9.1, beam_centre=CENTRE).answer(patterns)
    assert stated.scale.width_from == stated.scale.centre_from == "stated"
    with pytest.raises(UserError, match=r"bin=2\): this network has no such setting"):
        load(run, bin=2).predict(patterns)
