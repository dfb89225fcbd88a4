"""The label file: what the other commands read of it, and that no label is lost."""

import threading
from pathlib import Path

import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.fields import IS_SINGLE_HIT
from spi_lightning.io import PatternFile, PatternKeys, open_patterns
from spi_lightning.labelling import LabelFile, label_file


def file_of(path: Path, count: int = 24) -> LabelFile:
    return LabelFile(path, "frames.h5", count)


def test_readers_of_patterns_take_it(tmp_path: Path, frames: PatternFile) -> None:
    path = tmp_path / "a.labels.txt"
    labels = file_of(path)
    for frame, word in ((3, "single"), (0, "other"), (7, "skip")):
        labels.put(frame, word)
    expected = np.full(24, -1)
    expected[[3, 0]] = 1, 0
    opened = open_patterns(frames.path, PatternKeys(label=str(path)))
    assert opened.labels[IS_SINGLE_HIT].tolist() == expected.tolist()


def test_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    first = file_of(tmp_path / "a.txt")
    first.put(5, "single")
    first.put(6, "skip", again=True)
    then = file_of(tmp_path / "a.txt")
    assert then.words == first.words and then.counts() == {"single": 1, "other": 0, "skip": 1, "unknown": 22}
    assert np.flatnonzero(then.labelled).tolist() == [5, 6] and np.flatnonzero(then.again).tolist() == [6]


def test_labels_known_before_begin_a_new_file_alone(tmp_path: Path) -> None:
    start = np.array([1, 0, -1])
    labels = LabelFile(tmp_path / "a.txt", "frames.h5", 3, start)
    assert not (tmp_path / "a.txt").exists()
    labels.put(0, "other")
    assert LabelFile(tmp_path / "a.txt", "frames.h5", 3, start).words == ["other", "other", "unknown"]


def test_two_writers_keep_each_others_labels(tmp_path: Path) -> None:
    path, count = tmp_path / "a.txt", 60

    def write(first: int) -> None:
        mine = file_of(path, count)
        for frame in range(first, count, 3):
            mine.put(frame, "single" if frame % 2 else "other")

    threads = [threading.Thread(target=write, args=(first,)) for first in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert file_of(path, count).words == ["other", "single"] * (count // 2)
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]


def test_a_label_that_cannot_be_written_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = file_of(tmp_path / "a.txt")
    labels.put(1, "other")

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(label_file.os, "fsync", full)
    with pytest.raises(UserError, match="disk is full"):
        labels.put(1, "single")
    assert labels.words[1] == "other" and file_of(tmp_path / "a.txt").words[1] == "other"


def test_a_removed_file_comes_back_with_all_labels(tmp_path: Path) -> None:
    labels = file_of(tmp_path / "a.txt")
    labels.put(1, "other")
    (tmp_path / "a.txt").unlink()
    labels.put(2, "single")
    assert file_of(tmp_path / "a.txt").words[1:3] == ["other", "single"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("1\n0\n", "was not written by spi label"),
        ("# labels of other.h5\n" + "single\n" * 24, "labels of 24 frames of other.h5"),
        ("# labels of frames.h5\n" + "single\n" * 23, "labels of 23 frames"),
        ("# labels of frames.h5\n" + "single\n" * 23 + "sungle\n", "'sungle' is no label"),
    ],
)
def test_another_file_is_left_as_it_is(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(text)
    with pytest.raises(UserError, match=line):
        file_of(path)
    assert path.read_text() == text


def test_strange_frames_and_words_are_refused(tmp_path: Path) -> None:
    for frame, word in ((24, "single"), (-1, "single"), (0, "both")):
        with pytest.raises(UserError, match="cannot be"):
            file_of(tmp_path / "a.txt").put(frame, word)
