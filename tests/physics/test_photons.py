"""Thomson cross-section and Poisson statistics."""

import math

import pytest
import torch

from spi_lightning.physics.photons import count_photons, count_photons_in_lumps, photon_halves, photons_per_fluence


def test_one_electron_scatters_the_thomson_cross_section_forward() -> None:
    """r_e^2 is 7.94e-30 m^2 per steradian and electron; n electrons in phase give n^2."""
    electrons = torch.tensor([1.0, 10.0])[:, None, None].expand(2, 3, 4).double()
    cross_section = photons_per_fluence(electrons**2, torch.tensor([1.0, 1e-6], dtype=torch.float64))
    assert cross_section.shape == (2, 3, 4)
    assert cross_section[0, 0, 0].item() == pytest.approx(7.940787e-30, rel=1e-5)
    assert cross_section[1, 0, 0].item() == pytest.approx(7.940787e-34, rel=1e-5)


def test_counts_are_whole_seeded_and_poisson() -> None:
    intensity = torch.tensor([0.0, 0.05, 1.0, 30.0, 1000.0])[:, None].expand(5, 20_000)
    counts = count_photons(intensity, torch.Generator().manual_seed(0))
    assert torch.equal(counts, counts.round())
    assert (counts[0] == 0).all()
    assert torch.equal(counts, count_photons(intensity, torch.Generator().manual_seed(0)))
    for mean, row in zip(intensity[1:, 0].tolist(), counts[1:].double(), strict=True):
        assert row.mean().item() == pytest.approx(mean, abs=5 * math.sqrt(mean / 20_000))
        assert row.var().item() == pytest.approx(mean, abs=5 * math.sqrt((mean + 2 * mean**2) / 20_000))
    assert (counts[1] == 0).double().mean().item() == pytest.approx(math.exp(-0.05), abs=0.01)


def test_lumped_counts_keep_the_mean_and_lose_variance() -> None:
    generator = torch.Generator().manual_seed(3)
    intensity, lump = torch.full((1, 400, 400), 9.0), torch.tensor([2.0])
    counts = count_photons_in_lumps(intensity, lump, generator)
    assert torch.equal(counts, counts.round())
    assert counts.mean().item() == pytest.approx(9.0, abs=0.03)
    assert (counts.var() / counts.mean()).item() == pytest.approx(0.5, abs=0.03)


def test_halves_of_the_photons_add_up_and_are_independent() -> None:
    photons = torch.poisson(torch.full((200, 200), 7.0), generator=torch.Generator().manual_seed(0))
    first, second = (half.square().round() for half in photon_halves(photons.sqrt(), seed=3))
    assert torch.equal(first + second, photons)
    assert float(first.mean()) == pytest.approx(3.5, abs=0.03) and float(first.var()) == pytest.approx(3.5, abs=0.1)
    assert abs(float(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1])) < 0.02
