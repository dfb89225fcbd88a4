"""The square around the beam, and the selection of an evaluation run."""

from pathlib import Path

import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.io import PatternFile, open_patterns
from spi_lightning.orientation import DetectorGeometry, open_source
from spi_lightning.orientation.window import find_window
from spi_lightning.results.selection import write_selection_lists


def test_the_window_follows_the_beam_and_the_bin(tmp_path: Path) -> None:
    detector = DetectorGeometry(distance=0.5, pixel_size=5e-4, beam_centre=(21.0, 18.5))
    photons = np.zeros((2, 40, 44), np.int32)
    photons[:, 21, 18] = 7
    np.save(tmp_path / "a.npy", photons)
    file = open_patterns(tmp_path / "a.npy")
    with pytest.raises(UserError, match=r"does not say where its detector was; add detector.distance=0.58"):
        find_window(file)
    window = find_window(file, detector, 20, 2)
    cut = window.cut(file.read([0]))[0]
    assert cut.shape == (10, 10) and cut.sum() == 7
    row, column = np.argwhere(cut == 7)[0]
    # The beam meets the middle of row 21, and the edge between columns 18 and 19; squares of 2 x 2 hold them.
    assert abs(row - window.beam_centre[0]) == 0.25 and abs(column - window.beam_centre[1]) in (0.0, 0.5)
    assert window.distance == pytest.approx(500)
    assert find_window(file, detector).cut(file.read([0])).shape == (1, 37, 37)


def test_the_selection_of_an_evaluation_is_found(patterns: PatternFile, tmp_path: Path) -> None:
    write_selection_lists(tmp_path / "run" / "selection", patterns, np.array([3, 5, 7]))
    for folder in (tmp_path / "run", tmp_path / "run" / "selection"):
        chosen = open_source(folder)
        np.testing.assert_array_equal(chosen.read([0, 2]), patterns.read([3, 7]))
    (tmp_path / "run" / "selection" / "selected.cxi").unlink()
    chosen = open_source(tmp_path / "run")
    assert chosen.format.startswith("Dragonfly emc")
    window = find_window(chosen)
    assert window.distance == pytest.approx(0.58 / 1.2e-3) and window.beam_centre == (15.5, 15.5)
