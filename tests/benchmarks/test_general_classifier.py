"""The test experiments of a general classifier: settings, independent form factors, files, and the scores of them."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from benchmarks.general_classifier.detectors import mask_of
from benchmarks.general_classifier.experiments import EXPERIMENTS, Experiment
from benchmarks.general_classifier.facility import make, opened
from benchmarks.general_classifier.form_factors import Body, cluster, rotation
from benchmarks.general_classifier.frames import BLANK
from benchmarks.general_classifier.scoring import precision_at_90_recall
from benchmarks.general_classifier.window import windowed
from spi_lightning.fields import IS_SINGLE_HIT, KIND
from tests.simulate.form_factors import box_form_factor, ellipsoid_form_factor

BY_NAME = {experiment.name: experiment for experiment in EXPERIMENTS}


def test_the_twelve_experiments_have_seeds_traits_and_generators_of_their_own() -> None:
    assert len(EXPERIMENTS) == len({one.seed for one in EXPERIMENTS}) == len({one.trait for one in EXPERIMENTS}) == 12
    assert min(one.frames for one in EXPERIMENTS) >= 400
    assert sorted(one.generator for one in EXPERIMENTS if one.generator != "simulator") == [
        "dragonfly", "dragonfly", "form_factors", "form_factors",
    ]  # fmt: skip


def test_form_factors_agree_with_those_of_the_tests() -> None:
    random = np.random.default_rng(0)
    turn, q = rotation(random), random.normal(size=(50, 3)) * 2e7
    size = (3e-8, 2e-8, 5e-8)
    inside = torch.from_numpy(q @ turn)
    brick = box_form_factor(inside, torch.tensor(size, dtype=torch.float64) * 2).numpy()
    np.testing.assert_allclose(Body("brick", size, turn=turn).transform(q), brick, rtol=1e-9)
    ball = ellipsoid_form_factor(inside, torch.tensor(size, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(Body("ellipsoid", size, turn=turn).transform(q), ball, atol=1e-6 * ball.max())


@pytest.mark.parametrize("form", ["sphere", "core_shell", "ellipsoid", "cylinder", "brick"])
def test_forward_scattering_is_the_volume_and_a_shift_only_a_phase(form: str) -> None:
    body = Body(form, (1e-8, 1e-8, 1e-8) if form in ("sphere", "core_shell") else (1e-8, 1e-8, 2e-8), (0.5, 1.0)
                if form == "core_shell" else (0.0, 0.0)).of_diameter(4e-8)  # fmt: skip
    weight = 1 + (0.5**3 if form == "core_shell" else 0)
    assert body.transform(np.zeros((1, 3)))[0].real == pytest.approx(weight * np.pi / 6 * 4e-8**3, rel=1e-6)
    q = np.random.default_rng(1).normal(size=(20, 3)) * 3e7
    moved = replace(body, centre=np.array([1e-8, -2e-8, 3e-8])).transform(q)
    np.testing.assert_allclose(np.abs(moved), np.abs(body.transform(q)), rtol=1e-9)


def test_bodies_of_a_cluster_touch_and_do_not_overlap() -> None:
    ball = Body("sphere", (1e-8, 1e-8, 1e-8))
    placed = cluster([ball] * 4, np.random.default_rng(2), (1.0, 1.15))
    apart = [float(np.linalg.norm(a.centre - b.centre)) for i, a in enumerate(placed) for b in placed[:i]]
    assert min(apart) >= 0.95 * 2e-8 and min(apart) <= 1.15 * 2e-8


@pytest.mark.parametrize("name", ["small_64x48", "bricks_250ev"])
def test_a_file_holds_photons_and_no_labels_and_is_made_again_alike(name: str, tmp_path: Path) -> None:
    experiment: Experiment = BY_NAME[name]
    path, labels, _ = make(experiment, tmp_path / "one", 12)
    again = opened(experiment, tmp_path / "two", 12)
    patterns = opened(experiment, tmp_path / "one", 12)
    np.testing.assert_array_equal(patterns.read(range(12)), again.read(range(12)))
    mask, placed, _ = mask_of(experiment.detector)
    assert placed is None and (patterns.read_mask([0])[0] == mask).all()
    with h5py.File(path) as file:
        assert set(file) <= {"patterns", "mask"}
    kind = patterns.labels[KIND]
    assert (kind == BLANK).sum() == round(12 * experiment.blanks)
    assert ((kind == 0) == (patterns.labels[IS_SINGLE_HIT] == 1)).all()
    total = patterns.read(range(12)).sum((1, 2))
    assert total[kind == BLANK].max() < total[kind != BLANK].min()
    middle = windowed(patterns, experiment.beam, experiment.speckle)
    assert middle.shape == (12, 96, 96) and labels.is_file()


def test_detector_units_become_the_photons_that_were_drawn(tmp_path: Path) -> None:
    counted = replace(BY_NAME["small_64x48"], facility="cxi")
    in_adu = replace(counted, facility="cxi_adu", adu_per_photon=32.0, noise=2.0)
    photons = opened(counted, tmp_path, 6).read(range(6))
    read_out = opened(in_adu, tmp_path, 6).read(range(6))
    unsaturated = photons < 32767 / 32 - 1
    assert (photons == read_out)[unsaturated].mean() > 0.999


def test_precision_at_nine_tenths_of_the_single_hits() -> None:
    label = torch.tensor([1] * 10 + [0] * 5)
    probability = torch.cat([torch.linspace(0.9, 0.5, 9), torch.tensor([0.1]), torch.tensor([0.7, 0.6, 0.4, 0.3, 0.2])])
    assert float(precision_at_90_recall(probability, label)) == pytest.approx(9 / 11)
