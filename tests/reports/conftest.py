"""A run folder of an evaluation as evaluate.py leaves it, without any network having run."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spi_lightning.notes import Note
from spi_lightning.reports import choose_frames
from spi_lightning.results.answered import Cost
from spi_lightning.results.decision import DecisionRule
from spi_lightning.results.hit_answer import HitAnswer
from spi_lightning.results.hit_pictures import Gallery
from spi_lightning.results.hits import DecidedAnswer, HitResult, MethodFacts, Selected

STRANGE = "<script>alert('x')</script> & Co"


def decided(name: str, truth: np.ndarray, random: np.random.Generator, features: int) -> DecidedAnswer:
    """Answer of one method that is mostly right."""
    probability = 1 / (1 + np.exp(-(3 * truth - 1.5 + random.normal(size=len(truth))))).astype(np.float32)
    vectors = random.normal(size=(len(truth), features)).astype(np.float32) if features else None
    return DecidedAnswer.of(name, HitAnswer(probability, probability, features=vectors), DecisionRule())


def gallery_of(answer: DecidedAnswer, label: np.ndarray | None, random: np.random.Generator) -> Gallery:
    frames = choose_frames(answer.probability, answer.decision, answer.abstain, label, count=2)
    kept = np.unique(np.concatenate(list(frames.values())))
    mask = np.ones((16, 20), dtype=bool)
    mask[8] = False
    photons = random.poisson(2.0, (len(kept), 16, 20)).astype(np.float32)
    return Gallery(frames, kept, photons, mask, np.full((len(kept), 2), 7.5, np.float32), 1)


@pytest.fixture(scope="session")
def make_evaluation(tmp_path_factory) -> Callable[..., Path]:
    """make_evaluation(count, label=None | array, methods=..., features=...) -> run folder."""

    def make(count: int = 40, label: np.ndarray | None = None, methods: int = 1, features: int = 3) -> Path:
        random = np.random.default_rng(0)
        run = tmp_path_factory.mktemp("run")
        truth = np.arange(count) % 2 if label is None else np.maximum(label, 0)
        names = [f"seed_{i}" for i in range(methods)] + (["ensemble"] if methods > 1 else [])
        answers = {name: decided(name, truth, random, features) for name in names}
        columns = {
            "photons": random.integers(100, 10_000, count),
            "diameter_nm": np.where(np.arange(count) % 5, 60.0, np.nan),
        }
        kind = None if label is None else np.where(label == 1, 0, np.where(label == 0, 5, -1))
        numbers = {"test/accuracy": 0.9, "test/accuracy/low": 0.8, "test/accuracy/high": 1.0, "test/frames": count}
        numbers |= {name.replace("test/", "test_kept/"): value for name, value in numbers.items()}
        metrics = {**numbers, "methods": dict.fromkeys(names, numbers), "spread": {}} if label is not None else {}
        if methods > 1 and label is not None:
            metrics["spread"] = {"test/accuracy/mean": 0.9, "test/accuracy/std": 0.01}
        HitResult(
            path="data.h5",
            format="HDF5",
            shape=(count, 16, 20),
            rule=DecisionRule(),
            primary_name=names[-1],
            answers=[answers[name] for name in names[:methods]],
            ensemble=answers.get("ensemble"),
            methods={name: MethodFacts(Cost(1.0), checkpoint=f"runs/{STRANGE}") for name in names[:methods]},
            labels={} if label is None or kind is None else {"is_single_hit": label, "kind": kind},
            columns=columns,
            excluded=np.arange(min(count, 2)),
            metrics=metrics,
            notes=(Note.of(STRANGE),),
            selected=Selected(np.arange(3), ["selection/index.txt"]),
            gallery=gallery_of(answers[names[-1]], label, random),
            command="evaluate.py checkpoint=run",
        ).save(run)
        (run / "metrics.json").write_text(json.dumps(metrics))
        (run / "config.yaml").write_text(f"name: {STRANGE}\n")
        (run / "versions.json").write_text(json.dumps({"python": "3.11", "packages": {"torch": "2.13"}}))
        return run

    return make
