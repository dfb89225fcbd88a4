"""Evaluation of hits from Python, without configuration files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spi_lightning import results
from spi_lightning.baselines.vectors import AngularVectors
from spi_lightning.errors import UserError
from spi_lightning.evaluation import Cache
from spi_lightning.evaluation.console_table import print_hits
from spi_lightning.evaluation.hits import columns, evaluate_hits, write_hits
from spi_lightning.evaluation.hits.evaluate import reason_of
from spi_lightning.evaluation.hits.pictures import gallery_frames
from spi_lightning.evaluation.hits.question import LabelledSubset
from spi_lightning.evaluation.hits.summary import result_notes, score
from spi_lightning.labelling.opening import frames_named
from spi_lightning.methods import DiffusionMap, GraphCut, PhotonCount
from spi_lightning.notes import Level
from spi_lightning.reports.hits.choice import CONTRADICTED, hits_found
from spi_lightning.results.decision import DecisionRule
from spi_lightning.results.hit_answer import HitAnswer
from spi_lightning.results.hits import SECOND_LOOK, DecidedAnswer, HitResult

FEW = {"replicates": 20, "gallery": 2, "hit_threshold": None}


def test_a_method_that_ranks_better_than_the_first_is_named_where_labels_are() -> None:
    why = "; first is the first of 2 methods, selection.method=NAME chooses another"
    names = ["first", "second"]
    better = ": second ranks better (area under ROC 0.950 against 0.900)"
    assert reason_of("first", names, [], {"first": 0.9, "second": 0.95}) == why + better
    for areas in ({}, {"first": 0.9, "second": 0.9}, {"first": None, "second": None}, {"first": 0.9, "second": None}):
        assert reason_of("first", names, [], areas) == why


def test_a_method_that_needs_labels_is_named_where_there_are_none(make_file) -> None:
    with pytest.raises(UserError, match=r"^graph_cut needs a file with a few labels: .*data.keys.label="):
        evaluate_hits(make_file(20).changed(labels={}), [graph_cut()], **FEW)


def test_frames_that_hold_a_hit_are_counted_beside_those_selected(make_file, tmp_path: Path, capsys) -> None:
    result = evaluate_hits(make_file(20), [PhotonCount()], **(FEW | {"hit_threshold": 5.0}))
    words = f"; {int(result.columns['is_hit'].sum())} frames hold a hit, single or not (is_hit in predictions.csv)"
    assert hits_found(result) == words and hits_found(replace(result, columns={})) == ""
    print_hits(result, tmp_path / "report.html")
    assert words in capsys.readouterr().out
    assert any("only ranks frames by brightness" in note.text for note in result.notes)


def graph_cut() -> GraphCut:
    return GraphCut(AngularVectors(rings=6, brightness=1.0), device="cpu")


def test_methods_are_evaluated_and_their_result_is_read_again(make_file, tmp_path: Path) -> None:
    patterns = make_file(40)
    result = evaluate_hits(patterns, [PhotonCount(), graph_cut()], subset=LabelledSubset(per_class=2), **FEW)
    assert result.primary_name == "photon_count" and list(result.metrics["methods"]) == ["photon_count", "graph_cut"]
    assert len(result.training_frames) == 4 and result.metrics["test/frames"] == 36
    assert result.methods["graph_cut"].labels == 4 and result.methods["photon_count"].labels == 0
    written = write_hits(tmp_path / "run", result, patterns)
    read = results.read(tmp_path / "run")
    assert read.metrics == written.metrics == json.loads((tmp_path / "run/metrics.json").read_text())
    np.testing.assert_array_equal(read.answers[1].decision, result.answers[1].decision)
    assert read.notes == result.notes and read.selected.files == ["selection/index.txt"] + [
        f"selection/{name}" for name in ("selected.cxi", "selected.emc")
    ]
    assert all((tmp_path / "run" / name).is_file() for name in read.selected.files)


def test_another_threshold_takes_the_kept_answers(make_file, tmp_path: Path) -> None:
    patterns, cache = make_file(), Cache(tmp_path / "answers")
    taken = []
    for threshold in (0.3, 0.7):
        rule = DecisionRule(threshold, 0.0)
        result = evaluate_hits(patterns, [PhotonCount()], rule, cache=cache, **FEW)
        assert result.methods["photon_count"].kept == (threshold == 0.7)
        np.testing.assert_array_equal(result.primary.decision, result.primary.probability >= threshold)
        taken.append(int(result.primary.decision.sum()))
    assert taken[0] > taken[1]


def test_another_threshold_measures_no_frame_anew(make_file, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    patterns, cache, few = make_file(), Cache(tmp_path / "answers"), FEW | {"hit_threshold": 5.0}
    first = evaluate_hits(patterns, [PhotonCount()], DecisionRule(0.3), cache=cache, **few)

    def fails(*_: object) -> None:
        raise AssertionError("frames are measured again")

    monkeypatch.setattr(columns, "measure_frames", fails)
    again = evaluate_hits(patterns, [PhotonCount()], DecisionRule(0.7), cache=cache, **few)
    assert first.columns.keys() == again.columns.keys() and len(first.columns) > 3
    for name, values in first.columns.items():
        np.testing.assert_array_equal(values, again.columns[name])
    with pytest.raises(AssertionError, match="measured again"):  # another hit finder asks anew
        evaluate_hits(patterns, [PhotonCount()], DecisionRule(0.7), cache=cache, **few | {"hit_threshold": 6.0})


def test_a_map_that_learnt_from_the_file_itself_is_warned_of(make_file) -> None:
    patterns = make_file(40)
    learner = DiffusionMap(AngularVectors(rings=6, brightness=1.0), device="cpu", learn_from=patterns.path)
    result = evaluate_hits(patterns, [learner], **FEW)
    assert any("trained on 40 of these 40 frames" in note.text for note in result.notes if note.level is Level.WARNING)
    assert len(result.excluded) == 40


def test_mistakes_are_refused_before_a_frame_is_read(make_file, monkeypatch) -> None:
    patterns = make_file()
    monkeypatch.setattr(patterns, "read", lambda *_: pytest.fail("a frame was read"))
    with pytest.raises(UserError, match=r"selection\.method=nobody"):
        evaluate_hits(patterns, [PhotonCount()], primary="nobody")
    with pytest.raises(UserError, match=r"training_labels\.frames: 99"):
        evaluate_hits(patterns, [PhotonCount()], subset=LabelledSubset(frames=[99]))


def test_labels_that_every_method_contradicts_are_listed_for_a_second_look(make_file, tmp_path: Path) -> None:
    patterns = make_file(12)
    label = np.array([1, 0] * 6)
    wrong, unsure, alone = 4, 7, 2

    def answer(name: str, doubt: float) -> DecidedAnswer:
        probability = np.where(label == 1, 0.9, 0.1).astype(np.float32)
        probability[wrong] = 0.02
        probability[unsure] = 0.5 + doubt
        probability[alone] = 0.1 if name == "first" else 0.9
        return DecidedAnswer.of(name, HitAnswer(probability, probability), DecisionRule())

    answers = [answer("first", 0.4), answer("second", 0.05)]
    shape, labels = (12, *patterns.shape[1:]), {"is_single_hit": label}
    result = HitResult(
        path=str(patterns.path), format="cxi", shape=shape, rule=DecisionRule(), primary_name="first", answers=answers,
        labels=labels, columns={"photons": np.ones(12)},
    )  # fmt: skip
    result = replace(result, metrics=score(result, [], 10, 0))
    assert result.contradicted.tolist() == [wrong], "an uncertain method, or one that agrees, contradicts nothing"
    assert replace(result, answers=answers[:1]).contradicted.size == 0, "one method alone is no second opinion"
    assert any("1 labels are contradicted" in str(note) for note in result_notes(result))
    assert gallery_frames(result, 12)[CONTRADICTED].tolist() == [wrong]
    write_hits(tmp_path / "run", result, patterns)
    text = (tmp_path / "run" / SECOND_LOOK).read_text()
    assert text == (
        "# frames of a.h5 whose label is contradicted by first, second\n4  # labelled single; p 0.02, 0.02\n"
    )
    assert frames_named(str(tmp_path / "run" / SECOND_LOOK), patterns).tolist() == [wrong]
