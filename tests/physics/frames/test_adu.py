import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spi_lightning.errors import UserError
from spi_lightning.io.hdf5.file import opened
from spi_lightning.physics.frames.adu import adu_to_photons, estimate_gain, fano_factor, shown_gain

ALL = torch.ones(200, 200, dtype=torch.bool)


def detector(gain, noise, pedestal=0.0, mean=0.15, frames=2) -> tuple[torch.Tensor, torch.Tensor]:
    """Photons and what a detector without charge sharing reads."""
    rng = np.random.default_rng(0)
    photons = rng.poisson(rng.gamma(0.3, mean / 0.3, (frames, 200, 200)))
    return torch.from_numpy(photons), torch.from_numpy(photons * gain + rng.normal(pedestal, noise, photons.shape))


@given(st.integers(0, 1000), st.floats(0.5, 500), st.floats(-0.49, 0.49))
@settings(max_examples=30, deadline=None)
def test_whole_photons_survive_half_a_photon_of_noise(photons, gain, noise) -> None:
    assert adu_to_photons(torch.tensor(gain * (photons + noise), dtype=torch.float64), gain) == photons


def test_threshold_and_negative_values() -> None:
    adu = torch.tensor([-300.0, 0.0, 69.0, 71.0, 99.0, 199.0])
    torch.testing.assert_close(adu_to_photons(adu, 100.0, 0.7), torch.tensor([0.0, 0, 0, 1, 1, 2]))


@pytest.mark.parametrize(("gain", "noise", "pedestal"), [(130, 15, 0), (8, 1.5, 0.3), (1, 0.1, -0.2), (500, 130, 40)])
def test_gain_is_found_within_two_percent(gain, noise, pedestal) -> None:
    adu = detector(gain, noise, pedestal)[1]
    adu[0, 0, 0], adu[1, 5, 5] = torch.inf, torch.nan
    found = estimate_gain(adu, ALL)
    assert found.adu_per_photon == pytest.approx(gain, rel=0.02)
    assert found.pedestal == pytest.approx(pedestal, abs=0.02 * gain)
    assert found.noise == pytest.approx(noise, rel=0.05)
    assert found.significance > 20


def test_masked_pixels_do_not_count() -> None:
    adu = detector(100, 10)[1]
    mask = ALL.clone()
    mask[:80] = False
    adu[:, :80] += 37
    assert estimate_gain(adu, mask).adu_per_photon == pytest.approx(100, rel=0.02)


@pytest.mark.parametrize(("noise", "mean"), [(80, 0.15), (10, 0)])
def test_without_a_peak_the_user_must_say(noise, mean) -> None:
    adu = detector(100, noise, mean=mean)[1] if mean else torch.randn(2, 200, 200) * noise
    with pytest.raises(UserError, match=r"no single-photon peak.*data\.adu_per_photon="):
        estimate_gain(adu, ALL)
    with pytest.raises(UserError, match="from 100 pixels"):
        estimate_gain(adu[:1, :10, :10], ALL[:10, :10])


def test_counts_have_no_gain() -> None:
    with pytest.raises(UserError, match="these may be photon counts"):
        estimate_gain(torch.poisson(torch.full((2, 200, 200), 0.2)), ALL)


@pytest.mark.parametrize("photons_per_unit", [1, 2, 5])
def test_fano_factor_counts_the_photons_in_a_unit(photons_per_unit) -> None:
    y, x = torch.meshgrid(torch.arange(200.0), torch.arange(200.0), indexing="ij")
    intensity = 6 + 5 * torch.cos(x / 9) * torch.sin(y / 12)
    units = torch.poisson(intensity.expand(4, -1, -1) * photons_per_unit) / photons_per_unit
    assert fano_factor(units, ALL) == pytest.approx(1 / photons_per_unit, rel=0.03)
    assert np.isnan(fano_factor(torch.zeros(1, 20, 20), ALL[:20, :20]))


def test_gain_of_a_real_detector_makes_its_counts_poissonian(spi_data) -> None:
    with opened(spi_data / "spi" / "pnccd_adu_10.h5") as file:
        adu = torch.from_numpy(file["adu"][()])
        mask = torch.from_numpy((file["mask"][()] | file["artifacts"][()]) == 0)
    gain = estimate_gain(adu, mask)
    assert gain.adu_per_photon == pytest.approx(7.93, rel=0.02)
    assert gain.noise == pytest.approx(1.47, rel=0.05)
    photons = adu_to_photons(adu.nan_to_num(posinf=0), gain.adu_per_photon)
    assert fano_factor(photons, mask) == pytest.approx(1, abs=0.1)


def test_values_show_the_units_of_one_photon() -> None:
    photons = torch.poisson(torch.full((8, 64, 64), 0.3), generator=torch.Generator().manual_seed(0))
    mask = torch.ones(64, 64, dtype=torch.bool)
    noise = torch.randn(photons.shape, generator=torch.Generator().manual_seed(1))
    assert shown_gain(photons, mask) == 1 and shown_gain(7 * photons, mask) == 7
    assert shown_gain(12.5 * photons + noise, mask) == pytest.approx(12.5, rel=0.03)
    assert shown_gain((12 * photons + noise).round().clamp_min(0), mask) is None  # clipped noise is not counted
    assert shown_gain(noise, mask) is None and shown_gain(torch.zeros_like(photons), mask) is None
    assert shown_gain(torch.poisson(torch.full((8, 64, 64), 30.0)), mask) is None
