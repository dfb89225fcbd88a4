"""Comparison of support methods: what methods may see, kept answers, scores against a known truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from spi_lightning import codec
from spi_lightning.errors import UserError
from spi_lightning.evaluation.cache import Cache
from spi_lightning.evaluation.supports import compare_supports
from spi_lightning.fields import DENSITY, INTENSITY, SUPPORT, Batch
from spi_lightning.fingerprint import Irrelevant
from spi_lightning.io import ArrayFrames, PatternFile
from spi_lightning.methods.supports.batches import SupportMethod
from spi_lightning.notes import Note
from spi_lightning.progress import Listener
from spi_lightning.results.supports import SUPPORTS_FILE, SupportResult

CALLS: list[str] = []


@dataclass(frozen=True, kw_only=True)
class Rectangle(SupportMethod):
    """The same rectangle about the origin for every pattern, edges in pixels."""

    name: Irrelevant[str] = "rectangle"
    height: int = 4
    width: int = 4

    def supports_of(self, batch: Batch, listener: Listener) -> Batch:
        CALLS.append(self.name)
        assert DENSITY not in batch
        listener.note(Note.hint("knows one shape only"))
        support = torch.zeros(len(batch[INTENSITY]), 32, 32, dtype=torch.bool)
        y, x = 16 - self.height // 2, 16 - self.width // 2
        support[:, y : y + self.height, x : x + self.width] = True
        return {SUPPORT: support, DENSITY: support.float() * 0.8}


@dataclass(frozen=True, kw_only=True)
class Broken(Rectangle):
    """A rectangle whose density is NaN."""

    def supports_of(self, batch: Batch, listener: Listener) -> Batch:
        found = super().supports_of(batch, listener)
        return found | {DENSITY: found[DENSITY] * float("nan")}


@pytest.fixture
def squares() -> PatternFile:
    """Six patterns of squares of 4 x 4 pixels about the origin, with their densities."""
    density = np.zeros((6, 32, 32), dtype=np.float32)
    density[:, 14:18, 14:18] = 1
    intensity = np.abs(np.fft.fftshift(np.fft.fft2(density), axes=(1, 2))).astype(np.float32) ** 2
    return PatternFile(Path("squares.cxi"), "drawn", ArrayFrames(intensity), images={DENSITY: ArrayFrames(density)})


def test_the_true_support_has_no_errors_and_others_their_margins(squares: PatternFile) -> None:
    methods = [Rectangle(), Rectangle(name="wide", width=6), Rectangle(name="flat", height=2)]
    metrics = compare_supports(squares, methods, curve=3).metrics
    exact, wide, flat = (metrics["methods"][name] for name in ("rectangle", "wide", "flat"))
    assert [exact[f"test/{name}"] for name in ("false_negatives", "false_positives", "iou")] == [0, 0, 1]
    assert [wide[f"test/{name}"] for name in ("false_negatives", "false_positives", "area_ratio")] == [0, 8, 1.5]
    assert [flat[f"test/{name}"] for name in ("false_negatives", "false_positives", "area_ratio")] == [8, 0, 0.5]
    assert (exact["test/below_two_false_negatives"], flat["test/below_two_false_negatives"]) == (1, 0)
    assert wide["test/iou"] == pytest.approx(16 / 24) and flat["test/iou"] == pytest.approx(8 / 16)
    np.testing.assert_allclose(metrics["agreement"]["iou"][1], [16 / 24, 1, 8 / 24])
    assert metrics["test/frames"] == 6 and metrics["test/false_positives"] == 0  # of the primary method


def test_the_trade_off_curve_cuts_the_density_and_grows_supports_by_a_pixel(squares: PatternFile) -> None:
    (*points, own) = compare_supports(squares, [Rectangle()], curve=3).metrics["trade_off"]["rectangle"]
    assert (own["parameter"], own["false_negatives"], own["false_positives"]) == ("as answered", 0, 0)
    missed = {(point["setting"] < 0.8, point["dilation"]): point["false_negatives"] for point in points}
    assert missed[True, 0] == missed[True, 1] == 0 and missed[False, 0] == 16
    grown = next(point for point in points if point["dilation"] and point["setting"] < 0.8)
    assert grown["false_positives"] in (16, 20)  # rim of a square of 4 x 4 pixels, without or with its corners


def test_without_a_truth_supports_are_measured_alone(squares: PatternFile) -> None:
    squares.images = {}
    metrics = compare_supports(squares, [Rectangle(width=6)]).metrics
    assert metrics["test/area"] == 24 and "test/iou" not in metrics and "trade_off" not in metrics


def test_a_kept_answer_brings_its_notes_under_the_present_name(squares: PatternFile, tmp_path: Path) -> None:
    CALLS.clear()
    cache = Cache(tmp_path / "cache")
    first = compare_supports(squares, [Rectangle(name="first")], cache)
    second = compare_supports(squares, [Rectangle(name="second")], cache)
    assert CALLS == ["first"] and not first.methods[0].kept and second.methods[0].kept
    assert [str(note) for note in second.notes if note.subject == "second"]
    np.testing.assert_array_equal(first.methods[0].support, second.methods[0].support)
    assert second.methods[0].cost == first.methods[0].cost
    compare_supports(squares, [Rectangle(name="third", width=5)], cache)
    assert CALLS == ["first", "third"]


def test_a_result_is_read_back_as_it_was(squares: PatternFile, tmp_path: Path) -> None:
    result = compare_supports(squares, [Rectangle()])
    codec.save(tmp_path / SUPPORTS_FILE, result)
    again = codec.load(tmp_path / SUPPORTS_FILE, SupportResult)
    assert again.metrics == result.metrics and again.notes == result.notes
    np.testing.assert_array_equal(again.primary_method.density, result.primary_method.density)
    assert list(again.displayed.choices) == list(result.displayed.choices)


def test_densities_that_are_not_numbers_are_refused(squares: PatternFile) -> None:
    with pytest.raises(UserError, match="broken gives NaN in density for 6 of 6, number 0 first; train it again"):
        compare_supports(squares, [Broken(name="broken")])
