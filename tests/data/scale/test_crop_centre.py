"""Crop of a file whose beam is off the middle: what is followed, what is noted, and with which words."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spi_lightning.data.scale.crop_centre import follow_beam
from spi_lightning.data.transforms import Preprocess
from spi_lightning.errors import UserError
from spi_lightning.fields import BEAM_CENTRE, MASK, PHOTONS, Batch
from spi_lightning.io import PatternFile
from spi_lightning.notes import Level
from tests.data.scale.test_file_scale import file_of

SHAPE, CENTRE = (130, 110), (72.0, 47.0)  # 7.5 pixels off the middle along both axes


def file_off_the_middle() -> PatternFile:
    return file_of(SHAPE, CENTRE, [9.0] * 9, 3e3, blanks=6)


@pytest.fixture(scope="module")
def file() -> PatternFile:
    return file_off_the_middle()


def stating(file: PatternFile, centre: tuple[float, float]) -> PatternFile:
    return replace(file, geometry={BEAM_CENTRE: np.array(centre)})


def batch_of(file: PatternFile) -> Batch:
    photons, mask = torch.from_numpy(file.read(range(len(file)))), torch.from_numpy(file.mask.copy())
    return {PHOTONS: photons[:, None], MASK: mask[None, None]}


@pytest.mark.parametrize("bin", [1, 2])
def test_a_stated_centre_gives_what_a_file_cut_around_the_beam_gives(file: PatternFile, bin: int) -> None:
    preprocess, whole = Preprocess(bin=bin, crop=64, mask_channel=True), batch_of(file)
    cut = {name: values[..., 40:104, 15:79] for name, values in whole.items()}  # row 72 becomes 32, column 47 too
    notes = follow_beam(preprocess, stating(file, CENTRE))
    assert [note.level for note in notes] == [Level.HINT]
    assert "follows" in str(notes[0]) and "preprocess.beam_centre=[64.5,54.5] keeps the middle" in str(notes[0])
    assert torch.equal(preprocess(whole), Preprocess(bin=bin, mask_channel=True)(cut))
    by_user = Preprocess(bin=bin, crop=64, mask_channel=True, beam_centre=CENTRE)
    assert torch.equal(by_user(whole), preprocess(whole))


def test_a_crop_beyond_the_frame_was_not_measured_there(file: PatternFile) -> None:
    made = Preprocess(crop=64, mask_channel=True, beam_centre=(20.0, 47.0))(batch_of(file))
    assert made.shape == (15, 2, 64, 64) and not made[:, :, :12].any() and made[:, 1, 12:].any()


def test_a_centre_that_is_only_found_is_noted_with_the_words_that_follow_it(file: PatternFile) -> None:
    preprocess = Preprocess(bin=2, crop=64)
    (note,) = follow_beam(preprocess, file)
    assert preprocess.beam_centre is None and note.level is Level.WARNING
    words = str(note).rpartition(": set ")[2]
    assert words.startswith("preprocess.beam_centre=[")
    assert [float(at) for at in words[24:-1].split(",")] == pytest.approx(CENTRE, abs=0.5)
    assert follow_beam(preprocess, file, wished=CENTRE) == [] and preprocess.beam_centre == CENTRE


@pytest.mark.parametrize("stated", [True, False])
def test_without_a_crop_the_note_names_one(file: PatternFile, stated: bool) -> None:
    preprocess = Preprocess(bin=3)
    (note,) = follow_beam(preprocess, stating(file, CENTRE) if stated else file)
    assert preprocess.beam_centre is None and note.level is Level.WARNING
    assert ": set preprocess.crop=108 preprocess.beam_centre=[" in str(note)


def test_a_file_that_states_a_wrong_centre_is_noted(file: PatternFile) -> None:
    notes = follow_beam(Preprocess(bin=2, crop=64), stating(file, (60.0, 60.0)))
    assert [note.level for note in notes] == [Level.HINT, Level.WARNING]
    assert "off the beam that the file states" in str(notes[1])


def test_a_beam_in_the_middle_is_not_worth_a_note_and_changes_nothing() -> None:
    preprocess, near = Preprocess(bin=2, crop=64), file_of(SHAPE, (65.5, 53.5), [9.0] * 9, 3e3)
    for file in (near, stating(near, (65.5, 53.5))):
        assert follow_beam(preprocess, file) == [] and preprocess.beam_centre is None


def test_the_centre_of_the_training_holds_where_a_file_states_none(file: PatternFile) -> None:
    preprocess = Preprocess(bin=2, crop=64)
    (note,) = follow_beam(preprocess, file, trained=CENTRE)
    assert preprocess.beam_centre == CENTRE and "the training states" in str(note)
    follow_beam(preprocess, stating(file, (60.0, 60.0)), trained=CENTRE)
    assert preprocess.beam_centre == (60.0, 60.0)


def test_a_centre_outside_the_frames_or_without_a_crop_is_refused(file: PatternFile) -> None:
    with pytest.raises(UserError, match=r"preprocess.beam_centre=\[72,47\] is where a crop is taken: set"):
        Preprocess(beam_centre=CENTRE)
    with pytest.raises(UserError, match=r"set preprocess.crop="):
        Preprocess().adjust({"beam_centre": CENTRE})
    with pytest.raises(UserError, match="no row and column of frames of 130 x 110 pixels"):
        follow_beam(Preprocess(crop=64), file, wished=(300.0, 4.0))
