"""Window of a detector that suits a network: fringes of spheres of known size, and the numbers that follow."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spi_lightning.fields import IS_SINGLE_HIT
from spi_lightning.io import ArrayFrames, PatternFile
from spi_lightning.io.input_window import InputWindow, fringe_width, input_window, window_line
from spi_lightning.physics.frames.sphere_fit import sphere_amplitude


def spheres(fringe: float, shape: tuple[int, int], frames: int = 6, empty: int = 0) -> PatternFile:
    """Patterns of spheres of one size beside the middle, 40,000 photons each, behind a gap of 5 % of the rows."""
    rng, (height, width) = np.random.default_rng(0), shape
    y, x = np.arange(height) - 0.503 * height, np.arange(width) - 0.489 * width
    radius = torch.from_numpy(np.hypot(y[:, None], x))
    intensity = sphere_amplitude(radius, torch.tensor(1 / fringe)).square().numpy()
    photons = rng.poisson(4e4 * intensity / intensity.sum(), (frames, *shape)).astype(np.float32)
    mask = np.ones(shape, dtype=bool)
    mask[round(0.47 * height) : round(0.52 * height)] = False
    blank = rng.poisson(0.01, (empty, *shape)).astype(np.float32)
    return PatternFile(Path("mine.h5"), "array", ArrayFrames(np.concatenate([photons, blank]) * mask), shared_mask=mask)


@pytest.mark.parametrize(("fringe", "shape"), [(12.5, (128, 128)), (30.0, (211, 305)), (8.0, (150, 190))])
def test_fringes_are_measured_without_geometry(fringe: float, shape: tuple[int, int]) -> None:
    assert fringe_width(spheres(fringe, shape)) == pytest.approx(fringe, rel=0.03)


def test_large_frames_are_binned_for_the_measurement() -> None:
    assert fringe_width(spheres(40.0, (530, 541), frames=3)) == pytest.approx(40, rel=0.03)


def test_frames_without_hits_do_not_count_and_labels_lead_to_those_with() -> None:
    mixed = spheres(12.5, (128, 128), frames=3, empty=60)
    labels = {IS_SINGLE_HIT: np.arange(63) < 3}
    assert fringe_width(replace(mixed, labels=labels)) == pytest.approx(12.5, rel=0.03)
    assert fringe_width(spheres(12.5, (128, 128), frames=1, empty=20)) is None


@pytest.mark.parametrize(
    ("shape", "size", "fringe", "window"),
    [
        ((193, 250), 64, None, InputWindow(3, 192)),
        ((193, 250), 64, 30.0, InputWindow(3, 192)),  # the frame is the limit
        ((403, 577), 64, 10.0, InputWindow(3, 192)),  # three binned pixels a fringe are
        ((403, 577), 64, 2.0, InputWindow(1, 64)),
        ((128, 128), 128, 9.0, InputWindow(1, 128)),
        ((63, 200), 64, 9.0, None),
    ],
)
def test_a_window_is_large_and_keeps_fringes(shape, size, fringe, window) -> None:
    assert input_window(shape, size, fringe) == window


def test_the_line_is_words_of_a_command_and_their_reason() -> None:
    line = window_line(spheres(12.0, (211, 305)), 64)
    assert line == "preprocess.bin=3 preprocess.crop=192 (fringes of 12 pixels, 4 after binning)"
    empty = PatternFile(Path("mine.h5"), "array", ArrayFrames(np.zeros((2, 211, 305), np.float32)))
    assert window_line(empty, 64) == "preprocess.bin=3 preprocess.crop=192 (the largest square)"
    assert window_line(empty, 300) == ""
