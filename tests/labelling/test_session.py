"""Sessions of labelling: which frame a page is asked for, on two pages at once, and a second look."""

from pathlib import Path

import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.io import PatternFile
from spi_lightning.labelling import LabelFile, LabelSession, TeachingOrder


def session_of(frames: PatternFile, only: list[int] | None = None) -> LabelSession:
    labels = LabelFile(frames.path.with_name("labels.txt"), frames.path.name, len(frames))
    chosen = None if only is None else np.array(only)
    return LabelSession(frames, labels, TeachingOrder.in_turn(len(frames)), chosen)


def test_two_pages_are_asked_for_different_frames(frames: PatternFile) -> None:
    session = session_of(frames)
    one, other = session.ask("one"), session.ask("other")
    assert (one["frame"], other["frame"]) == (0, 1)
    assert session.ask("one")["frame"] == 0, "a page that is loaded again stays where it was"
    assert session.put(0, "single", "one")["frame"] == 2
    assert session.put(1, "other", "other")["frame"] == 3
    assert session.labels.words[:3] == ["single", "other", "unknown"]


def test_the_next_picture_is_named_in_advance(frames: PatternFile) -> None:
    session = session_of(frames)
    then = session.ask("one")["then"]
    assert session.put(0, "skip", "one")["frame"] == then == 1


def test_it_ends_with_the_last_frame_and_resumes(frames: PatternFile) -> None:
    session = session_of(frames)
    for frame in range(len(frames) - 1):
        session.put(frame, "other", "one")
    again = session_of(frames)
    assert again.ask("one")["frame"] == len(frames) - 1
    done = again.put(len(frames) - 1, "single", "one")
    assert done["frame"] is None and done["then"] is None and done["done"] == done["total"] == len(frames)
    assert "1 single, 23 other, 0 skip of 24 frames, 1 of them new" in again.summary()


def test_a_second_look_asks_for_labelled_frames_in_their_order(frames: PatternFile) -> None:
    session_of(frames).put(9, "single", "one")
    session = session_of(frames, [9, 4, 9])
    assert session.ask("one") | {"counts": 0} == {
        "frame": 9, "label": "single", "counts": 0, "done": 0, "total": 2, "frames": 24, "then": 4,
    }  # fmt: skip
    session.put(9, "other", "one")
    resumed = session_of(frames, [9, 4])
    assert resumed.ask("one")["frame"] == 4 and resumed.labels.words[9] == "other"
    assert resumed.put(4, "single", "one")["frame"] is None
    assert session_of(frames, [9, 4]).ask("one")["frame"] == 9, "all were looked at: they are asked for once more"


def test_frames_that_are_not_there_are_refused(frames: PatternFile) -> None:
    with pytest.raises(UserError, match="frame 24 does not exist"):
        session_of(frames, [24])
    with pytest.raises(UserError, match="no label"):
        session_of(frames).put(0, "both", "one")


def test_picture_and_photons(frames: PatternFile, tmp_path: Path) -> None:
    png, known = session_of(frames).picture(3, 1)
    assert png.startswith(b"\x89PNG") and known["photons"] == frames.read([3]).sum()
    assert known["measured"] == pytest.approx(15 / 16) and known["most"] == frames.read([3]).max()
    assert "no geometry" in session_of(frames).size(3)["size"]
