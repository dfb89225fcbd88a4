"""Global heaps that the HDF5 library would read without an end."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from spi_lightning.fields import UserError
from spi_lightning.io import open_patterns
from spi_lightning.io.hdf5_file import opened
from spi_lightning.io.hdf5_heaps import require_sound_heaps


def make_file(path: Path, words: int = 12) -> Path:
    with h5py.File(path, "w") as file:
        file["patterns"] = np.ones((words, 4, 5), "u2")
        file["labels"] = [f"word {number}" for number in range(words)]
    return path


@pytest.mark.parametrize("words", [1, 12, 900])
def test_sound_heaps_are_read(tmp_path: Path, words: int) -> None:
    with opened(make_file(tmp_path / "sound.h5", words)) as file:
        assert file["labels"].asstr()[words - 1] == f"word {words - 1}"


def test_an_unused_object_of_size_zero_is_refused(tmp_path: Path) -> None:
    path = make_file(tmp_path / "damaged.h5")
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL")
    content[heap + 16 : heap + 32] = bytes(16)  # number and size of the first object
    path.write_bytes(content)
    for read in (require_sound_heaps, open_patterns):
        with pytest.raises(UserError, match=rf"damaged where its text and lists lie \(byte {heap}\)"):
            read(path)


def test_a_heap_across_two_blocks_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_file(tmp_path / "damaged.h5")
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL")
    content[heap + 16 : heap + 32] = bytes(16)
    path.write_bytes(content)
    monkeypatch.setattr("spi_lightning.io.hdf5_heaps._BLOCK", heap + 3)
    with pytest.raises(UserError, match="damaged"):
        require_sound_heaps(path)


@pytest.mark.parametrize("first", [True, False])
def test_both_ends_of_a_large_file_are_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: bool) -> None:
    path = make_file(tmp_path / "damaged.h5")
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL")
    content[heap + 16 : heap + 32] = bytes(16)
    padding = bytes(3 * len(content))
    path.write_bytes(content + padding if first else padding + content)
    monkeypatch.setattr("spi_lightning.io.hdf5_heaps._SEARCHED", 2 * len(content))
    monkeypatch.setattr("spi_lightning.io.hdf5_heaps._BLOCK", 1000)
    with pytest.raises(UserError, match="damaged"):
        require_sound_heaps(path)
