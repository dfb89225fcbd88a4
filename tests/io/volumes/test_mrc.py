from pathlib import Path

import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.io.volumes.mrc import read_mrc, write_mrc


def test_a_volume_comes_back_with_its_voxels(tmp_path: Path) -> None:
    volume = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32)
    path = write_mrc(tmp_path / "a.mrc", volume, (3e-9, 2e-9, 1e-9), label="amplitude, größe")
    found, voxel = read_mrc(path)
    np.testing.assert_array_equal(found, volume)
    assert voxel == pytest.approx((3e-9, 2e-9, 1e-9))


def test_other_programs_read_it(tmp_path: Path) -> None:
    gemmi = pytest.importorskip("gemmi")
    volume = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32)
    grid = gemmi.read_ccp4_map(str(write_mrc(tmp_path / "a.mrc", volume, 1e-9))).grid
    np.testing.assert_array_equal(np.array(grid.array).transpose(2, 1, 0), volume)  # gemmi counts x first
    assert grid.unit_cell.a == pytest.approx(50)


def test_what_mrc_cannot_hold_is_named(tmp_path: Path) -> None:
    for volume, voxel, words in (
        (np.zeros((2, 2, 2), complex), 1e-9, "real volume"),
        (np.zeros((2, 2)), 1e-9, "real volume"),
        (np.zeros((2, 2, 2)), 0.0, "positive"),
    ):
        with pytest.raises(UserError, match=words):
            write_mrc(tmp_path / "a.mrc", volume, voxel)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "b.mrc").write_bytes(b"short")
    with pytest.raises(UserError, match="cannot be read"):
        read_mrc(tmp_path / "b.mrc")
    with pytest.raises(UserError, match="cannot be read"):
        read_mrc(tmp_path / "none.mrc")
