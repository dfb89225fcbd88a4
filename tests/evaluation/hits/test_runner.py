import warnings
from dataclasses import dataclass, field

import numpy as np
import pytest

from spi_lightning.evaluation.hits.cache import AnswerCache
from spi_lightning.evaluation.hits.runner import Interview
from spi_lightning.methods import Answer, DecisionRule, GivenPlan
from spi_lightning.notes import Note
from spi_lightning.results.hit_answer import Notes


@dataclass
class Parrot:
    """Repeats the labels it was told, says 0.1 elsewhere, and counts how often it is asked."""

    name: str = "parrot"
    needs_given: bool = True
    asked: list = field(default_factory=list)

    def answer(self, patterns, given=None) -> Answer:
        self.asked.append(given)
        probability = np.full(len(patterns), 0.1, dtype=np.float32)
        if given is not None:
            probability[given.frame] = given.is_single_hit
        decision, abstain = DecisionRule()(probability)
        return Answer(self.name, np.arange(len(patterns)), probability, probability, decision, abstain, 1.0)


def interview(patterns, tmp_path, **plan) -> Interview:
    label = patterns.labels["is_single_hit"]
    return Interview(patterns, label, GivenPlan(**plan), DecisionRule(), AnswerCache(tmp_path / "answers"))


def test_no_fold_sees_the_label_it_answers(make_file, tmp_path) -> None:
    """A method that can only repeat labels is right about none of the single hits."""
    patterns = make_file()
    asked = interview(patterns, tmp_path, folds=5)(Parrot(), "parrot")
    np.testing.assert_allclose(asked.answer.probability, 0.1)
    assert len(asked.given) == len(patterns)


def test_drawn_labels_are_told_and_named(make_file, tmp_path) -> None:
    asked = interview(make_file(), tmp_path, per_class=3)(Parrot(), "parrot")
    assert len(asked.given) == 6
    assert set(asked.answer.probability[asked.given]) == {0, 1}


def test_methods_without_need_are_told_nothing(make_file, tmp_path) -> None:
    parrot = Parrot(needs_given=False)
    assert len(interview(make_file(), tmp_path)(parrot, "parrot").given) == 0
    assert parrot.asked == [None]


@pytest.mark.parametrize("plan", [{"folds": 4}, {"per_class": 2}])
def test_answers_are_kept_and_read_back_equal(make_file, tmp_path, plan) -> None:
    patterns, parrot = make_file(), Parrot()
    ask = interview(patterns, tmp_path, **plan)
    first, times = ask(parrot, "parrot"), len(parrot.asked)
    second = ask(parrot, "parrot")
    assert len(parrot.asked) == times and second.cached and not first.cached
    np.testing.assert_array_equal(first.answer.probability, second.answer.probability)
    assert second.cost.seconds == first.cost.seconds > 0


def test_other_settings_labels_or_patterns_are_asked_anew(make_file, tmp_path) -> None:
    patterns, parrot = make_file(), Parrot()
    interview(patterns, tmp_path, per_class=2)(parrot, {"k": 5})
    interview(patterns, tmp_path, per_class=2)(parrot, {"k": 6})
    interview(patterns, tmp_path, per_class=2, seed=1)(parrot, {"k": 5})
    interview(make_file(name="b.h5"), tmp_path, per_class=2)(parrot, {"k": 5})
    assert len(parrot.asked) == 4


def test_a_damaged_kept_answer_is_made_again(make_file, tmp_path) -> None:
    patterns, parrot = make_file(), Parrot(needs_given=False)
    interview(patterns, tmp_path)(parrot, 0)
    (kept,) = (tmp_path / "answers").glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:100])
    assert not interview(patterns, tmp_path)(parrot, 0).cached


class Talker(Parrot):
    """Says and warns of something with every answer."""

    def __init__(self) -> None:
        super().__init__(needs_given=False)
        self.notes = Notes()

    def answer(self, patterns, given=None) -> Answer:
        self.notes.say(Note.of("3 frames are not decided.", "talker"))
        warnings.warn("the labels are all alike", stacklevel=1)
        return super().answer(patterns, given)


def test_a_kept_answer_brings_its_notes_and_warnings(make_file, tmp_path) -> None:
    patterns, first, second = make_file(), Talker(), Talker()
    for talker, cached in ((first, False), (second, True)):
        with pytest.warns(UserWarning, match="all alike"):
            assert interview(patterns, tmp_path)(talker, "talker").cached is cached
    assert second.asked == [] and second.notes == first.notes == [Note.of("3 frames are not decided.", "talker")]


@pytest.mark.filterwarnings("ignore:the labels")
def test_a_note_that_was_said_before_belongs_to_the_second_answer_too(make_file, tmp_path) -> None:
    one, other = make_file(), make_file(name="b.h5", count=20)
    talker, fresh = Talker(), Talker()
    interview(one, tmp_path)(talker, "talker")
    interview(other, tmp_path)(talker, "talker")
    assert len(talker.notes) == 1 and interview(other, tmp_path)(fresh, "talker").cached
    assert fresh.notes == talker.notes
