import numpy as np
import pytest

from spi_lightning.methods import Answer, DecisionRule, Predictions, Scoring, notes, score, spread


def answer(probability, name: str = "a") -> Answer:
    values = np.asarray(probability, dtype=np.float32)
    return Answer(name, np.arange(len(values)), values, values, *DecisionRule()(values), seconds=1.0)


LABEL = np.array([1, 1, 1, 0, 0, 0, -1])
PROBABILITY = [0.9, 0.8, 0.2, 0.1, 0.3, 0.7, 0.99]


def test_unknown_labels_are_not_scored_and_excluded_frames_only_in_the_first_column() -> None:
    numbers = Scoring(LABEL, np.array([2, 5]), replicates=200)(answer(PROBABILITY))
    assert numbers["test/frames"] == 6 and numbers["test_kept/frames"] == 4
    assert numbers["test/accuracy"] == pytest.approx(4 / 6)
    assert numbers["test_kept/accuracy"] == 1 and numbers["test_kept/auroc"] == 1
    assert numbers["test/false_positive_rate"] == pytest.approx(1 / 3)
    assert numbers["test/false_positives"] == 1 and numbers["test/false_negatives"] == 1
    assert numbers["test/accuracy/low"] < numbers["test/accuracy"] < numbers["test/accuracy/high"]


def test_keys_are_those_promised() -> None:
    numbers = Scoring(LABEL, replicates=50)(answer(PROBABILITY))
    names = ["accuracy", "auroc", "average_precision", "false_positive_rate", "fpr_at_90_recall", "calibration_error"]
    for name in names:
        assert {f"test/{name}", f"test/{name}/low", f"test/{name}/high"} <= numbers.keys()
    assert not any(name.startswith("test_kept") for name in numbers)


def test_one_class_alone_gives_none_and_never_nan() -> None:
    numbers = Scoring(np.ones(7, dtype=np.int64), replicates=50)(answer(PROBABILITY))
    assert numbers["test/auroc"] is None and numbers["test/auroc/low"] is None
    assert not any(isinstance(value, float) and np.isnan(value) for value in numbers.values())


def test_all_labels_excluded_leaves_counts_alone() -> None:
    numbers = Scoring(LABEL, np.arange(7), replicates=50)(answer(PROBABILITY))
    assert numbers["test_kept/frames"] == 0
    assert "test_kept/accuracy" not in numbers


def test_spread_is_mean_and_sample_deviation_of_plain_numbers() -> None:
    spreads = spread([{"test/auroc": 0.9, "test/auroc/low": 0.8}, {"test/auroc": 0.7, "test/auroc/low": 0.6}])
    assert spreads == {"test/auroc/mean": pytest.approx(0.8), "test/auroc/std": pytest.approx(0.2 / 2**0.5)}


def test_unlabelled_frames_have_no_metrics_and_a_note() -> None:
    predictions = Predictions(answer(PROBABILITY), [answer(PROBABILITY)], DecisionRule())
    metrics = score(predictions, [])
    assert metrics == {"frames": 7}
    assert any("without metrics" in note for note in notes(predictions, metrics))


def test_an_interval_without_width_is_explained() -> None:
    perfect = answer([0.9, 0.9, 0.1, 0.1])
    predictions = Predictions(perfect, [perfect], DecisionRule(), {"is_single_hit": np.array([1, 1, 0, 0])})
    metrics = score(predictions, [], replicates=50)
    assert metrics["test/accuracy"] == metrics["methods"]["a"]["test/accuracy"] == 1
    assert any("rule of three" in note for note in notes(predictions, metrics))
