"""Global heaps that the HDF5 library would read without an end."""

import re
import struct
from pathlib import Path

import h5py
import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.io import open_patterns
from spi_lightning.io.hdf5.file import opened
from spi_lightning.io.hdf5.heaps import require_sound_heaps


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
        with pytest.raises(UserError, match=rf"damaged in a heap of text and lists \(byte {heap}\)"):
            read(path)


def test_a_heap_across_two_blocks_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_file(tmp_path / "damaged.h5")
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL")
    content[heap + 16 : heap + 32] = bytes(16)
    path.write_bytes(content)
    monkeypatch.setattr("spi_lightning.io.hdf5.heaps._BLOCK", heap + 3)
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
    monkeypatch.setattr("spi_lightning.io.hdf5.heaps._SEARCHED", 2 * len(content))
    monkeypatch.setattr("spi_lightning.io.hdf5.heaps._BLOCK", 1000)
    with pytest.raises(UserError, match="damaged"):
        require_sound_heaps(path)


def mapped(path: Path, sources: int = 3, latest: bool = False, **file_options: int) -> Path:
    """A virtual data set of frames of its own file, every other row of which is mapped."""
    layout = h5py.VirtualLayout((sources, 4, 5), "u2")
    for number in range(sources):
        layout[number : number + 1, ::2] = h5py.VirtualSource("part.h5", f"a{number}", (1, 2, 5))
        layout[number : number + 1, 1::2] = h5py.VirtualSource("part.h5", f"b{number}", (1, 4, 5))[:, [0, 3]]
    with h5py.File(path, "w", libver="latest" if latest else None, **file_options) as file:
        file.create_virtual_dataset("patterns", layout)
    with h5py.File(path.with_name("part.h5"), "w") as file:
        for number in range(sources):
            file[f"a{number}"], file[f"b{number}"] = np.full((1, 2, 5), number), np.full((1, 4, 5), 9)
    return path


@pytest.mark.parametrize("user_block", [0, 512])
@pytest.mark.parametrize("latest", [False, True])
@pytest.mark.parametrize("axes", [33, 0x80003, 2**32 - 1])
def test_a_mapping_of_more_axes_than_can_be_is_refused(
    tmp_path: Path, latest: bool, axes: int, user_block: int
) -> None:
    path = mapped(tmp_path / "virtual.h5", latest=latest, userblock_size=user_block)
    assert open_patterns(path).shape == (3, 4, 5)
    sound = path.read_bytes()
    heap = sound.index(b"GCOL")
    blocks = struct.pack("<II", 2, 3) if latest else struct.pack("<IIII", 2, 1, 0, 56)  # head of a selection
    positions = [found.start() for found in re.finditer(re.escape(blocks), sound[heap:])]
    assert len(positions) == 9  # of twelve, three take everything
    for position in positions:
        content = bytearray(sound)
        at = heap + position + (10 if latest else 16)
        content[at : at + 4] = axes.to_bytes(4, "little")
        path.write_bytes(content)
        with pytest.raises(UserError, match="damaged in the source list of a virtual data set"):
            require_sound_heaps(path)
