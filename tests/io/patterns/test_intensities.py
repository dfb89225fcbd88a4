"""Intensities in any unit, and photons, from the same files."""

from pathlib import Path

import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.io import PatternFile, open_patterns, read_intensities
from spi_lightning.io.patterns.intensities import are_amplitudes


def frames_of(path: Path, frames: np.ndarray, gain: float | None = None) -> PatternFile:
    np.save(path, frames)
    return open_patterns(path, adu_per_photon=gain, check=False)


def test_each_frame_is_judged_by_itself(tmp_path: Path) -> None:
    frames = np.zeros((4, 6, 7))
    frames[0, 2, 3], frames[1, 2, 3], frames[2, 2, 3] = 7.004, 7.3, 0.004
    read = read_intensities(frames_of(tmp_path / "a.npy", frames), [0, 1, 2, 3])
    assert read.counted.tolist() == [True, False, False, False]
    np.testing.assert_allclose(read.values[:, 2, 3], [7, 7.3, 0.004, 0], rtol=1e-6)
    assert read.mask.all() and read.broken.sum() == 0


def test_rounding_below_zero_is_zero_and_no_more_is(tmp_path: Path) -> None:
    frames = np.full((2, 4, 4), 0.5)
    frames[0, 1, 1], frames[1, 1, 1] = -1e-8, -1e-3
    file = frames_of(tmp_path / "a.npy", frames)
    assert read_intensities(file, [0]).values.min() == 0
    with pytest.raises(UserError, match=r"frame 1: 1 pixels are negative, the first is \(1, 1\) = -0.001"):
        read_intensities(file, [0, 1])


def test_detector_units_become_photons_and_broken_pixels_are_masked(tmp_path: Path) -> None:
    frames = np.full((1, 4, 4), 260.0)
    frames[0, 0, 0], frames[0, 1, 1] = np.nan, -300
    read = read_intensities(frames_of(tmp_path / "a.npy", frames, 130.0), [0])
    assert read.counted.all() and read.broken.tolist() == [0] and not read.mask[0, 0, 0]
    assert read.values[0, 3, 3] == 2 and read.values[0, 0, 0] == read.values[0, 1, 1] == 0


def test_amplitudes_are_roots_of_whole_numbers_and_small_intensities_are_none() -> None:
    counts = np.random.default_rng(0).poisson(5, 1000).astype(np.float32)
    assert are_amplitudes(np.sqrt(counts))
    for values in (counts, counts / counts.max(), 0.09 * counts / counts.max(), counts == counts.max(), counts + 0.5):
        assert not are_amplitudes(values.astype(np.float32))
