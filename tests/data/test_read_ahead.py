import threading

import numpy as np
import pytest

from spi_lightning.data.read_ahead import read_ahead
from spi_lightning.errors import UserError


def test_every_frame_comes_once_and_in_order(make_file) -> None:
    patterns = make_file(30)
    pieces = list(read_ahead(patterns, at_once=7))
    np.testing.assert_array_equal(np.concatenate([piece.frame for piece in pieces]), np.arange(30))
    np.testing.assert_array_equal(np.concatenate([p.photons for p in pieces]), patterns.read(np.arange(30)))
    assert all(piece.mask.shape == (24, 24) for piece in pieces)


def test_masks_that_differ_come_with_their_frames(make_file) -> None:
    patterns = make_file(10, masks=3)
    pieces = list(read_ahead(patterns, at_once=4))
    np.testing.assert_array_equal(np.concatenate([p.mask for p in pieces]), patterns.read_mask(np.arange(10)))


def test_one_read_is_whole_chunks_of_about_16_megabytes(make_file) -> None:
    count = make_file(10).frames_at_once()
    assert count % 4 == 0
    assert 8e6 < count * 24 * 24 * 4 <= 17e6


def test_another_thread_reads_while_the_caller_computes(make_file, monkeypatch) -> None:
    patterns = make_file(12)
    readers = set()
    read = type(patterns).read
    monkeypatch.setattr(
        type(patterns), "read", lambda self, index: readers.add(threading.get_ident()) or read(self, index)
    )
    list(read_ahead(patterns, at_once=4))
    assert readers and threading.get_ident() not in readers


def test_a_frame_that_cannot_be_read_is_the_users_to_know(make_file, monkeypatch) -> None:
    patterns = make_file(12)

    def fail(self, index):
        raise UserError("frame 8 is damaged")

    pieces = read_ahead(patterns, at_once=4)
    next(pieces)
    monkeypatch.setattr(type(patterns), "read", fail)
    with pytest.raises(UserError, match="frame 8"):
        list(pieces)
