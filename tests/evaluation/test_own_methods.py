"""Mistakes in a method of a user's own: one line that names the method, what it gave, and what is wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spi_lightning.data.scans.volume_patterns import VolumePatterns
from spi_lightning.errors import UserError
from spi_lightning.evaluation import Question, ask_whole
from spi_lightning.evaluation.hits import HitQuestion
from spi_lightning.evaluation.supports import SupportQuestion, compare_supports
from spi_lightning.evaluation.volumes import VolumeQuestion, VolumeSettings
from spi_lightning.fields import DENSITY, SUPPORT, Batch
from spi_lightning.fingerprint import Irrelevant
from spi_lightning.io import ArrayFrames, PatternFile
from spi_lightning.methods import PhotonCount, SupportMethod
from spi_lightning.progress import Listener
from spi_lightning.results.hit_answer import HitAnswer
from spi_lightning.results.support_answer import SupportAnswer, SupportPart
from spi_lightning.results.volume_answer import Trace, VolumeRuns

SCORES = np.linspace(0, 1, 6, dtype=np.float32)
INSIDE = np.ones((6, 8, 8), dtype=bool)
TRACE = Trace([0], [0.0], [np.zeros(2)])
HERE = r"in test_own_methods\.py, line \d+"
BOX = torch.ones(2, 4, 4, 4, dtype=torch.complex64)


@dataclass(frozen=True)
class Own:
    """Gives what a function makes."""

    make: Irrelevant[Callable[[], Any]]
    name: Irrelevant[str] = "mine"

    def answer(self, part: Any, listener: Listener) -> Any:
        return self.make()


@pytest.fixture
def patterns() -> PatternFile:
    return PatternFile(Path("six.cxi"), "drawn", ArrayFrames(np.ones((6, 8, 8), dtype=np.float32)))


def question_of(kind: str, patterns: PatternFile) -> Question[Any, Any]:
    if kind == "hits":
        return HitQuestion(patterns)
    if kind == "supports":
        return SupportQuestion.of_file(patterns)
    photons = torch.ones(1, 8, 8, 8)
    return VolumeQuestion(VolumePatterns("", "array", ("one",), photons, photons > 0), VolumeSettings(masks=1))


RIGHT: dict[str, Callable[[], Any]] = {
    "hits": lambda: HitAnswer(SCORES, SCORES),
    "supports": lambda: SupportAnswer(INSIDE),
    "volumes": lambda: VolumeRuns.of(BOX, TRACE),
}
WRONG: list[tuple[str, Callable[[], Any], str]] = [
    ("hits", lambda: None, r"answer\(\) gave None; wanted is HitAnswer\(score, probability, "),
    ("hits", lambda: SCORES, r"answer\(\) gave a NumPy array of float32, shape \(6,\); wanted is HitAnswer"),
    ("hits", lambda: HitAnswer(SCORES, SCORES[:5]), r"probability is .* \(5,\); wanted is .* real .* with N=6"),
    ("hits", lambda: HitAnswer(SCORES, torch.ones(6)), r"probability is a tensor .*; wanted is a NumPy array"),  # type: ignore[arg-type]
    ("hits", lambda: HitAnswer(SCORES, SCORES, SCORES), r"undecided is .*; wanted is .* of bool .* or None"),  # type: ignore[arg-type]
    ("hits", lambda: HitAnswer(scores=SCORES), rf"TypeError {HERE}: .* argument 'scores'"),  # type: ignore[call-arg]
    ("supports", lambda: HitAnswer(SCORES, SCORES), r"answer\(\) gave an object of class HitAnswer; wanted is Support"),
    ("supports", lambda: SupportAnswer(INSIDE[:, :4]), r"support is .* \(6, 4, 8\); wanted .* with N=6, H=8, W=8"),
    ("supports", lambda: SupportAnswer(INSIDE, INSIDE[:4] * 1.0), r"density is .* \(4, 8, 8\); wanted"),
    ("supports", lambda: SupportAnswer(SCORES), r"support is .* \(6,\); wanted is a NumPy array of bool"),  # type: ignore[arg-type]
    ("supports", lambda: {}["support"], rf"KeyError {HERE}: 'support' "),
    ("volumes", lambda: BOX, r"answer\(\) gave a tensor of complex64, shape .*; wanted is Volume"),
    ("volumes", lambda: VolumeRuns.of(BOX.real, TRACE), r"density is a tensor of float32, .*; wanted is .* of complex"),
    ("volumes", lambda: VolumeRuns.of(BOX[0], TRACE), rf"ValueError {HERE}"),
    ("volumes", lambda: VolumeRuns.of(BOX.repeat(1, 3, 1, 1), TRACE), r"density is .* \(2, 12, 4, 4\); .* z up to 8"),
]  # fmt: skip


@pytest.mark.parametrize("kind", RIGHT)
def test_a_right_answer_is_taken(kind: str, patterns: PatternFile) -> None:
    assert ask_whole(Own(RIGHT[kind]), question_of(kind, patterns)).answer


@pytest.mark.parametrize(("kind", "make", "line"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
def test_a_mistake_is_one_line(kind: str, make: Callable[[], Any], line: str, patterns: PatternFile) -> None:
    with pytest.raises(UserError, match=f"^mine: {line}") as found:
        ask_whole(Own(make), question_of(kind, patterns))
    assert "\n" not in str(found.value)


def test_a_method_without_the_listener_is_refused(patterns: PatternFile) -> None:
    class Short:
        name = "short"

        def answer(self, part: Any) -> Any:
            return None

    with pytest.raises(UserError, match=r"^short: TypeError in .*Short: .*2 positional arguments but 3 were given"):
        ask_whole(Short(), SupportQuestion.of_file(patterns))  # type: ignore[arg-type]


def test_a_fault_of_this_package_keeps_its_traceback(patterns: PatternFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spi_lightning.methods.hits.photon_count.read_ahead", lambda patterns: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ask_whole(PhotonCount(), HitQuestion(patterns))


@dataclass(frozen=True, kw_only=True)
class OwnBatches(SupportMethod):
    """Gives of every batch what it holds."""

    name: Irrelevant[str] = "mine"
    found: Irrelevant[Any]

    def supports_of(self, batch: Batch, listener: Listener) -> Any:
        return self.found


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (torch.ones(6, 8, 8), r"gave a tensor of float32, shape \(6, 8, 8\); wanted are support, density by name"),
        ({"supports": torch.ones(6, 8, 8)}, r"support is None; wanted is a tensor .* with B=6, H=8, W=8"),
        ({SUPPORT: torch.ones(6, 8, 4)}, r"support is .* \(6, 8, 4\); wanted"),
        ({SUPPORT: torch.ones(6, 2, 8, 8)}, r"support is .* \(6, 2, 8, 8\); wanted"),
        ({SUPPORT: torch.ones(6, 8, 8), DENSITY: 0.5}, r"density is an object of class float; wanted is a tensor"),
    ],
)
def test_a_batch_that_is_no_support_is_one_line(found: Any, line: str, patterns: PatternFile) -> None:
    with pytest.raises(UserError, match=rf"^mine: supports_of\(\):? {line}"):
        ask_whole(OwnBatches(found=found, device="cpu"), SupportQuestion.of_file(patterns))


def test_a_support_method_that_only_answers_is_compared(patterns: PatternFile) -> None:
    """Without a parameter, the trade-off curve cuts its density."""
    patterns.images = {DENSITY: ArrayFrames(np.ones((6, 8, 8), dtype=np.float32))}
    result = compare_supports(patterns, [Own(lambda: SupportAnswer(INSIDE, INSIDE * np.float32(0.5)))], curve=2)
    assert {point["parameter"] for point in result.metrics["trade_off"]["mine"]} == {"threshold", "as answered"}


def test_part_is_what_a_method_may_see(patterns: PatternFile) -> None:
    (part,) = SupportQuestion.of_file(patterns).parts(None)
    assert isinstance(part, SupportPart) and part.patterns.labels == {}
