from collections.abc import Callable

import pytest
import torch

from spi_lightning.physics.bragg.hot_voxels import find_hot
from spi_lightning.physics.bragg.preparation import prepare
from spi_lightning.physics.fourier import fourier

SHAPE, PEAK = (24, 32, 32), (12, 16, 16)


def crystal(edges: tuple[int, int, int] = (5, 7, 9), peak: float = 2e5) -> torch.Tensor:
    """Photons of an L-shaped crystal, whose fringes are nowhere exactly dark."""
    density = torch.zeros(SHAPE)
    z, y, x = (slice(n // 2 - edge // 2, n // 2 - edge // 2 + edge) for n, edge in zip(SHAPE, edges, strict=True))
    density[z, y, x] = 1
    density[z, y, x.stop : x.stop + 2] = torch.linspace(0.9, 0.3, edges[1])[:, None]
    intensity = fourier(density, 3).abs().square()
    return torch.poisson(peak * intensity / intensity.max(), generator=torch.Generator().manual_seed(0))


def gaussian(*widths: float, peak: float = 2e4) -> torch.Tensor:
    axes = torch.meshgrid(*(torch.arange(n) - n // 2 for n in SHAPE), indexing="ij")
    exponent = sum((axis / width) ** 2 / 2 for axis, width in zip(axes, widths, strict=True))
    return torch.poisson(peak * torch.exp(-exponent), generator=torch.Generator().manual_seed(1))


def in_every_frame(counts: torch.Tensor) -> None:
    counts[:, 25, 5] = 3e6


def in_one_frame(counts: torch.Tensor) -> None:
    counts[7, 25, 5] = 1e7


def in_the_first_frame(counts: torch.Tensor) -> None:
    counts[0, 3, 30] = 1e7


def at_the_corner(counts: torch.Tensor) -> None:
    counts[:, 0, 0] = 2e6


def blinking(counts: torch.Tensor) -> None:
    counts[::3, 25, 5] = 5e6


def as_a_cluster(counts: torch.Tensor) -> None:
    counts[:, 25:27, 5:7] = 1e6


def as_a_track(counts: torch.Tensor) -> None:
    counts[5, 4, 20:30] = torch.linspace(1e6, 3e6, 10)


def as_a_column(counts: torch.Tensor) -> None:
    counts[:, :, 4] = 4e5


def in_an_otherwise_dark_scan(counts: torch.Tensor) -> None:
    counts[:, 25, 5] = 900


@pytest.mark.parametrize(
    ("spoil", "voxels"),
    [
        (in_every_frame, 24),
        (in_one_frame, 1),
        (in_the_first_frame, 1),
        (at_the_corner, 24),
        (blinking, 8),
        (as_a_cluster, 96),
        (as_a_track, 10),
        (as_a_column, 24 * 32),
        (in_an_otherwise_dark_scan, 24),
    ],
)
def test_voxels_narrower_than_a_peak_are_left_out_with_a_note(
    spoil: Callable[[torch.Tensor], None], voxels: int
) -> None:
    counts = crystal(peak=300 if spoil is in_an_otherwise_dark_scan else 2e5)
    clean = counts.clone()
    spoil(counts)
    made = prepare(counts, SHAPE)
    assert all(abs(position - middle) <= 1 for position, middle in zip(made.peak, PEAK, strict=True))
    found, _ = find_hot(counts, torch.ones(SHAPE, dtype=torch.bool))
    assert torch.equal(found, counts != clean) and int(found.sum()) == voxels
    assert any("hot pixel" in str(note) or "zinger" in str(note) for note in made.notes)


@pytest.mark.parametrize(
    "counts",
    [
        crystal(),
        crystal(peak=300),
        crystal((12, 16, 14)),  # sampled twice, so that every other fringe is sampled where it is dark
        gaussian(0.6, 0.6, 0.6),
        gaussian(0.5, 2, 2),
        gaussian(4, 0.5, 0.5),
        gaussian(0.5, 0.5, 0.5, peak=1e6),
    ],
)
def test_sharp_peaks_and_fringes_of_sound_scans_stay(counts: torch.Tensor) -> None:
    found, notes = find_hot(counts, torch.ones(SHAPE, dtype=torch.bool))
    assert not found.any() and notes == []


def test_fringes_of_a_box_sampled_exactly_where_they_vanish_stay() -> None:
    density = torch.zeros(SHAPE)
    density[6:18, 8:24, 8:24] = 1
    counts = (2e5 * fourier(density, 3).abs().square() / (12 * 16 * 16) ** 2).round()
    made = prepare(counts, SHAPE)
    assert made.mask.all() and made.peak == PEAK


def test_one_bright_voxel_alone_is_kept_with_a_warning() -> None:
    counts = torch.poisson(torch.full(SHAPE, 0.05), generator=torch.Generator().manual_seed(2))
    counts[PEAK] = 5000
    made = prepare(counts, SHAPE)
    assert made.mask.all() and any("narrower" in str(note) for note in made.notes)


def test_defects_can_be_taken_as_measured() -> None:
    counts = crystal()
    in_every_frame(counts)
    made = prepare(counts, SHAPE, defects=False)
    assert made.mask[12, 25, 5] or made.peak != PEAK
