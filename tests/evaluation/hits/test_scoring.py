from dataclasses import replace

import numpy as np
import pytest

from spi_lightning.evaluation.hits.scoring import Scoring, spread
from spi_lightning.evaluation.hits.summary import result_notes, score
from spi_lightning.notes import Level
from spi_lightning.physics.frames.frame_scale import FrameScale
from spi_lightning.results.decision import DecisionRule
from spi_lightning.results.hit_answer import HitAnswer
from spi_lightning.results.hits import DecidedAnswer, HitResult


def answer(probability, name: str = "a", undecided=None) -> DecidedAnswer:
    values = np.asarray(probability, dtype=np.float32)
    unknown = None if undecided is None else np.asarray(undecided, dtype=bool)
    return DecidedAnswer.of(name, HitAnswer(values, values, unknown), DecisionRule())


def result(one: DecidedAnswer, label=None, columns=None) -> HitResult:
    """Result of one method with its numbers."""
    labels = {} if label is None else {"is_single_hit": np.array(label)}
    made = HitResult(
        "a.h5",
        "HDF5",
        (len(one.probability), 8, 8),
        DecisionRule(),
        one.name,
        [one],
        labels=labels,
        columns=columns or {},
    )
    return replace(made, metrics=score(made, [], replicates=50))


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
    unlabelled = result(answer(PROBABILITY))
    assert unlabelled.metrics == {"frames": 7}
    assert any("without metrics" in str(note) for note in result_notes(unlabelled))


def test_a_share_of_one_or_nought_has_an_interval_of_some_width() -> None:
    metrics = result(answer([0.9, 0.9, 0.1, 0.1]), [1, 1, 0, 0]).metrics
    z2 = 1.959964**2
    assert metrics["test/accuracy/low"] == pytest.approx(4 / (4 + z2)) and metrics["test/accuracy/high"] == 1
    assert metrics["test/recall/low"] == pytest.approx(2 / (2 + z2))
    assert metrics["test/false_positive_rate/low"] == 0
    assert metrics["test/false_positive_rate/high"] == pytest.approx(z2 / (2 + z2))
    area = metrics["test/auroc/low"]  # the least of which two pairs of two in order are no surprise
    assert metrics["test/auroc"] == metrics["test/auroc/high"] == 1 and area**2 == pytest.approx(0.025)


def test_an_accuracy_of_frames_decided_alike_has_an_interval() -> None:
    metrics = result(answer([0.9, 0.8, 0.9, 0.8]), [1, 1, 0, 0]).metrics
    assert metrics["test/accuracy"] == 0.5 and metrics["test/auroc"] == 0.5
    assert metrics["test/accuracy/low"] == pytest.approx(0.1500, abs=1e-4)  # Wilson (1927) of 2 of 4
    assert metrics["test/accuracy/high"] == pytest.approx(0.8500, abs=1e-4)


def test_a_method_that_ranks_well_and_decides_badly_gets_a_hint() -> None:
    low = answer([0.4, 0.35, 0.3, 0.2, 0.1, 0.05], "low")
    (hint,) = [note for note in result_notes(result(low, [1, 1, 1, 0, 0, 0])) if note.level is Level.HINT]
    assert "low ranks well" in hint.text and "decision.threshold=0.25 would give 1.00" in hint.text
    high = answer([0.9, 0.8, 0.7, 0.2, 0.1, 0.05], "high")
    assert not [note for note in result_notes(result(high, [1, 1, 1, 0, 0, 0])) if note.level is Level.HINT]


def test_undecided_frames_are_scored_as_the_selection_decides_them() -> None:
    """Blanks that a method leaves at 1/2 are not taken: numbers, ROC and hints are those of the decisions."""
    unknown = np.arange(10) >= 4
    some = answer([0.9, 0.8, 0.1, 0.2, *[0.5] * 6], undecided=unknown)
    made = result(some, [1, 1, 0, 0, *[0] * 6])
    numbers = made.metrics
    assert numbers["test/accuracy"] == numbers["test/precision"] == numbers["test/recall"] == numbers["test/auroc"] == 1
    assert numbers["test/false_positive_rate"] == numbers["test/false_positives"] == 0
    assert numbers["test/fpr_at_90_recall"] == 0 and numbers["test/abstained"] == 0.6
    assert not [note for note in result_notes(made) if note.level is Level.HINT]
    (part,) = made.scored(unknown | (np.arange(10) < 2))
    assert part.ranking.tolist() == pytest.approx([0.9, 0.8, *[0.0] * 6])


def test_a_single_hit_that_is_not_decided_is_missed_and_no_threshold_takes_it() -> None:
    some = answer([0.9, 0.5, 0.5, 0.5, 0.1, 0.1], undecided=[False, True, True, True, False, False])
    made = result(some, [1, 1, 1, 1, 0, 0])
    assert made.metrics["test/accuracy"] == 0.5 and made.metrics["test/recall"] == 0.25
    assert not [note for note in result_notes(made) if note.level is Level.HINT]


def test_accuracy_is_that_of_the_decisions_to_the_last_bit() -> None:
    """0.7 as float32 lies below 0.7 as float64; the rule takes it at 0.7, and so do the numbers."""
    values = np.array([0.7, 0.1], dtype=np.float32)
    some = DecidedAnswer.of("a", HitAnswer(values, values), DecisionRule(0.7))
    numbers = Scoring(np.array([1, 0]), replicates=20)(some)
    assert numbers["test/accuracy"] == (some.decision == [1, 0]).mean()
    assert numbers["test/recall"] == numbers["test/true_positives"] == some.decision[0]


def test_right_answers_to_unlike_patterns_are_no_alarm() -> None:
    far = replace(answer([0.9, 0.9, 0.1, 0.1]), distance_from_training=np.full(4, 3.0, np.float32), usual_distance=0.8)
    for label, alarms in (([1, 1, 0, 0], 0), ([0, 1, 1, 0], 1)):
        notes = result_notes(result(far, label))
        assert len([note for note in notes if note.level is Level.WARNING]) == alarms
        assert any("look unlike its training patterns" in str(note) for note in notes) == (alarms == 0)


def test_hits_and_blanks_are_judged_apart() -> None:
    """A network that is right on the hits is not blamed for blanks, which no training pattern looks like."""
    distance, hit = np.r_[np.full(7, 3.0), np.full(93, 0.5), np.full(189, 3.0)].astype(np.float32), np.arange(289) < 100
    far = replace(answer(np.where(hit, 0.9, 0.1)), distance_from_training=distance, usual_distance=0.8)
    some = result(far, columns={"is_hit": hit})
    found = some.metrics["domain"]["a"]
    assert (found["frames"], found["frames_outside"], found["blanks"], found["blanks_taken"]) == (100, 7, 189, 0)
    assert found["alike"] and not warnings_of(some)
    assert any("Do not trust" in text for text in warnings_of(result(far)))  # nobody has looked for hits


def test_a_few_unlike_hits_are_to_be_looked_at_and_many_are_not_to_be_trusted() -> None:
    hit = np.arange(100) < 50
    for count, remedy in ((10, "distance_from_training above 1"), (30, "Do not trust its answers")):
        distance = np.where(np.arange(100) < count, 3.0, 0.5).astype(np.float32)
        far = replace(answer(np.where(hit, 0.9, 0.1)), distance_from_training=distance, usual_distance=0.8)
        (text,) = warnings_of(result(far, columns={"is_hit": hit}))
        assert f"{count} of 50 frames with a hit" in text and remedy in text and "50 frames without a hit" in text


def test_a_file_without_a_hit_is_named_as_such() -> None:
    far = replace(answer([0.1] * 20), distance_from_training=np.full(20, 3.0, np.float32), usual_distance=0.8)
    (text,) = warnings_of(result(far, [0] * 20, columns={"is_hit": np.zeros(20, dtype=bool)}))
    assert text.startswith("no frame of this file holds a hit") and "Do not trust" not in text


def test_a_file_that_lies_at_the_border_of_the_training_is_named_with_what_differs() -> None:
    distance = np.where(np.arange(100) < 45, 0.9, 0.5).astype(np.float32)  # none outside, many beyond 90 %
    far = replace(answer(np.full(100, 0.9)), distance_from_training=distance, usual_distance=0.8)
    columns = {"is_hit": np.ones(100, dtype=bool), "photons": np.full(100, 30.0), "symmetry": np.full(100, 0.9)}
    for scale, words in (
        (None, ""),
        (
            FrameScale((31.5, 31.5), 55.0),
            "What differs: speckles of 55 pixels instead of 3 to 40, 30 photons in a usual",
        ),
    ):
        (text,) = warnings_of(result(replace(far, scale=scale), columns=columns))
        assert words in text and ("What differs" in text) == bool(words)
    bright = {**columns, "photons": np.full(100, 3e3)}
    (text,) = warnings_of(result(replace(far, scale=FrameScale((31.5, 31.5), 6.0)), columns=bright))
    assert "What differs: shapes, mask or background" in text and "spi tune FILE" in text
    few = replace(
        answer([0.9] * 10), distance_from_training=np.r_[distance[40:45], distance[60:65]], usual_distance=0.8
    )
    assert warnings_of(result(few, columns={"is_hit": np.ones(10, dtype=bool)}))


def test_blanks_taken_as_single_hits_are_a_warning() -> None:
    hit = np.arange(100) < 50
    near = replace(answer(np.full(100, 0.9)), distance_from_training=np.full(100, 0.5, np.float32), usual_distance=0.8)
    (text,) = warnings_of(result(near, columns={"is_hit": hit}))
    assert "takes 50 of 50 frames without a hit" in text


def test_right_blanks_do_not_hide_wrong_hits() -> None:
    hit, label = np.arange(100) < 4, np.r_[1, 1, 0, 0, np.zeros(96, dtype=int)]
    wrong = np.where(hit, 0.9, 0.1)  # 98 % right, half of the hits wrong
    far = replace(answer(wrong), distance_from_training=np.full(100, 3.0, np.float32), usual_distance=0.8)
    (text,) = warnings_of(result(far, label, columns={"is_hit": hit}))
    assert "Do not trust" in text


def warnings_of(some: HitResult) -> list[str]:
    return [note.text for note in result_notes(some) if note.level is Level.WARNING]
