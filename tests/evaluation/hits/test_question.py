"""Question of hit selection: parts of a labelled subset and of folds, and what is kept of their answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.evaluation import Cache, ask, ask_whole
from spi_lightning.evaluation.hits.question import HitQuestion, LabelledSubset
from spi_lightning.fingerprint import Irrelevant
from spi_lightning.methods import PhotonCount
from spi_lightning.notes import Note
from spi_lightning.progress import Listener
from spi_lightning.results.hit_answer import HitAnswer, HitPart


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
        listener.note(Note.of(f"learnt from {len(part.labelled.frame)} frames"))
        return HitAnswer(probability, probability)


def question(patterns, **plan) -> HitQuestion:
    return HitQuestion(patterns, LabelledSubset(**plan))


def test_an_answer_is_kept_for_a_copy_of_the_file_and_another_name(make_file, tmp_path: Path) -> None:
    made = ask_whole(PhotonCount(), question(make_file()), Cache(tmp_path))
    kept = ask_whole(PhotonCount(name="other"), question(make_file(name="copy.h5")), Cache(tmp_path))
    assert kept.kept and not made.kept and kept.cost == made.cost
    np.testing.assert_array_equal(kept.answer.probability, made.answer.probability)


def test_no_fold_sees_the_label_it_answers(make_file, tmp_path: Path) -> None:
    """A method that can only repeat labels is right about none of the single hits."""
    patterns, parrot = make_file(), Parrot()
    answer = ask_whole(parrot, question(patterns, folds=5), Cache(tmp_path)).answer
    np.testing.assert_allclose(answer.probability, 0.1)
    assert len(parrot.parts) == 5
    for part in parrot.parts:
        assert part.labelled is not None and not np.intersect1d(part.labelled.frame, part.held_out).size
    assert sorted(np.concatenate([part.held_out for part in parrot.parts])) == list(range(len(patterns)))


def test_a_labelled_subset_is_one_part_and_other_labels_have_other_keys(make_file, tmp_path: Path) -> None:
    patterns, parrot = make_file(), Parrot()
    for seed in (0, 0, 1):
        ((_, one),) = ask(parrot, question(patterns, per_class=3, seed=seed), Cache(tmp_path))
        assert one.answer.probability.shape == (len(patterns),)
    assert [len(part.labelled.frame) for part in parrot.parts if part.labelled is not None] == [6, 6]


def test_the_file_itself_keeps_its_labels(make_file) -> None:
    patterns = make_file()
    ask_whole(PhotonCount(), question(patterns))
    assert "is_single_hit" in patterns.labels


def test_probabilities_that_are_no_numbers_are_refused(make_file) -> None:
    with pytest.raises(UserError, match=r"parrot gives NaN in score for 26 of 30, .*optimizer\.lr"):
        ask_whole(Parrot(broken=True), question(make_file(), per_class=2))


def test_kept_answers_bring_their_notes_under_the_present_name(make_file, tmp_path: Path) -> None:
    patterns = make_file()
    made = ask_whole(Parrot(), question(patterns, per_class=2), Cache(tmp_path))
    kept = ask_whole(Parrot(name="grey parrot"), question(patterns, per_class=2), Cache(tmp_path))
    assert kept.kept and [str(note) for note in made.notes] == ["parrot: learnt from 4 frames"]
    assert [str(note) for note in kept.notes] == ["grey parrot: learnt from 4 frames"]


def test_folds_are_noted_and_leave_all_labelled_frames_to_score(make_file) -> None:
    requested, methods = question(make_file(), folds=5), [PhotonCount(), Parrot()]
    (note,) = requested.fold_notes(methods)
    assert note.subject == "parrot" and "5 folds" in note.text
    assert len(requested.subset_frames(methods)) == 0 and len(requested.training_frames(methods[1])) == 30
    drawn = question(make_file(name="b.h5"), per_class=3)
    assert drawn.fold_notes(methods) == [] and len(drawn.subset_frames(methods)) == 6
    assert question(make_file(labelled=False, name="c.h5"), per_class=3).fold_notes([PhotonCount()]) == []


def test_frames_are_undecided_where_all_folds_or_their_own_say_so(make_file) -> None:
    """Frame 0 in its own fold alone, frame 1 in all folds but its own, an unlabelled frame in all."""
    patterns = make_file(6)
    patterns.labels["is_single_hit"] = np.array([1, 1, 0, 0, 1, -1])
    requested = question(patterns, folds=2)
    parts = list(requested.parts(Parrot()))
    answers = []
    for part in parts:
        undecided = np.zeros(6, dtype=bool)
        undecided[0], undecided[1], undecided[5] = 0 in part.held_out, 1 not in part.held_out, True
        values = np.full(6, 0.5, dtype=np.float32)
        answers.append(HitAnswer(values, values, undecided))
    joined = requested.join(parts, answers)
    assert joined.undecided is not None and joined.undecided.tolist() == [True, False, False, False, False, True]
