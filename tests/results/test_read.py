"""The result of a run by what its folder holds."""

from pathlib import Path

import numpy as np
import pytest

from spi_lightning.codec import save
from spi_lightning.errors import UserError
from spi_lightning.notes import Note
from spi_lightning.results import OrientationResult, PhasingResult, read
from spi_lightning.results.orientation import ORIENTATION_FILE, Examples
from spi_lightning.results.phasing import PHASING_FILE, PhasingFacts


def test_a_phasing_comes_back_as_it_was(tmp_path: Path) -> None:
    draw, (y, empty) = np.random.default_rng(0), (np.ones((4, 4)), np.empty(0))
    density = draw.normal(size=(4, 4)) + 1j * draw.normal(size=(4, 4))
    result = PhasingResult(
        y, y > 0, y < 0, density, y > 0, y > 0, density[None], np.ones((3, 1)), np.array([0.1]), np.array([np.nan]),
        np.array([True]), empty, empty, empty, empty, empty, empty, np.ones(2), False,
        notes=(Note.warning("doubtful", "beam centre"),), about=PhasingFacts(counting_error=0.02, recipe="5*ER"),
    )  # fmt: skip
    save(tmp_path / PHASING_FILE, result)
    stored = read(tmp_path)
    assert isinstance(stored, PhasingResult) and stored.notes == result.notes and stored.about == result.about
    assert stored.density.dtype == np.complex128 and stored.mask.dtype == bool and not stored.known
    np.testing.assert_array_equal(stored.density, density)
    assert stored.truth is None and np.isnan(stored.held_out_error).all() and stored.fsc.shape == (0,)
    assert stored.best == 0 and stored.misfit == pytest.approx((0.1**2 - 0.02**2) ** 0.5)


def test_orientations_come_back_as_they_were(tmp_path: Path) -> None:
    index, ones = np.arange(3), np.ones((3, 4))
    examples = Examples(index[:1], ones[None], ones[None], np.zeros((3, 4), np.uint8), np.array([0.5]))
    log = {"iteration": np.array([1.0, 2.0])}
    cuts = np.ones((3, 5, 5))
    result = OrientationResult(
        index, ones, ones[:, 0], ones[:, 0], index, index, ones[0], cuts, np.nan, "none", None, log, examples
    )
    save(tmp_path / ORIENTATION_FILE, result)
    stored = read(tmp_path)
    assert isinstance(stored, OrientationResult) and np.isnan(stored.voxel) and stored.error is None
    assert stored.examples is not None and stored.examples.classes.dtype == np.uint8
    np.testing.assert_array_equal(stored.log["iteration"], log["iteration"])


def test_a_folder_without_a_result_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no result \(.*phasing\.h5.*name the folder of"):
        read(tmp_path)
    (tmp_path / PHASING_FILE).write_bytes(b"\x89HDF")
    with pytest.raises(UserError, match=r"phasing\.h5: damaged, or no result of spi_lightning"):
        read(tmp_path)
