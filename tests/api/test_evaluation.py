"""Methods on patterns in memory, by name."""

from pathlib import Path

import numpy as np
import pytest

from spi_lightning import UserError, evaluate, simulate_patterns
from spi_lightning.io import PatternFile
from spi_lightning.methods import PhotonCount
from spi_lightning.results import HitResult, SupportResult


@pytest.fixture(scope="module")
def patterns() -> PatternFile:
    return simulate_patterns("hits", 48, seed=1, shape=[32, 32], block_size=24)


def test_names_and_objects_are_methods_side_by_side(patterns: PatternFile) -> None:
    result = evaluate(patterns, ["photon_count", PhotonCount(name="mine")])
    assert isinstance(result, HitResult)
    first, second = result.answers
    assert (first.name, second.name) == ("photon_count", "mine")
    assert np.array_equal(first.probability, second.probability)
    assert "photon_count, mine" in repr(result)
    curves = result.plot().axes[0].get_legend().get_texts()
    assert f"photon_count: {result.metrics['test/auroc']:.3f}" in [text.get_text() for text in curves]


def test_methods_of_one_name_are_numbered(patterns: PatternFile) -> None:
    result = evaluate(patterns, ["photon_count", PhotonCount(), "photon_count"])
    assert [one.name for one in result.answers] == ["photon_count", "photon_count (2)", "photon_count (3)"]


def test_arrays_and_labels_give_the_numbers_of_the_file(patterns: PatternFile) -> None:
    frames = range(len(patterns))
    arrays = patterns.read(frames), "photon_count", patterns.read_mask(frames), patterns.labels["is_single_hit"]
    whole, given = evaluate(patterns, "photon_count"), evaluate(*arrays)
    assert given.metrics["test/auroc"] == whole.metrics["test/auroc"]


def test_methods_of_supports_give_supports(patterns: PatternFile, tmp_path: Path) -> None:
    methods = ["autocorrelation_support", "double_intersection"]
    result = evaluate(patterns.read([0, 1, 2]), methods, cache=tmp_path)
    assert isinstance(result, SupportResult)
    assert [one.support.shape for one in result.methods] == [(3, 32, 32)] * 2
    again = evaluate(patterns.read([0, 1, 2]), methods, cache=tmp_path)
    assert all(one.kept for one in again.methods)
    assert len(result.plot().axes) == 3 * (1 + len(methods))  # pattern and supports of each frame


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ([], "empty"),
        ("brightness", "brightness is neither a run nor a method; methods: .*, photon_count, .*triple_intersection"),
        (["photon_count", "double_intersection"], "hits and of supports"),
        ([object()], "needs answer"),
    ],
)
def test_a_mistake_is_one_line(patterns: PatternFile, methods: object, words: str) -> None:
    with pytest.raises(UserError, match=words):
        evaluate(patterns, methods)
