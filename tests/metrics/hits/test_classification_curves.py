import time

import numpy as np
import pytest
import torch
from sklearn import metrics as reference
from torchmetrics.functional.classification import binary_calibration_error

from spi_lightning.metrics.hits.bootstrap import Statistic, bootstrap_intervals
from spi_lightning.metrics.hits.classification_curves import (
    ThresholdRanking,
    at_purity,
    best_threshold,
    classification_statistic,
    confusion,
    curve_bands,
    reliability,
)


def frames(count: int, seed: int = 0, digits: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities that know something of them; rounding makes ties."""
    random = np.random.default_rng(seed)
    label = (random.random(count) < 0.4).astype(np.int64)
    logit = 2 * label - 1 + random.normal(size=count)
    return np.round(1 / (1 + np.exp(-logit)), digits), label


def statistic(probability: np.ndarray, label: np.ndarray) -> Statistic:
    """Statistic of frames that are decided at one half."""
    return classification_statistic(probability, label, (probability >= 0.5).astype(np.int64))


@pytest.mark.parametrize("seed", range(3))
def test_numbers_equal_those_of_scikit_learn(seed: int) -> None:
    probability, label = frames(200, seed)
    numbers = {k: v[0] for k, v in statistic(probability, label)(np.ones((1, 200))).items()}
    false_positive_rate, recall, _ = reference.roc_curve(label, probability, drop_intermediate=False)
    taken = (probability >= 0.5).astype(int)
    assert numbers["accuracy"] == pytest.approx(reference.accuracy_score(label, taken))
    assert numbers["auroc"] == pytest.approx(reference.roc_auc_score(label, probability))
    assert numbers["average_precision"] == pytest.approx(reference.average_precision_score(label, probability))
    assert numbers["recall"] == pytest.approx(reference.recall_score(label, taken))
    assert numbers["precision"] == pytest.approx(reference.precision_score(label, taken))
    assert numbers["fpr_at_90_recall"] == pytest.approx(false_positive_rate[recall >= 0.9].min())


def test_a_weight_of_two_is_a_frame_counted_twice() -> None:
    probability, label = frames(60)
    weight = np.random.default_rng(1).integers(0, 4, size=60)
    weighted = statistic(probability, label)(weight[None].astype(float))
    repeated = statistic(probability.repeat(weight), label.repeat(weight))
    for name, value in repeated(np.ones((1, weight.sum()))).items():
        np.testing.assert_allclose(weighted[name], value, rtol=1e-12, err_msg=name)


def test_calibration_error_equals_that_of_torchmetrics() -> None:
    probability, label = frames(500, digits=6)
    ours = statistic(probability, label)(np.ones((1, 500)))["calibration_error"][0]
    theirs = binary_calibration_error(torch.tensor(probability), torch.tensor(label), n_bins=15)
    assert ours == pytest.approx(float(theirs), rel=1e-5)


def test_decisions_count_and_not_the_threshold() -> None:
    """An undecided frame ranks last and is not taken, and its stated probability counts for the calibration alone."""
    ranking, stated = np.array([0.9, 0.5, 0.0, 0.0]), np.array([0.9, 0.5, 0.5, 0.5])
    label, decision = np.array([1, 1, 0, 0]), np.array([1, 1, 0, 0])
    numbers = classification_statistic(ranking, label, decision, stated)(np.ones((1, 4)))
    assert numbers["accuracy"][0] == numbers["auroc"][0] == 1 and numbers["false_positive_rate"][0] == 0
    assert numbers["calibration_error"][0] == pytest.approx(
        statistic(stated, label)(np.ones((1, 4)))["calibration_error"]
    )


def test_no_threshold_selects_a_frame_of_probability_zero() -> None:
    found = best_threshold(np.array([0.0, 0.0, 0.0, 0.4]), np.array([1, 1, 1, 1]))
    assert 0 < found.threshold < 0.4 and found.accuracy == 0.25
    assert at_purity(np.zeros(4), np.ones(4, dtype=np.int64), 0.5) is None


def test_one_class_alone_leaves_the_two_class_numbers_undefined() -> None:
    numbers = statistic(np.array([0.1, 0.9]), np.array([1, 1]))(np.ones((1, 2)))
    assert numbers["accuracy"][0] == 0.5
    assert all(np.isnan(numbers[name][0]) for name in ("auroc", "false_positive_rate", "fpr_at_90_recall"))


def test_reliability_of_true_probabilities_is_the_diagonal() -> None:
    random = np.random.default_rng(0)
    probability = random.random(100_000)
    bins = reliability(probability, (random.random(100_000) < probability).astype(np.int64), bins=10)
    np.testing.assert_allclose(bins.fraction, bins.probability, atol=0.02)
    assert bins.frames.sum() == 100_000


def test_confusion_rows_are_labels_and_columns_decisions() -> None:
    np.testing.assert_array_equal(confusion(np.array([0, 1, 1]), np.array([0, 0, 1])), [[1, 1], [0, 1]])


def test_curve_bands_hold_the_curve_and_shrink_with_more_frames() -> None:
    widths = []
    for count in (50, 800):
        probability, label = frames(count, digits=8)
        bands = curve_bands(probability, label, replicates=200)
        curves = ThresholdRanking(probability, label).curves(np.ones((1, count)))
        recall = np.interp(bands["grid"], curves.false_positive_rate[0], curves.recall[0])
        inside = (recall >= bands["roc"][0] - 0.03) & (recall <= bands["roc"][1] + 0.03)
        assert inside.mean() > 0.95
        assert (np.diff(bands["roc"]) >= -1e-12).all()
        widths.append((bands["roc"][1] - bands["roc"][0]).mean())
    assert widths[1] < widths[0] / 2


def test_a_perfect_ranking_has_the_perfect_curves() -> None:
    bands = curve_bands(np.linspace(0, 1, 20), np.repeat([0, 1], 10), replicates=50)
    np.testing.assert_allclose(bands["roc"], 1)
    np.testing.assert_allclose(bands["precision_recall"], 1)


def test_a_thousand_replicates_of_many_frames_are_quick() -> None:
    probability, label = frames(5000, digits=8)
    start = time.perf_counter()
    estimates = bootstrap_intervals(statistic(probability, label), label, replicates=1000)
    assert time.perf_counter() - start < 20
    for name, estimate in estimates.items():
        assert estimate.low <= estimate.high, name
    assert estimates["auroc"].low < estimates["auroc"].value < estimates["auroc"].high
