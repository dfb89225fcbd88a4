"""The order of frames to be labelled: uncertain ones first, neither twins nor lone outliers one after another."""

import numpy as np

from spi_lightning.labelling import TeachingOrder


def clusters(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (103, 2) of four groups of 25 and of three outliers, probabilities, and the number of the group."""
    random = np.random.default_rng(seed)
    group = np.concatenate([np.repeat(np.arange(4), 25), [4, 4, 4]])
    centre = np.array([[0, 0], [10, 0], [0, 10], [10, 10], [30, 30]])[group]
    spread = np.where(group == 4, 8.0, 0.6)[:, None]
    features = (centre + spread * random.normal(size=(103, 2))).astype(np.float32)
    probability = np.array([0.02, 0.5, 0.45, 0.98, 0.01], np.float32)[group]
    return features, probability, group


def order_of(features: np.ndarray, probability: np.ndarray) -> TeachingOrder:
    return TeachingOrder(np.arange(len(features)), features, probability, len(features))


def test_each_uncertain_group_is_asked_for_once_before_a_sure_one() -> None:
    features, probability, group = clusters()
    answers = np.array([0, 1, 0, 1, 0])[group]
    first = group[order_of(features, probability).ask_in_advance(4, answers)].tolist()
    assert first[0] in {1, 2}, "a group of which the network is not sure"
    assert set(first) == {0, 1, 2, 3}, "no group twice before each was asked for, and no outlier"


def test_a_network_that_is_wrong_still_leads_to_both_kinds() -> None:
    features, _, group = clusters()
    answers = (group % 2).astype(np.int64)
    first = order_of(features, np.full(103, 0.9, np.float32)).ask_in_advance(12, answers)
    assert 3 <= answers[first].sum() <= 9


def test_a_group_with_a_label_is_not_asked_for_again() -> None:
    features, probability, group = clusters()
    labelled = group == 1
    found = order_of(features, probability).first(~labelled, labelled, np.full(103, -1))
    assert found is not None and group[found] in {0, 2, 3}


def test_every_frame_comes_once_those_unseen_last() -> None:
    features, probability, _ = clusters()
    order = TeachingOrder(np.arange(0, 206, 2), features, probability, 206)
    asked = order.ask_in_advance(500, np.arange(206) % 2)
    assert sorted(asked) == list(range(206)) and asked[103:] == list(range(1, 206, 2))


def test_order_of_the_file() -> None:
    assert TeachingOrder.in_turn(5).ask_in_advance(3, np.zeros(5)) == [0, 1, 2]


def test_features_alike_and_constant_are_no_division_by_zero() -> None:
    order = order_of(np.ones((6, 3), np.float32), np.full(6, 0.5, np.float32))
    assert sorted(order.ask_in_advance(6, np.zeros(6))) == list(range(6))
