"""Labels of every spelling become numbers of their field, or are refused in one line."""

import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.io.patterns.labels import as_label

L = np.array([1, 0, 0, 1])


@pytest.mark.parametrize("values", [np.eye(2)[L], np.eye(2, dtype=bool)[L], L[:, None], L[None], L == 1])
def test_labels_of_single_hits(values) -> None:
    found, notes = as_label("is_single_hit", values, 4, "f.h5: labels")
    assert found.tolist() == L.tolist() and found.dtype == np.int64
    assert bool(notes) == (values.shape == (4, 2)) and all("one-hot" in str(note) for note in notes)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("is_single_hit", np.ones((4, 2), int), "shape .4, 2.; give one label for each pattern"),
        ("is_single_hit", np.full((4, 2), 0.5), "shape"),
        ("is_single_hit", np.eye(3)[[0, 2, 1, 0]], "one-hot labels of 2 columns"),
        ("is_single_hit", np.ones((3, 2)), "does not fit 4 patterns"),
        (
            "is_single_hit",
            np.array(["rod", "cube", "rod", "rod"]),
            "word 'cube' among 'cube', 'rod'.*data.keys.positive=",
        ),
        ("is_single_hit", np.array(["single", "hit", "hit", "miss"]), "the word 'hit' among.*data.keys.positive="),
        ("is_single_hit", L + 1, "is 2 in some patterns.*data.keys.positive=2"),
        ("kind", np.array(["single", "rod", "many", "many"]), "word 'rod'.*give numbers"),
        ("is_single_hit", np.array([1, np.nan, 0, 1]), "without NaN"),
        ("is_single_hit", np.array([1, np.inf, 0, 1]), "whole numbers"),
        ("kind", np.ones((4, 6)), "give one label"),
        ("diameter", np.ones((4, 2)), "one value per pattern"),
        ("diameter", np.ones(4, complex), "must be numbers"),
    ],
)
def test_what_is_no_label(name, values, message) -> None:
    with pytest.raises(UserError, match=message):
        as_label(name, values, 4, "f.h5: labels")


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        ("single", "multi"),
        ("Single-hit", "background"),
        ("hit", "miss"),
        ("single_hit", "no hit"),
        ("true", "False"),
        ("1", "0"),
    ],
)
@pytest.mark.parametrize("kind", [str, bytes, object])
def test_words_whose_meaning_is_plain(yes, no, kind) -> None:
    words = np.array([yes if label else no for label in L])
    found, notes = as_label("is_single_hit", words.astype("S") if kind is bytes else words.astype(kind), 4, "f.h5: l")
    assert found.tolist() == L.tolist() and found.dtype == np.int64
    assert "words are read" in str(notes[0]) and "= 1" in str(notes[0])


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        (np.where(L, "rod", "cube"), "rod"),
        (np.array(["rod", "cube", "plate", "sphere"]), "Rod,sphere"),
        (np.where(L, "single", "hit"), "single"),
        (L + 1, "2"),
        (L + 1, 2),
        (1.0 * L + 1, "2"),
        (np.eye(3)[L + 1], "2"),
    ],
)
def test_the_class_that_the_user_names(values, positive) -> None:
    found, notes = as_label("is_single_hit", values, 4, "f.h5: labels", positive)
    assert found.tolist() == L.tolist() and any("= single hit, as set" in str(note) for note in notes)
    with pytest.raises(UserError, match="no label is other"):
        as_label("is_single_hit", values, 4, "f.h5: labels", "other")


def test_kinds_and_particles() -> None:
    assert as_label("kind", np.array(["single", "Many", "unknown", "contaminant"]), 4, "f")[0].tolist() == [0, 4, -1, 5]
    assert as_label("kind", np.eye(6)[[0, 5, 2, 2]], 4, "f")[0].tolist() == [0, 5, 2, 2]
    runs = np.array([[90, 1], [90, 2], [90, 1], [91, 1]])
    found, notes = as_label("particle_id", runs, 4, "f")
    assert found.tolist() == [0, 1, 0, 2] and "3 rows" in str(notes[0])
    assert as_label("particle_id", np.array(["b", "a", "b", "c"]), 4, "f")[0].tolist() == [1, 0, 1, 2]
