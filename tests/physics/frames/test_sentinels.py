"""Sentinels are found by type and constancy; counts, bright ones too, are left alone."""

import numpy as np
import pytest

from spi_lightning.physics.frames.saturation import find_saturated
from spi_lightning.physics.frames.sentinels import find_sentinels

GAP = (slice(10, 12), slice(0, 32))


def counts(dtype: str, frames: int = 12, mean: float = 3.0) -> np.ndarray:
    return np.random.default_rng(0).poisson(mean, (frames, 24, 32)).astype(dtype)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("u4", 2**32 - 1),
        ("u4", 2**32 - 2),
        ("u2", 65535),
        ("u2", 65534),
        ("u1", 255),
        ("u8", 2**64 - 1),
        ("i4", 2**31 - 1),
        ("i2", 32767),
        ("i4", -1),
        ("i2", -2),
        ("i4", -9999),
        ("u4", 65535),
        ("f4", 65535.0),
        ("f4", 4294967295.0),
        ("f8", 4294967295.0),
        ("f4", 3.4e38),
        ("f8", -1.0),
        ("f4", np.nan),
        ("f4", 9.969209968386869e36),
    ],
)
@pytest.mark.parametrize("frames", [3, 12])
def test_value_in_every_frame(dtype: str, value: float, frames: int) -> None:
    stack = counts(dtype, frames)
    stack[:, *GAP] = value
    mask, found = find_sentinels(stack)
    assert mask[:, *GAP].all() and mask.sum() == 64 * frames
    assert [entry.pixels for entry in found] == [64] and found[0].always
    assert found[0].line().startswith("64 pixels ")


@pytest.mark.parametrize(("dtype", "value"), [("u4", 2**32 - 1), ("i4", -1), ("u2", 65535), ("f4", 4294967295.0)])
def test_one_frame(dtype: str, value: float) -> None:
    stack = counts(dtype, 1)
    stack[:, *GAP] = value
    mask, _ = find_sentinels(stack)
    assert mask[:, *GAP].all() and mask.sum() == 64


@pytest.mark.parametrize(
    ("dtype", "low", "high"), [("u4", 2**31, 2**32), ("u4", 10**9, 2**31), ("i4", 10**7, 2**31), ("i8", 10**9, 2**40)]
)
@pytest.mark.parametrize("frames", [1, 3, 12])
def test_values_that_change_at_places_that_stay(dtype: str, low: int, high: int, frames: int) -> None:
    stack = counts(dtype, frames)
    stack[:, *GAP] = np.random.default_rng(1).integers(low, high, (frames, 2, 32))
    mask, found = find_sentinels(stack)
    assert mask[:, *GAP].all() and mask.sum() == 64 * frames
    (entry,) = found
    assert entry.line().startswith("64 pixels hold") and "or more in every frame" in entry.line()


def test_one_large_number_again_and_again() -> None:
    stack = counts("i4")
    stack[:, *GAP] = 999999
    mask, found = find_sentinels(stack)
    assert mask.sum() == 64 * 12 and found[0].value == 999999


@pytest.mark.parametrize("frames", [1, 3, 12])
def test_bright_peaks_and_hot_pixels_are_counts(frames: int) -> None:
    y, x = np.mgrid[:96, :128] - np.array([48, 64])[:, None, None]
    for width in (1.5, 4.0, 12.0):
        peak = np.random.default_rng(2).poisson(3e8 * np.exp(-np.hypot(y, x) / width) + 0.5, (frames, 96, 128))
        assert not find_sentinels(peak.astype("u4"))[0].any()
    hot = counts("u4", frames)
    hot[:, 3, 3] = 5000
    assert not find_sentinels(hot)[0].any()


def test_impossible_in_one_frame_of_many() -> None:
    stack = counts("u4")
    stack[5, *GAP] = 2**32 - 1
    mask, found = find_sentinels(stack)
    assert mask[5].sum() == mask.sum() == 64 and not found[0].always


def test_two_values_and_dropped_frame() -> None:
    stack = counts("i4")
    stack[:, *GAP] = -1
    stack[:, 3, 4] = -2
    stack[7] = 0
    mask, found = find_sentinels(stack)
    assert [(entry.value, entry.pixels) for entry in found] == [(-1, 64), (-2, 1)]
    assert mask[0].sum() == 65


@pytest.mark.parametrize(("dtype", "value"), [("u1", 255), ("u2", 65535), ("u4", 65535), ("u4", 1_000_000)])
def test_bright_count_in_some_frames_is_a_count(dtype: str, value: int) -> None:
    stack = counts(dtype)
    stack[3:6, 7, 7] = value
    assert not find_sentinels(stack)[0].any()


def test_bright_pixel_that_varies_is_a_count() -> None:
    stack = counts("u2")
    stack[:, 5, 5] = 65000 + np.arange(12)
    stack[:, 6, 5] = 254
    assert not find_sentinels(stack)[0].any()


def test_detector_noise_is_none() -> None:
    noise = np.random.default_rng(1).normal(0, 1.0, (3, 64, 64))
    assert find_sentinels(np.rint(noise).astype("i2"))[0].mean() < 0.001
    assert not find_sentinels(np.rint(noise[:1]).astype("i2"))[0].any()
    assert not find_sentinels(noise.astype("f4"))[0].any()


def test_intensities_of_a_large_unit_are_none() -> None:
    frame = np.random.default_rng(2).exponential(1e18, (1, 32, 32))
    assert not find_sentinels(frame.astype("f4"))[0].any()


def test_fill_value() -> None:
    stack = counts("u2")
    stack[:, 1:4, 1:4] = 999
    assert not find_sentinels(stack)[0].any()
    assert find_sentinels(stack, fill=[999])[0].sum() == 9 * 12
    assert not find_sentinels(counts("u2"), fill=[3])[0].any()


def test_saturation() -> None:
    stack = counts("u2", 1)
    stack[0, 2, 3] = 65535
    assert find_saturated(stack, np.zeros(stack.shape, bool))[0].sum() == 1
    clipped = np.minimum(counts("f4", 1, 1000.0), 1010)
    assert find_saturated(clipped, np.zeros(clipped.shape, bool))[0].sum() == (clipped == 1010).sum() > 8
    assert not find_saturated(counts("i4"), np.zeros((12, 24, 32), bool))[0].any()
