import numpy as np
import pytest

from spi_lightning.metrics.hits.bootstrap import bootstrap_intervals, stratified_weights

LABEL = np.array([0] * 30 + [1] * 10)


def test_every_replicate_keeps_the_frames_of_each_class() -> None:
    (weight,) = stratified_weights(LABEL, replicates=50, seed=1)
    assert weight.shape == (50, 40)
    np.testing.assert_array_equal(weight[:, :30].sum(1), 30)
    np.testing.assert_array_equal(weight[:, 30:].sum(1), 10)
    assert weight.max() > 1


def test_weights_depend_on_the_seed_and_not_on_how_many_are_drawn_at_once() -> None:
    whole = np.concatenate(list(stratified_weights(LABEL, 20, seed=3)))
    parts = np.concatenate(list(stratified_weights(LABEL, 20, seed=3, rows=7)))
    other = np.concatenate(list(stratified_weights(LABEL, 20, seed=4)))
    np.testing.assert_array_equal(whole, parts)
    assert (whole != other).any()


def test_interval_of_a_mean_is_the_normal_one() -> None:
    values = np.random.default_rng(0).normal(size=2000)
    estimate = bootstrap_intervals(
        lambda weight: {"mean": weight @ values / len(values)}, np.zeros(2000, dtype=np.int64), replicates=2000
    )["mean"]
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(2000), rel=0.06)


def test_an_undefined_number_has_no_interval() -> None:
    estimate = bootstrap_intervals(lambda weight: {"none": np.full(len(weight), np.nan)}, LABEL)["none"]
    assert estimate.value is None and estimate.low is None and estimate.high is None
