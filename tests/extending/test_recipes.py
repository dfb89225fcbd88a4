"""Each recipe of CONTRIBUTING.md adds its part from outside the package and uses it, word for word."""

import json
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from spi_lightning.evaluation import Cache, ask_whole
from spi_lightning.evaluation.hits.question import HitQuestion
from spi_lightning.io import open_patterns
from spi_lightning.simulate.projection import BODIES
from tests.extending.conftest import Lab
from tests.extending.page import recipes


@pytest.mark.parametrize("name", ["network", "loss"])
def test_a_part_of_ones_own_trains_resumes_finetunes_and_evaluates(lab: Lab, name: str) -> None:
    for words in recipes()[name].commands:
        if name == "network" and "trust=mylab" in words:
            lab.refused(words)
        lab.run(words)


def test_a_file_format_of_ones_own_trains_and_evaluates(lab: Lab) -> None:
    patterns = open_patterns(lab.folder / "frames.cxi")
    photons = patterns.read(range(len(patterns)))
    head = b"MYL1" + np.array(photons.shape, dtype="<u4").tobytes()
    (lab.folder / "frames.raw").write_bytes(head + photons.astype("<u2").tobytes())
    np.savetxt(lab.folder / "labels.txt", patterns.labels["is_single_hit"], fmt="%d")
    train, evaluate, resume, describe = recipes()["file format"].commands
    lab.run(train)
    notes = lab.run(evaluate)
    assert "trained on 22 and validated on 5 of these 32 frames" in notes.console
    lab.refused(resume)
    lab.run(resume)
    assert "mylab raw" in lab.run(describe).console
    listed = (lab.folder / "selection.txt").write_text("".join(f"frames.raw,{number}\n" for number in (3, 1)))
    other = lab.run(["data.path=selection.txt" if word.startswith("data.path=") else word for word in evaluate
                     if not word.startswith("data.keys.label")])  # fmt: skip
    assert listed and "2 frames" in other.console


def test_a_metric_of_ones_own_is_measured_in_training_and_evaluation(lab: Lab) -> None:
    train, evaluate = recipes()["metric"].commands
    assert "│ brier" in lab.run(train).console
    trained = json.loads((lab.folder / "runs/brier/metrics.json").read_text())
    assert 0 < trained["val/brier"] < 1 and 0 < trained["test/brier"] < 1
    lab.refused([word for word in evaluate if not word.startswith(("metric=", "hydra."))])  # which import it themselves
    notes = lab.run([*evaluate, "hydra.run.dir=evaluated"])
    folder = lab.folder / "evaluated"
    metrics = json.loads((folder / "metrics.json").read_text())
    answered = np.genfromtxt(folder / "predictions.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    label = open_patterns(lab.folder / "frames.cxi").labels["is_single_hit"]
    expected = ((answered["probability"] - label) ** 2).mean()
    np.testing.assert_allclose(metrics["test/brier"], expected, rtol=1e-6)
    assert "brier" in notes.console and ">brier<" in (folder / "report.html").read_text()


def test_a_particle_of_ones_own_is_simulated_to_a_file_and_while_training(lab: Lab) -> None:
    simulate, train, resume = recipes()["simulated particle"].commands
    lab.run(simulate)
    body = open_patterns(lab.folder / "dumbbells.cxi").labels["body"]
    assert (body == len(BODIES)).sum() > 2, body
    lab.run(train)
    lab.refused(resume)
    lab.run(resume)


def test_a_figure_of_ones_own_stands_on_the_page_and_on_the_page_made_again(lab: Lab) -> None:
    evaluate, report = recipes()["figure of a report"].commands
    page, caption = lab.folder / "runs/figure/report.html", "Probability of a single hit over the photons of a frame."
    lab.run([*evaluate, "frame_columns=100"])
    assert caption in page.read_text()
    lab.run(report[:3])
    assert caption not in page.read_text()  # the folder's own settings call nothing
    lab.run(report)
    assert caption in page.read_text()


def test_a_method_of_ones_own_answers_the_question_of_hits(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(lab.folder)
    monkeypatch.syspath_prepend(str(lab.folder))
    method = import_module("mylab.lit_pixels").LitPixels(least=2)
    patterns = open_patterns("frames.cxi")
    question = HitQuestion(patterns)
    made, again = (ask_whole(method, question, Cache(lab.folder / "answers")) for _ in range(2))
    lit = (patterns.read(range(len(patterns))) >= 2).mean((1, 2))
    assert np.argmax(made.answer.score) == np.argmax(lit) and not made.kept and again.kept
    assert not ask_whole(replace(method, least=1), question, Cache(lab.folder / "answers")).kept


def test_a_method_of_ones_own_is_evaluated_beside_another(lab: Lab) -> None:
    (evaluate,) = recipes()["method"].commands
    lab.run(evaluate)
    methods = json.loads((lab.folder / "runs/methods/metrics.json").read_text())["methods"]
    assert methods["lit_pixels"]["test/auroc"] > 0.5 and "photon_count" in methods
