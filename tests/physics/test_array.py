"""Cutting, padding and boxes: the origin n // 2 stays the origin."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from spi_lightning.errors import UserError
from spi_lightning.physics.array import (
    bin_pixels,
    box_about_origin,
    box_around,
    centre_crop,
    crop,
    middle,
    pad,
    reach,
    resized,
)

EDGES = st.tuples(st.integers(1, 9), st.integers(1, 9))


@given(shape=EDGES, edges=EDGES)
def test_the_origin_stays_the_origin(shape: tuple[int, int], edges: tuple[int, int]) -> None:
    image = torch.zeros(2, *shape)
    image[:, shape[0] // 2, shape[1] // 2] = 1
    made = resized(image, edges)
    assert made.shape == (2, *edges)
    assert (made[:, edges[0] // 2, edges[1] // 2] == 1).all() and float(made.sum()) == 2


@given(shape=EDGES, more=EDGES)
def test_cutting_what_was_padded_gives_it_back(shape: tuple[int, int], more: tuple[int, int]) -> None:
    image = torch.rand(shape)
    wide = pad(image, [n + m for n, m in zip(shape, more, strict=True)])
    assert torch.equal(crop(wide, shape), image) and float(wide.sum()) == pytest.approx(float(image.sum()))


def test_the_middle_of_one_number_is_that_of_every_axis_and_stays_inside() -> None:
    assert middle((8, 9), 4) == (..., slice(2, 6), slice(2, 6))
    assert torch.zeros(3, 4)[middle((3, 4), 6)].shape == (3, 4)


def test_the_box_holds_every_support_of_a_batch() -> None:
    support = torch.zeros(2, 6, 7, 8, dtype=torch.bool)
    support[0, 1, 2, 3], support[1, 4, 2, 6] = True, True
    assert box_around(support, 3) == (slice(1, 5), slice(2, 3), slice(3, 7))
    assert box_around(torch.zeros(6, 7, dtype=torch.bool), 2) == (slice(0, 1), slice(0, 1))


def test_the_reach_of_supports_is_their_largest_distance_from_the_origin() -> None:
    support = torch.zeros(2, 6, 7, dtype=torch.bool)
    support[0, 1, 3], support[1, 4, 6] = True, True
    assert reach(support, 2) == (2, 3) and reach(torch.zeros(6, 7), 2) == (0, 0)
    assert box_about_origin((6, 7), reach(support, 2)) == (slice(1, 6), slice(0, 7))
    assert box_about_origin((6, 7), 9) == (slice(0, 6), slice(0, 7))


def test_crop_keeps_the_centre_pixel_in_the_centre() -> None:
    pattern = torch.zeros(1, 1, 17, 16)
    pattern[..., 8, 8] = 1
    assert centre_crop(pattern, 10)[0, 0, 5, 5] == 1
    with pytest.raises(UserError, match=r"crop=20.*17 x 16"):
        centre_crop(pattern, 20)


def test_binning_sums_pixels_and_scales_for_masked_ones() -> None:
    mask = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    flat = torch.full((1, 1, 4, 4), 3.0)
    assert (bin_pixels(flat, mask, 2)[0] == 12).all()
    mask[..., 0, :] = False  # half of the upper squares
    mask[..., 2:, 2:] = False  # one whole square
    photons, measured = bin_pixels(flat * mask, mask, 2)
    assert photons[0, 0].tolist() == [[12, 12], [12, 0]]
    assert measured[0, 0].tolist() == [[True, True], [True, False]]
    with pytest.raises(UserError, match="does not divide"):
        bin_pixels(flat, mask, 3)
