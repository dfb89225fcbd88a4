""""""

import pytest
import torch

from spi_lightning.physics.bragg.frame_correction import find_copies, find_exposures
from spi_lightning.physics.bragg.preparation import prepare
from spi_lightning.physics.fourier import fourier
from tests.physics.bragg.test_empty_lines import chiral
from tests.physics.bragg.test_hot_voxels import PEAK, SHAPE, crystal

ALL = torch.ones(SHAPE, dtype=torch.bool)


def exposed(frames: int | slice, factor: float, counts: torch.Tensor | None = None) -> torch.Tensor:
    counts = chiral() if counts is None else counts
    counts[frames] = torch.poisson(factor * counts[frames], generator=torch.Generator().manual_seed(5))
    return counts


@pytest.mark.parametrize(("frame", "factor"), [(17, 50.0), (0, 100.0), (12, 0.05), (14, 0.08), (9, 12.0)])
def test_a_frame_of_another_exposure_is_left_open_and_the_peak_stays(frame: int, factor: float) -> None:
    made = prepare(exposed(frame, factor), SHAPE)
    lost = torch.zeros(SHAPE, dtype=torch.bool)
    lost[frame] = True
    assert torch.equal(~made.mask, lost) and made.peak == PEAK
    assert any(f"frame {frame} is taken as not measured" in str(note) for note in made.notes)


def test_a_frame_that_towers_over_fringes_is_left_open() -> None:
    made = prepare(exposed(14, 50, crystal()), SHAPE)
    assert not made.mask[14].any() and made.mask[13].all() and made.peak == PEAK


@pytest.mark.parametrize("frames", [slice(14, 19), slice(0, 8), slice(12, 24)])
def test_runs_of_another_exposure_are_noted(frames: slice) -> None:
    found, notes = find_exposures(exposed(frames, 8.0), ALL)
    edge = frames.start or frames.stop
    assert not found.any() and any(
        f"frame {edge}, or the run of frames that begins there" in str(note) for note in notes
    )


@pytest.mark.parametrize("counts", [crystal(), crystal((5, 7, 9), 300), chiral()])
def test_frames_of_one_exposure_are_measured(counts: torch.Tensor) -> None:
    assert not find_exposures(counts, ALL)[1] and not find_copies(counts, ALL)[1]


@pytest.mark.parametrize("edge", range(5, 11))
def test_fringes_of_a_box_are_no_exposures(edge: int) -> None:
    density = torch.zeros(SHAPE)
    density[12 - edge // 2 : 12 - edge // 2 + edge, 10:20, 8:17] = 1
    intensity = fourier(density, 3).abs().square()
    counts = torch.poisson(1e6 * intensity / intensity.max(), generator=torch.Generator().manual_seed(0))
    assert not find_exposures(counts, ALL)[1] and not find_copies(counts, ALL)[1]


def test_a_frame_that_repeats_the_one_before_is_left_open() -> None:
    counts = crystal()
    counts[14] = counts[13]
    made = prepare(counts, SHAPE)
    assert not made.mask[14].any() and made.mask[13].all()
    assert any("frame 14 repeats the frame before" in str(note) for note in made.notes)
