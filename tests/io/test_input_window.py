"""Window of a detector that suits a network: fringes of spheres of known size, and the numbers that follow."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spi_lightning.fields import IS_SINGLE_HIT
from spi_lightning.io import ArrayFrames, PatternFile
from spi_lightning.io.input_window import InputWindow, input_window, usual_sphere, window_line
from spi_lightning.physics.frames.sphere_fit import sphere_amplitude


def spheres(
    fringe: float, shape: tuple[int, int], frames: int = 6, empty: int = 0, beam: tuple[float, float] | None = None
) -> PatternFile:
    """Patterns of spheres of one size, 40,000 photons each, around a beam near the middle or elsewhere."""
    rng, (height, width) = np.random.default_rng(0), shape
    row, column = beam or (0.503 * height, 0.489 * width)
    y, x = np.arange(height) - row, np.arange(width) - column
    radius = torch.from_numpy(np.hypot(y[:, None], x))
    intensity = sphere_amplitude(radius, torch.tensor(1 / fringe)).square().numpy()
    photons = rng.poisson(4e4 * intensity / intensity.sum(), (frames, *shape)).astype(np.float32)
    mask = np.ones(shape, dtype=bool)
    mask[round(0.47 * height) : round(0.52 * height)] = False
    blank = rng.poisson(0.01, (empty, *shape)).astype(np.float32)
    return PatternFile(Path("mine.h5"), "array", ArrayFrames(np.concatenate([photons, blank]) * mask), shared_mask=mask)


@pytest.mark.parametrize(("fringe", "shape"), [(12.5, (128, 128)), (30.0, (211, 305)), (8.0, (150, 190))])
def test_fringes_are_measured_without_geometry(fringe: float, shape: tuple[int, int]) -> None:
    assert usual_sphere(spheres(fringe, shape))[0] == pytest.approx(fringe, rel=0.03)


def test_large_frames_are_binned_for_the_measurement() -> None:
    assert usual_sphere(spheres(40.0, (530, 541), frames=3))[0] == pytest.approx(40, rel=0.03)


def test_frames_without_hits_do_not_count_and_labels_lead_to_those_with() -> None:
    mixed = spheres(12.5, (128, 128), frames=3, empty=60)
    labels = {IS_SINGLE_HIT: np.arange(63) < 3}
    assert usual_sphere(replace(mixed, labels=labels))[0] == pytest.approx(12.5, rel=0.03)
    assert usual_sphere(spheres(12.5, (128, 128), frames=1, empty=20))[0] is None


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


def test_the_line_names_a_beam_off_the_middle_as_it_is_found_or_stated() -> None:
    file = spheres(12.0, (211, 305), beam=(92.0, 166.0))
    wanted = r"preprocess.bin=3 preprocess.crop=192 preprocess.beam_centre=\[(.*),(.*)\] \(fringes of 12 pixels"
    found = re.match(wanted, window_line(file, 64))
    assert found is not None and [float(at) for at in found.groups()] == pytest.approx([92, 166], abs=0.5)
    blank = PatternFile(Path("mine.h5"), "array", ArrayFrames(np.zeros((2, 211, 305), np.float32)))
    for centre, word in (((92.0, 166.04), " preprocess.beam_centre=[92,166]"), ((105.0, 150.0), "")):
        stated = replace(blank, geometry={"beam_centre": np.array(centre)})
        assert window_line(stated, 64) == f"preprocess.bin=3 preprocess.crop=192{word} (the largest square)"
