"""Vectors of frames are taken about the beam that a file states, and a note names one that only the hits show."""

import pytest
import torch

from spi_lightning.baselines import AngularVectors, PixelVectors
from spi_lightning.io import PatternFile
from spi_lightning.methods.hits.frame_vectors import FrameVectors, MakeVectors
from spi_lightning.notes import Level
from tests.data.scale.test_crop_centre import CENTRE, file_off_the_middle, stating


@pytest.fixture(scope="module")
def file() -> PatternFile:
    return file_off_the_middle()


@pytest.mark.parametrize(
    ("make", "by_hand"),
    [
        (AngularVectors(rings=8), AngularVectors(rings=8, beam_centre=CENTRE)),
        (PixelVectors(crop=64), PixelVectors(crop=64, beam_centre=CENTRE)),
    ],
)
def test_the_stated_beam_is_the_centre(file: PatternFile, make: MakeVectors, by_hand: MakeVectors) -> None:
    found = FrameVectors.of_file(stating(file, CENTRE), make, "cpu", "method")
    assert torch.equal(found.vectors, FrameVectors.of_file(file, by_hand, "cpu", "method").vectors)
    assert not torch.equal(found.vectors, FrameVectors.of_file(file, make, "cpu", "method").vectors)
    (note,) = found.notes
    assert note.level is Level.NOTE and "the stated beam, row 72.0, column 47.0, is 7.5 pixels off" in note.text
    assert make.beam_centre is None  # type: ignore[attr-defined]


def test_a_square_about_the_beam_holds_the_pixels_around_it(file: PatternFile) -> None:
    photons, mask = torch.from_numpy(file.read([0, 1])), torch.from_numpy(file.mask.copy())
    cut = PixelVectors(crop=None)(photons[:, 40:104, 15:79], mask[40:104, 15:79])  # row 72 becomes 32, column 47 too
    assert torch.equal(PixelVectors(crop=64, beam_centre=CENTRE)(photons, mask), cut)


def test_a_beam_that_only_the_hits_show_is_named_with_its_words(file: PatternFile) -> None:
    (note,) = FrameVectors.of_file(file, AngularVectors(rings=8), "cpu", "method").notes
    assert note.level is Level.WARNING and "about which rings are taken: set preprocess.beam_centre=[" in note.text


def test_a_beam_within_a_pixel_of_the_middle_changes_nothing(file: PatternFile) -> None:
    stated = stating(file, (64.9, 54.2))
    vectors = FrameVectors.of_file(stated, AngularVectors(rings=8), "cpu", "method").vectors
    assert torch.equal(vectors, FrameVectors.of_file(file, AngularVectors(rings=8), "cpu", "method").vectors)
