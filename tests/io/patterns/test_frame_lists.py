"""Lists of frames: numbers, or one mark for each frame; in HDF5, text, CSV and npy."""

import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.io import PatternKeys, open_patterns
from spi_lightning.io.patterns.frame_lists import frame_numbers

PHOTONS = np.random.default_rng(0).poisson(3.0, (6, 8, 9)).astype(np.uint16)


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        ([True, False, False, True, True, False], [0, 3, 4]),
        ([1, 0, 0, 1, 1, 0], [0, 3, 4]),
        ([1.0, 0.0, 0.0, 1.0, 1.0, 0.0], [0, 3, 4]),
        (["True", "False", "false", "TRUE", "False", "False"], [0, 3]),
        ([b"True", b"False", b"False", b"True", b"False", b"False"], [0, 3]),
        ([1, 1, 1, 1, 1, 1], [0, 1, 2, 3, 4, 5]),
        ([5, 0, 3], [5, 0, 3]),
        (["5", "0", "3"], [5, 0, 3]),
        ([5.0, 0.0, 3.0], [5, 0, 3]),
        ([0, 1], [0, 1]),
        ([1], [1]),
        ([2, 2, 1], [2, 2, 1]),
        ([[4], [2], [1]], [4, 2, 1]),
    ],
)
def test_frames_that_are_chosen(values, numbers) -> None:
    assert frame_numbers(np.array(values), 6, "list")[0].tolist() == numbers


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([True, False, True], "True and False, 3 values for 6 frames"),
        ([0, 1, 1, 0], "0 and 1 repeatedly, 4 values for 6 frames"),
        ([2.5, 1.0], "entry 1 is 2.5"),
        ([1.0, np.nan], "entry 2 is nan"),
        ([np.inf], "entry 1 is inf"),
        ([1e30], r"entry 1 is 1e\+30"),
        ([-1, 7], r"entry 1 is -1 \(1 more alike\)"),
        ([0, 0, 0, 0, 0, 0], "no frames were selected"),
        ([], "no frames were selected"),
        (["yes", "no"], "'yes' is neither"),
        ([[1, 2], [3, 4]], "shape"),
        ([1 + 2j], "complex"),
    ],
)
def test_what_names_no_frames(values, message) -> None:
    with pytest.raises(UserError, match=f"list.*{message}"):
        frame_numbers(np.array(values), 6, "list")


def written(folder: Path, kind: str, values: list[object]) -> str:
    """Write a list next to frames.h5, or into it; the word for data.keys.index."""
    with h5py.File(folder / "frames.h5", "w") as file:
        file["patterns"] = PHOTONS
        if kind == "h5":
            file["chosen"] = values
            return "chosen"
    path = folder / f"chosen.{kind}"
    if kind == "npy":
        np.save(path, np.array(values))
    else:
        path.write_text(("frame\n" if kind == "csv" else "") + "\n".join(map(str, values)) + "\n")
    return str(path)


@pytest.mark.parametrize("kind", ["h5", "npy", "txt", "csv"])
@pytest.mark.parametrize(
    ("values", "numbers"),
    [([False, True, False, True, False, False], [1, 3]), ([0, 1, 0, 1, 0, 0], [1, 3]), ([4, 2, 0], [4, 2, 0])],
)
def test_lists_in_files(tmp_path, kind, values, numbers) -> None:
    key = written(tmp_path, kind, values)
    file = open_patterns(tmp_path / "frames.h5", PatternKeys(photons="patterns", index=key))
    np.testing.assert_array_equal(file.read(range(len(file))), PHOTONS[numbers])
    assert any(re.search(rf"{len(numbers)} of 6 frames are used", str(note)) for note in file.notes)


@pytest.mark.parametrize("kind", ["h5", "npy", "txt", "csv"])
def test_numbers_that_are_not_whole(tmp_path, kind) -> None:
    key = written(tmp_path, kind, [1.0, 2.5])
    with pytest.raises(UserError, match=r"entry 2 is 2\.5; frame numbers are whole, from 0 to 5"):
        open_patterns(tmp_path / "frames.h5", PatternKeys(photons="patterns", index=key))


@pytest.mark.parametrize("index", [[1, 0], "[1, 0]"])
def test_frames_named_on_the_command_line(tmp_path: Path, index: object) -> None:
    np.save(tmp_path / "a.npy", PHOTONS)
    file = open_patterns(tmp_path / "a.npy", PatternKeys(index=index))  # type: ignore[arg-type]
    np.testing.assert_array_equal(file.read([0, 1]), PHOTONS[[1, 0]])
    assert any("2 of 6 frames are used, as [1,0] says" in str(note) for note in file.notes)
    with pytest.raises(UserError, match="entry 2 is 6; frame numbers are whole, from 0 to 5"):
        open_patterns(tmp_path / "a.npy", PatternKeys(index=[1, 6]))
    np.testing.assert_array_equal(open_patterns(tmp_path / "a.npy", PatternKeys(index=3)).read([0]), PHOTONS[[3]])


def test_a_frame_that_is_listed_again_is_noted(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["patterns"] = np.ones((6, 4, 5), "u2")
    opened = open_patterns(tmp_path / "a.h5", PatternKeys(index=[4, 2, 4]))
    assert len(opened) == 3
    assert any(
        "2 of 6 frames are used" in str(note) and "frame 4 is listed 2 times" in str(note) for note in opened.notes
    )
