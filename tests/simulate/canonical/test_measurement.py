"""Detectors, light and counting in the canonical frame."""

import pytest
import torch

from spi_lightning.simulate import BackgroundRecipe, CountingRecipe, DetectorRecipe
from spi_lightning.simulate.canonical.detectors import DETECTORS

MIDDLE = torch.full((64, 2), 31.5)
IDEAL = {"cut": 0.0, "round": 0.0, "dead": 0.0, "lost_panel": 0.0}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_measures_most_cells_and_lies_within_bounds(name: str) -> None:
    share = DetectorRecipe({name: 1.0}, **IDEAL)((64, 64), MIDDLE, seeded())
    assert share.shape == (64, 64, 64) and share.min() >= 0 and share.max() == 1
    assert share.mean((1, 2)).min() > 0.4
    assert (share.mean((1, 2)) < 1).float().mean() > (0.2 if name == "whole" else 0.7)


def test_gaps_take_their_width_whatever_the_phase() -> None:
    recipe = DetectorRecipe({"pnccd": 1.0}, gap=(1.5, 1.5), hole=(0.0, 0.0), shift=5.0, **IDEAL)
    lost = (1 - recipe((64, 64), MIDDLE, seeded())).sum((1, 2)) / 64
    torch.testing.assert_close(lost, torch.full((64,), 1.5), atol=0.05, rtol=0)


def test_coarse_pixels_keep_the_photons_and_full_cells_their_expectation() -> None:
    expected, share = torch.full((200, 64, 64), 2.0), torch.ones(200, 64, 64)
    share[:, :, :32] = 0.5
    ideal = CountingRecipe(lumps=0.0, wrong_gain=0.0, hot=0.0)
    photons, mask = ideal(expected, share, torch.ones(200), seeded())
    assert mask.all()
    torch.testing.assert_close(photons.mean(0), torch.full((64, 64), 2.0), atol=0.8, rtol=0)
    assert photons[:, :, :32].var() == pytest.approx(4.0, rel=0.05)
    photons, mask = ideal(expected, torch.ones_like(share), torch.linspace(1.4, 3.0, 200), seeded())
    inner = photons[:, 4:-4, 4:-4]
    assert mask[:, 4:-4, 4:-4].all() and inner.mean() == pytest.approx(2.0, rel=0.01)
    assert inner.var() < 1.0  # counts of 2 to 9 cells are shared among them


def test_lumps_have_less_than_poisson_noise_and_gain_errs_within_bounds() -> None:
    expected, share = torch.full((100, 64, 64), 20.0), torch.ones(100, 64, 64)
    lumpy, _ = CountingRecipe(lumps=1.0, photons_per_count=(2.0, 2.0), wrong_gain=0.0, hot=0.0)(
        expected, share, torch.ones(100), seeded()
    )
    assert lumpy.var() / lumpy.mean() == pytest.approx(0.5, abs=0.02)
    wrong, _ = CountingRecipe(lumps=0.0, wrong_gain=1.0, gain=0.1, hot=0.0)(expected, share, torch.ones(100), seeded())
    level = wrong.mean((1, 2)) / 20
    assert level.min() > 0.89 and level.max() < 1.11 and level.std() > 0.04
    hot, _ = CountingRecipe(lumps=0.0, wrong_gain=0.0, hot=1.0, hot_photons=(300.0, 300.0))(
        0 * expected, share, torch.ones(100), seeded()
    )
    assert ((hot > 0).sum((1, 2)) <= 4).all() and (hot.sum((1, 2)) >= 300).all()


def test_background_adds_its_share_of_photons_and_the_streak_its_direction() -> None:
    signal, photons = torch.zeros(64, 64, 64), torch.full((64,), 1e4)
    none = {"halo": 0.0, "structured": 0.0, "streak": 0.0, "gain_tilt": 0.0}
    for name in ("flat", "structured"):
        light = BackgroundRecipe(**{"flat": 0.0, **none, name: 1.0}, ratio=(0.5, 0.5))(
            signal, photons, MIDDLE, seeded()
        )
        torch.testing.assert_close(light.sum((1, 2)), torch.full((64,), 5e3), rtol=0.01, atol=0)
        assert (light > 0).all()
    streak = {"flat": 0.0, **none, "streak": 1.0}
    light = BackgroundRecipe(**streak)(signal, photons, MIDDLE, seeded())
    along = torch.maximum(light[:, 30:34].sum((1, 2)), light[:, :, 30:34].sum((1, 2))) / light.sum((1, 2))
    assert (along > 0.6).float().mean() > 0.5
