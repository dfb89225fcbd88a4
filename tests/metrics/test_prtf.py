import math

import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.metrics.prtf import chance_level, prtf, without_chance
from spi_lightning.physics.fourier import fourier


@pytest.mark.parametrize("definition", ["phase", "modulus"])
def test_identical_runs_have_one_everywhere_and_are_named(definition: str) -> None:
    density = torch.rand(1, 16, 16)
    found = prtf(density.expand(4, -1, -1), definition=definition, fourier_amplitude=fourier(density[0], 2).abs())
    torch.testing.assert_close(found.curve, torch.ones_like(found.curve), atol=1e-4, rtol=0)
    assert found.identical
    assert math.isnan(found.resolution)


@pytest.mark.parametrize("runs", [4, 25])
def test_independent_phases_leave_one_over_root_n(runs: int) -> None:
    noise = torch.randn(runs, 64, 64, generator=torch.Generator().manual_seed(0))
    found = prtf(noise, aligned=True)
    expected = math.sqrt(math.pi / (4 * runs))
    assert float(found.curve[5:].mean()) == pytest.approx(expected, rel=0.05)
    assert found.chance == pytest.approx(expected, rel=0.03)
    assert float(found.corrected[5:].square().mean()) < 0.02 and found.resolution < 0.1
    assert not found.identical


def test_chance_is_that_of_random_walks_and_its_share_is_subtracted() -> None:
    assert [round(chance_level(runs), 2) for runs in (2, 3, 4, 5, 6, 20)] == [0.64, 0.52, 0.45, 0.4, 0.37, 0.2]
    assert chance_level(2) == pytest.approx(2 / math.pi, abs=1e-5)
    coherence, generator = 0.6, torch.Generator().manual_seed(3)
    for runs in (2, 5, 20):
        spread = math.sqrt(-2 * math.log(coherence))  # of normal phases with this mean of exp(i phi)
        phases = spread * torch.randn(runs, 200_000, generator=generator)
        square = torch.polar(torch.ones_like(phases), phases).mean(0).abs().square().mean()
        assert float(without_chance(square, runs)) == pytest.approx(coherence, abs=0.01)


def test_two_unrelated_runs_have_no_resolution_though_their_curve_stays_above() -> None:
    noise = torch.randn(2, 64, 64, generator=torch.Generator().manual_seed(5))
    found = prtf(noise, aligned=True)
    assert float(found.curve[1:].min()) > 1 / math.e and math.isnan(found.resolution)
    assert float(found.corrected[5:].mean()) < 0.3


@pytest.mark.parametrize("runs", [2, 3, 4])
def test_few_starts_of_noise_resolve_nothing_by_chance(runs: int) -> None:
    for seed in range(10):
        noise = torch.rand(runs, 64, 64, generator=torch.Generator().manual_seed(seed))
        resolution = prtf(noise).resolution  # aligned over shift and twin, as starts are
        assert math.isnan(resolution) if runs == 2 else resolution < 0.1  # of 0.5: not past the first shells


def test_the_two_definitions_differ_where_amplitudes_do() -> None:
    density = torch.rand(8, 8, generator=torch.Generator().manual_seed(0))
    amplitude = fourier(density, 2).abs()
    pair = torch.stack([density, density / 2])
    assert float(prtf(pair, aligned=True).curve.nanmean()) == pytest.approx(1, abs=1e-3)
    modulus = prtf(pair, definition="modulus", fourier_amplitude=amplitude, aligned=True)
    assert float(modulus.curve.nanmean()) == pytest.approx(0.75, abs=1e-3)


def test_unmeasured_pixels_do_not_enter_the_curve() -> None:
    generator = torch.Generator().manual_seed(1)
    runs = torch.rand(16, 16, generator=generator) + torch.zeros(6, 1, 1)
    spectrum = fourier(runs, 2)
    mask = torch.ones(16, 16, dtype=torch.bool)
    mask[7:10, 7:10] = False
    spectrum[:, ~mask] *= torch.exp(2j * math.pi * torch.rand(6, 9, generator=generator))
    runs = torch.fft.fftshift(torch.fft.ifft2(torch.fft.ifftshift(spectrum, dim=(1, 2))), dim=(1, 2)) * 16
    assert float(prtf(runs, aligned=True).curve[0]) < 0.9
    visited = prtf(runs, mask, aligned=True).curve
    assert bool(visited[0].isnan())
    torch.testing.assert_close(visited[2:], torch.ones_like(visited[2:]), atol=1e-3, rtol=0)


def test_shifted_and_inverted_runs_are_aligned_before_their_prtf() -> None:
    density = torch.zeros(24, 24)
    density[5:12, 6:16] = torch.rand(7, 10, generator=torch.Generator().manual_seed(2))
    guises = torch.stack([density, torch.roll(density, (3, 4), (0, 1)), torch.roll(density.flip((0, 1)), 2, 1)])
    assert float(prtf(guises).curve.min()) > 0.999
    assert float(prtf(guises, aligned=True).curve[3:].mean()) < 0.9


def test_one_run_and_an_unknown_definition_are_refused() -> None:
    with pytest.raises(UserError, match="too few"):
        prtf(torch.rand(1, 8, 8))
    with pytest.raises(UserError, match="definition"):
        prtf(torch.rand(2, 8, 8), definition="amplitude")
    with pytest.raises(UserError, match="fourier_amplitude"):
        prtf(torch.rand(2, 8, 8), definition="modulus")
