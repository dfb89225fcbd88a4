"""Labels of every spelling become numbers of their field, or are refused in one line."""

import numpy as np
import pytest

from spi_lightning.fields import UserError
from spi_lightning.io.labels import as_label

L = np.array([1, 0, 0, 1])


@pytest.mark.parametrize(
    "values", [np.eye(2)[L], np.eye(2, dtype=bool)[L], L[:, None], L[None], L == 1, np.array(["True", "false"])[1 - L]]
)
def test_labels_of_single_hits(values) -> None:
    found, notes = as_label("is_single_hit", values, 4, "f.h5: labels")
    assert found.tolist() == L.tolist() and found.dtype == np.int64
    assert bool(notes) == (values.shape == (4, 2)) and all("one-hot" in note for note in notes)


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("is_single_hit", np.ones((4, 2), int), "shape .4, 2.; give one label for each pattern"),
        ("is_single_hit", np.full((4, 2), 0.5), "shape"),
        ("is_single_hit", np.eye(3)[[0, 2, 1, 0]], "one-hot labels of 2 columns"),
        ("is_single_hit", np.ones((3, 2)), "does not fit 4 patterns"),
        ("is_single_hit", np.array(["hit", "no", "hit", "no"]), "not words such as 'hit'"),
        ("is_single_hit", np.array([1, np.nan, 0, 1]), "without NaN"),
        ("is_single_hit", np.array([1, np.inf, 0, 1]), "whole numbers"),
        ("kind", np.ones((4, 6)), "give one label"),
        ("diameter", np.ones((4, 2)), "one value for each"),
        ("diameter", np.ones(4, complex), "must be numbers"),
    ],
)
def test_what_is_no_label(name, values, said) -> None:
    with pytest.raises(UserError, match=said):
        as_label(name, values, 4, "f.h5: labels")


def test_kinds_and_particles() -> None:
    assert as_label("kind", np.eye(6)[[0, 5, 2, 2]], 4, "f")[0].tolist() == [0, 5, 2, 2]
    runs = np.array([[90, 1], [90, 2], [90, 1], [91, 1]])
    found, notes = as_label("particle_id", runs, 4, "f")
    assert found.tolist() == [0, 1, 0, 2] and "3 rows" in notes[0]
    assert as_label("particle_id", np.array(["b", "a", "b", "c"]), 4, "f")[0].tolist() == [1, 0, 1, 2]
