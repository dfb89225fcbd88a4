from typing import Any

import pytest
import torch

from spi_lightning.physics.bragg.empty_lines import find_empty
from spi_lightning.physics.bragg.preparation import prepare
from spi_lightning.physics.fourier import fourier
from tests.physics.bragg.test_hot_voxels import PEAK, SHAPE, crystal

EVERYWHERE = slice(None)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ((13,), "frame 13 is empty"),
        (([10, 14],), "2 frames (10, 14) are empty"),
        ((slice(13, 15),), "2 frames (13, 14) are empty"),
        ((EVERYWHERE, slice(18, 20)), "2 rows (18, 19) are empty in every frame"),
        ((EVERYWHERE, EVERYWHERE, 17), "column 17 is empty in every frame"),
        ((12, 18), "1 rows of single frames (12) are empty"),
        ((slice(8, 13), slice(18, 20)), "10 rows of single frames"),
        ((EVERYWHERE, slice(14, 16), slice(14, 18)), "8 pixels are empty in every frame"),
        ((13, slice(12, 20), slice(11, 18)), "56 voxels of parts of single frames (13) are empty"),
        ((slice(10, 13), slice(14, 22), slice(16, 23)), "168 voxels of parts of single frames (10, 11, 12) are empty"),
    ],
)
def test_empty_lines_beside_bright_neighbours_are_unmeasured_with_a_note(where: tuple[Any, ...], words: str) -> None:
    counts = crystal()
    counts[where] = 0
    made = prepare(counts, SHAPE)
    lost = torch.zeros(SHAPE, dtype=torch.bool)
    lost[where] = True
    assert torch.equal(~made.mask, lost) and made.peak == PEAK
    assert any(words in str(note) for note in made.notes)


def test_a_few_dark_counts_do_not_fill_a_dropped_frame() -> None:
    counts = crystal()
    counts[13] = 0
    counts[13, ::9, ::9] = 1
    assert not prepare(counts, SHAPE).mask[13].any()


@pytest.mark.parametrize("edges", [(5, 7, 9), (4, 8, 9), (6, 8, 8)])
@pytest.mark.parametrize("peak", [2e5, 3000, 300, 30])
def test_sound_scans_have_no_empty_lines(peak: float, edges: tuple[int, int, int]) -> None:
    found, notes = find_empty(crystal(edges, peak), torch.ones(SHAPE, dtype=torch.bool))
    assert not found.any() and notes == []


@pytest.mark.parametrize("partner", [0, 1, 9])
def test_a_fringe_whose_counterpart_holds_a_few_photons_is_measured(partner: float) -> None:
    counts = torch.zeros(9, 41, 12)
    profile = 2000 / (1 + (torch.arange(41) - 20.0).abs()) ** 1.5
    counts[4] = profile[:, None].round()
    counts[4, 33], counts[4, 7] = 0, 0
    counts[4, 7, :9] = partner / 9
    found, notes = find_empty(counts, torch.ones(counts.shape, dtype=torch.bool))
    assert not found.any() and notes == []


def test_fringes_that_vanish_at_even_distances_are_no_dropped_lines() -> None:
    density = torch.zeros(SHAPE)
    density[9:15, 12:20, 8:24] = 1
    counts = (2e5 * fourier(density, 3).abs().square() / float(density.sum()) ** 2).round()
    assert not counts[PEAK[0] + 4].any() and not counts[:, PEAK[1] - 4].any()
    assert not find_empty(counts, torch.ones(SHAPE, dtype=torch.bool))[0].any()


def test_counts_under_a_threshold_of_the_user_end_without_being_dropped() -> None:
    counts = crystal()
    counts = torch.where(counts > 400, counts, 0.0)
    mask = torch.ones(SHAPE, dtype=torch.bool)
    assert not find_empty(counts, mask, float(counts[counts > 0].min()))[0].any()


@pytest.mark.parametrize("edges", [(3, 8, 16), (8, 12, 10), (12, 16, 8), (6, 16, 16), (4, 7, 5)])
@pytest.mark.parametrize("peak", [None, 2e3])
def test_boxes_sampled_where_their_fringes_vanish_are_sound(edges: tuple[int, int, int], peak: float | None) -> None:
    density = torch.zeros(SHAPE)
    density[
        tuple(slice(n // 2 - edge // 2, n // 2 - edge // 2 + edge) for n, edge in zip(SHAPE, edges, strict=True))
    ] = 1
    intensity = fourier(density, 3).abs().square()
    if peak is not None:
        generator = torch.Generator().manual_seed(1)
        intensity = torch.poisson(peak * intensity / intensity.max(), generator=generator)
    unit = 1.0 if peak else 1e-9 * float(intensity.max())
    assert not find_empty(intensity, torch.ones(SHAPE, dtype=torch.bool), unit)[0].any()


def chiral() -> torch.Tensor:
    """Counts of a crystal whose sides differ, (24, 32, 32)."""
    density = torch.zeros(24, 32, 32)
    density[10:14, 13:19, 12:21] = 1
    density[13:16, 10:14, 15:18] = 1
    density[9:11, 16:22, 18:20] = 1
    intensity = fourier(density, 3).abs().square()
    return torch.poisson(3e6 * intensity / intensity.max(), generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ((0,), "frame 0 is empty"),
        ((-1,), "frame 23 is empty"),
        ((EVERYWHERE, -1), "row 31 is empty in every frame"),
        ((EVERYWHERE, EVERYWHERE, 0), "column 0 is empty in every frame"),
        ((0, slice(9, 25), slice(8, 24)), "256 voxels of parts of single frames (0) are empty"),
        ((-1, slice(16, 32)), "512 voxels of parts of single frames (23) are empty"),
        ((slice(20, 24), slice(9, 25), slice(8, 24)), "1024 voxels of parts of single frames (20, 21, 22, 23)"),
    ],
)
def test_the_ends_of_a_scan_may_be_empty(where: tuple[Any, ...], words: str) -> None:
    counts = chiral()
    counts[where] = 0
    lost = torch.zeros(counts.shape, dtype=torch.bool)
    lost[where] = True
    found, notes = find_empty(counts, torch.ones(counts.shape, dtype=torch.bool))
    assert torch.equal(found, lost) and any(words in str(note) for note in notes)


@pytest.mark.parametrize("pixels", [36, 40, 64])
@pytest.mark.parametrize("photons", [None, 1e6])
@pytest.mark.parametrize("legs", [False, True])
def test_fringes_of_any_even_edge_are_measured(pixels: int, photons: float | None, legs: bool) -> None:
    for edge in range(6, pixels // 2, 4):
        density = torch.zeros(20, 20, pixels)
        density[6:14, 6:14, pixels // 2 - edge // 2 : pixels // 2 - edge // 2 + edge] = 1
        if legs:
            density[10:, 10:] = 0
        intensity = fourier(density, 3).abs().square()
        intensity = intensity / intensity.max()
        unit = 1e-9
        if photons is not None:
            intensity, unit = torch.poisson(photons * intensity, generator=torch.Generator().manual_seed(0)), 1.0
        found, notes = find_empty(intensity, torch.ones(intensity.shape, dtype=torch.bool), unit)
        assert not found.any(), (edge, notes)
