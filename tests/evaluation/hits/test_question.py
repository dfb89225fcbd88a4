"""The question of hit selection, answered by the photon count as the runner of before answers it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.evaluation import Cache, Irrelevant, Listener, ask, ask_whole
from spi_lightning.evaluation.hits.cache import AnswerCache
from spi_lightning.evaluation.hits.question import HitQuestion
from spi_lightning.evaluation.hits.runner import Interview
from spi_lightning.methods import DecisionRule, GivenPlan, PhotonCount
from spi_lightning.methods.hits.photon_count import photon_score
from spi_lightning.results.hit_answer import HitAnswer, HitPart


@dataclass(frozen=True)
class Photons:
    """The photon count as a method of the protocol."""

    name: Irrelevant[str] = "photon_count"

    def answer(self, part: HitPart, listener: Listener) -> HitAnswer:
        score = photon_score(part.patterns)
        return HitAnswer(score, score)


@dataclass(frozen=True)
class Parrot:
    """Repeats the labels it learns from, and says 0.1 elsewhere."""

    needs_labels = True
    broken: bool = False
    name: Irrelevant[str] = "parrot"
    parts: Irrelevant[list[HitPart]] = field(default_factory=list)

    def answer(self, part: HitPart, listener: Listener) -> HitAnswer:
        self.parts.append(part)
        probability = np.full(len(part.patterns), np.nan if self.broken else 0.1, dtype=np.float32)
        assert part.labelled is not None and part.patterns.labels == {}
        probability[part.labelled.frame] = part.labelled.is_single_hit
        return HitAnswer(probability, probability)


def question(patterns, **plan) -> HitQuestion:
    return HitQuestion(patterns, patterns.labels["is_single_hit"], GivenPlan(**plan))


def test_the_photon_count_answers_as_before_and_once(make_file, tmp_path: Path) -> None:
    patterns = make_file()
    before = Interview(patterns, patterns.labels["is_single_hit"], GivenPlan(), DecisionRule(), AnswerCache(None))
    expected = before(PhotonCount(), "photon_count").answer
    made = ask_whole(Photons(), question(patterns), Cache(tmp_path))
    kept = ask_whole(Photons(name="other"), question(make_file(name="copy.h5")), Cache(tmp_path))
    assert kept.kept and kept.cost == made.cost
    for answer in (made.answer, kept.answer):
        np.testing.assert_array_equal(answer.probability, expected.probability)
        np.testing.assert_array_equal(answer.score, expected.score)


def test_no_fold_sees_the_label_it_answers(make_file, tmp_path: Path) -> None:
    """A method that can only repeat labels is right about none of the single hits."""
    patterns, parrot = make_file(), Parrot()
    answer = ask_whole(parrot, question(patterns, folds=5), Cache(tmp_path)).answer
    np.testing.assert_allclose(answer.probability, 0.1)
    assert len(parrot.parts) == 5
    for part in parrot.parts:
        assert part.labelled is not None and not np.intersect1d(part.labelled.frame, part.held_out).size
    assert sorted(np.concatenate([part.held_out for part in parrot.parts])) == list(range(len(patterns)))


def test_a_labelled_subset_is_one_part_and_other_labels_are_asked_anew(make_file, tmp_path: Path) -> None:
    patterns, parrot = make_file(), Parrot()
    for seed in (0, 0, 1):
        (one,) = ask(parrot, question(patterns, per_class=3, seed=seed), Cache(tmp_path))
        assert one.answer.probability.shape == (len(patterns),)
    assert [len(part.labelled.frame) for part in parrot.parts if part.labelled is not None] == [6, 6]


def test_the_file_itself_keeps_its_labels(make_file) -> None:
    patterns = make_file()
    ask_whole(Photons(), question(patterns))
    assert "is_single_hit" in patterns.labels


def test_probabilities_that_are_no_numbers_are_refused(make_file) -> None:
    with pytest.raises(UserError, match=r"parrot gives NaN for .* frame"):
        ask_whole(Parrot(broken=True), question(make_file(), per_class=2))
