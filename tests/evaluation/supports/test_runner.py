"""Answers with supports are kept, and so is what was said of them."""

from pathlib import Path

import numpy as np

from spi_lightning.evaluation.hits.cache import AnswerCache
from spi_lightning.evaluation.supports.runner import SupportInterview
from spi_lightning.fields import PHOTONS
from spi_lightning.io import PatternFile, PatternKeys, open_patterns
from spi_lightning.notes import Note
from spi_lightning.results.hit_answer import Notes
from spi_lightning.results.support_answer import SupportAnswer


class Circle:
    """Answers every pattern with the same support, and says something."""

    needs_given = False

    def __init__(self, name: str) -> None:
        self.name, self.notes, self.asked = name, Notes(), 0

    def answer_supports(self, patterns: PatternFile) -> SupportAnswer:
        self.asked += 1
        self.notes.say(Note.hint("the patterns are larger than it likes.", "circle"))
        support = np.zeros((len(patterns), 8, 8), dtype=bool)
        support[:, 3:6, 2:6] = True
        return SupportAnswer(self.name, np.arange(len(patterns)), None, support, 0.1)


def test_a_kept_answer_brings_its_notes(tmp_path: Path) -> None:
    np.save(tmp_path / "set.npy", np.random.default_rng(0).poisson(2, (3, 8, 8)))
    patterns = open_patterns(str(tmp_path / "set.npy"), PatternKeys(photons=PHOTONS))
    ask = SupportInterview(patterns, AnswerCache(tmp_path / "cache"))
    first, second = Circle("first"), Circle("second")
    made, kept = ask(first, "circle"), ask(second, "circle")  # type: ignore[arg-type]
    assert not made.cached and kept.cached and second.asked == 0
    np.testing.assert_array_equal(made.answer.support, kept.answer.support)
    assert second.notes == first.notes != []
