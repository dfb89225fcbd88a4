"""Sentinels of whole files: also those of single frames among many."""

from pathlib import Path

import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.io import open_patterns
from spi_lightning.io.masks import sentinels as sentinel_masks


def test_a_mark_in_one_frame_of_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = np.random.default_rng(0).poisson(2.0, (200, 12, 16)).astype("u4")
    frames[149, 3, 4] = frames[150, 5, 5] = 2**32 - 1
    np.save(tmp_path / "a.npy", frames)
    file = open_patterns(tmp_path / "a.npy")
    keep = frames < 2**32 - 1
    np.testing.assert_array_equal(file.read(range(200)), np.where(keep, frames, 0))
    np.testing.assert_array_equal(file.read_mask(range(200)), keep)
    assert any("2 voxels hold 4294967295 in some frames, no count" in str(note) for note in file.notes)
    monkeypatch.setattr(sentinel_masks, "_SEARCHED", 1000)  # a file too large to be searched
    with pytest.raises(UserError, match=r"frame 149 .*not a possible number of photons.*data\.keys\.mask="):
        open_patterns(tmp_path / "a.npy").read(range(200))


def test_marks_of_a_few_frames_are_masked_in_all(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).poisson(2.0, (200, 12, 16)).astype("i4")
    frames[:, 3:5] = -9999
    np.save(tmp_path / "a.npy", frames)
    message = "32 pixels hold -9999 in every frame searched (64 of 200), a negative number: not measured, masked in all"
    notes = open_patterns(tmp_path / "a.npy").notes
    assert any(f"{message} 200 frames" in str(note) for note in notes)
    np.save(tmp_path / "b.npy", frames[:9])
    assert any(
        str(note).endswith("-9999 in every frame, a negative number: not measured")
        for note in open_patterns(tmp_path / "b.npy").notes
    )
