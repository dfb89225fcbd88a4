from pathlib import Path

import h5py
import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.physics.bragg.preparation import prepare
from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.oversampling import estimate_oversampling, suggest_bin, suggest_size


def pattern(edges: tuple[int, ...], size: int = 32) -> torch.Tensor:
    """Intensities of a box of these edges."""
    density = torch.zeros([size] * len(edges))
    density[tuple(slice(size // 2 - n // 2, size // 2 - n // 2 + n) for n in edges)] = 1
    return fourier(density, len(edges)).abs() ** 2


@pytest.mark.parametrize("edges", [(6, 9, 12), (10, 7)])
def test_extent_of_a_box(edges: tuple[int, ...]) -> None:
    found = estimate_oversampling(1e6 * pattern(edges))
    assert found.extent == pytest.approx(edges, abs=1)
    assert found.ratio == pytest.approx([32 / edge for edge in edges], rel=0.15)
    assert all(edge < box <= 32 for edge, box in zip(edges, found.box(1.2), strict=True))
    assert "oversampling" in str(found)


def test_a_beam_that_varies_does_not_look_like_a_larger_particle() -> None:
    frames = 1 + 0.05 * torch.randn(32, 1, 1, generator=torch.Generator().manual_seed(4))
    found = estimate_oversampling(1e6 * pattern((3, 9, 12)) * frames)
    assert found.extent == pytest.approx((3, 9, 12), abs=1)
    two = torch.zeros(32, 32)
    two[4:7, 4:8] = two[15:18, 4:8] = 1  # two parts with a gap between them
    assert estimate_oversampling(1e6 * fourier(two, 2).abs() ** 2).extent == pytest.approx((14, 4), abs=1)


def test_photon_noise_does_not_look_like_a_larger_particle() -> None:
    few = torch.poisson(2 * pattern((6, 9, 12)), generator=torch.Generator().manual_seed(0))
    assert few.sum() < 2e3
    assert max(estimate_oversampling(few).extent) <= 13


def test_the_unit_of_a_pattern_does_not_matter() -> None:
    shape = (6, 9, 12)
    for unit in (1e-9, 1.0, 1e9):
        found = estimate_oversampling(unit * pattern(shape))
        assert found.extent == pytest.approx(shape, abs=1) and found.level == pytest.approx(0.02)
    few = torch.poisson(2 * pattern(shape), generator=torch.Generator().manual_seed(0))
    assert estimate_oversampling(2**-10 * few) == estimate_oversampling(few)


def test_bins_keep_the_oversampling_and_sizes_the_photons() -> None:
    photons = 1e6 * pattern((4, 8, 16), size=64)
    found = estimate_oversampling(photons)
    bin = suggest_bin(found, least=2.5)
    assert bin[0] > bin[1] > bin[2] == 1
    assert all(ratio / step >= 2.5 for ratio, step in zip(found.ratio, bin, strict=True))
    dot = torch.zeros(40, 40)
    dot[20, 15:26] = 1
    assert suggest_size(dot, (1, 1)) == (2, 12)
    assert suggest_size(dot, (2, 2)) == (2, 6)


def test_nothing_to_estimate_from() -> None:
    with pytest.raises(UserError, match="no photons"):
        estimate_oversampling(torch.zeros(4, 4, 4))
    with pytest.raises(UserError, match="fraction"):
        estimate_oversampling(torch.ones(4, 4, 4), fraction=2.0)


def test_the_real_crystals_are_sampled_finely_enough(spi_data: Path) -> None:
    with h5py.File(spi_data / "bragg" / "anl_au_crystal_64.h5") as file:
        gold = prepare(torch.from_numpy(file["counts"][()].astype("float32")), 64)
    found = estimate_oversampling(gold.photons)
    assert min(found.ratio) > 2.2
    assert [10 <= extent <= 22 for extent in found.extent] == [True] * 3
