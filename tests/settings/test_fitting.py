"""Plain values against annotations of types."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from spi_lightning.settings import Misfit, misfit_of


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (1, float),
        (1.5, float | None),
        (None, float | None),
        ([1, 2], Sequence[float]),
        ([0.1, 5], tuple[float, float]),
        ({"train": 3}, Mapping[str, int]),
        ("x", Any),
        ("auto", int | str),
        ("${other}", int),
        ("???", int),
        ([1, None], Sequence[float | None]),
    ],
)
def test_what_fits(value: Any, annotation: Any) -> None:
    assert misfit_of(value, annotation) is None


@pytest.mark.parametrize(
    ("value", "annotation", "position"),
    [
        ("abc", float, ""),
        (1.5, int, ""),
        (True, int, ""),
        (1, bool, ""),
        (3, str, ""),
        (None, int, ""),
        (None, Path, ""),
        ("abc", Sequence[int], ""),
        ([1, "b"], Sequence[int], "[1]"),
        ({"train": "many"}, Mapping[str, int], ".train"),
        ([1, "b"], Sequence[int] | None, "[1]"),
    ],
)
def test_what_does_not(value: Any, annotation: Any, position: str) -> None:
    wrong = misfit_of(value, annotation)
    assert wrong is not None and wrong.path == position


def test_a_pair_has_two_values() -> None:
    assert misfit_of([1, 2, 3], tuple[int, int]) == Misfit("", [1, 2, 3], ("a list of 2 values",))
    assert misfit_of([0.5], tuple[float, float]) is not None and misfit_of([1, 2, 3], tuple[int, ...]) is None
