import pytest
import torch

from spi_lightning.io import open_patterns
from spi_lightning.physics.frames.beam_centre import find_beam_centre, find_centre_anywhere, symmetry_about
from spi_lightning.physics.frames.sphere_fit import sphere_amplitude


def patterns(centres, shape=(64, 70), photons=60.0, elongation=1.6) -> torch.Tensor:
    """Poisson patterns of an ellipsoid-like body about given centres, (B, H, W)."""
    y = torch.arange(shape[0])[None, :, None] - centres[:, 0, None, None]
    x = torch.arange(shape[1])[None, None, :] - centres[:, 1, None, None]
    radius = torch.sqrt(y**2 + elongation * x**2 + 0.5 * x * y)
    return torch.poisson(photons * sphere_amplitude(radius, torch.tensor(0.1)) ** 2 + 0.02)


@pytest.fixture
def centres() -> torch.Tensor:
    return torch.tensor([31.5, 34.5]) + torch.empty(12, 2).uniform_(-6, 6)


def test_centres_are_found_to_a_fraction_of_a_pixel(centres) -> None:
    found = find_beam_centre(patterns(centres), torch.ones(64, 70, dtype=torch.bool))
    assert (found.centre - centres).abs().max() < 0.35
    assert (found.centre - centres).pow(2).mean().sqrt() < 0.12
    assert (found.symmetry > 0.7).all()


def test_a_mask_far_from_symmetric_does_not_pull(centres) -> None:
    mask = torch.ones(64, 70, dtype=torch.bool)
    mask[28:34, 30:38] = False
    mask[:, 52:] = False
    mask[40:44] = False
    photons = patterns(centres, photons=200.0).masked_fill(~mask, 0)
    found = find_beam_centre(photons, mask)
    assert (found.centre - centres).pow(2).mean().sqrt() < 0.2
    same = find_beam_centre(photons + 1000 * ~mask, mask.expand(len(centres), -1, -1))
    torch.testing.assert_close(same.centre, found.centre)


def test_centres_on_pixels_are_not_favoured() -> None:
    halves = torch.tensor([[31.5, 34.5]]).expand(30, -1)
    found = find_beam_centre(patterns(halves, photons=5.0), torch.ones(64, 70, dtype=torch.bool))
    assert (found.centre.mean(0) - halves[0]).abs().max() < 0.1


def test_the_search_stays_near_the_guess(centres) -> None:
    mask = torch.ones(64, 70, dtype=torch.bool)
    found = find_beam_centre(patterns(centres), mask, guess=torch.tensor([20.0, 20.0]), max_shift=0.05)
    assert (found.centre - 20).abs().max() <= 0.05 * 64 + 0.5
    near = find_beam_centre(patterns(centres), mask, guess=centres, max_shift=0.03)
    assert (near.centre - centres).pow(2).mean().sqrt() < 0.12


def test_a_beam_in_the_middle_of_one_of_four_chips_is_found() -> None:
    centres = torch.tensor([[94.2, 29.3]]).expand(6, -1)  # 22 % of the pixels have a mate
    mask = torch.ones(120, 116, dtype=torch.bool)
    mask[58:62] = mask[:, 57:59] = False
    photons = patterns(centres, (120, 116)) * mask
    found = find_beam_centre(photons, mask, guess=torch.tensor([92.0, 32.0]))
    assert (found.centre - centres).abs().max() < 0.35
    assert (find_centre_anywhere(photons[:1], mask[None]).centre - centres[0]).abs().max() < 0.35


def test_an_empty_frame_keeps_the_guess_and_says_so() -> None:
    found = find_beam_centre(torch.zeros(2, 16, 17), torch.ones(16, 17, dtype=torch.bool))
    torch.testing.assert_close(found.centre, torch.tensor([[7.5, 8.0]]).expand(2, -1))
    assert not (found.symmetry > 0).any()


def test_real_patterns_agree_on_their_centre(spi_data) -> None:
    file = open_patterns(spi_data / "spi" / "pr772_dev.h5")
    found = find_beam_centre(torch.from_numpy(file.read(range(25))), torch.as_tensor(file.mask))
    median = found.centre.median(0).values
    assert (median - 63.5).abs().max() < 0.25  # published: 63.5, 63.5 in steps of half a pixel
    assert (found.centre.std(0) < 0.3).all()
    assert (found.symmetry > 0.7).all()


def test_too_few_pairs_give_no_infinite_symmetry() -> None:
    photons = torch.poisson(torch.full((2, 24, 32), 3.0), generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(24, 32, dtype=torch.bool)
    mask[18:] = True
    for found in (find_beam_centre(photons, mask), find_beam_centre(photons, mask | True, torch.tensor([0.0, 0.0]))):
        assert found.symmetry.isnan().all() and found.centre.isfinite().all()


def test_a_centre_far_from_the_middle_is_found_and_a_few_photons_have_none() -> None:
    mask = torch.ones(1, 300, 540, dtype=torch.bool)
    found = find_centre_anywhere(patterns(torch.tensor([[100.0, 180.0]]), (300, 540), 6000.0), mask)
    assert (found.centre - torch.tensor([[100.0, 180.0]])).abs().max() < 0.5 and float(found.symmetry) > 0.5
    few = torch.zeros(1, 300, 540)
    few[0, 100, 100] = few[0, 130, 150] = few[0, 200, 90] = 1
    assert bool(find_centre_anywhere(few, mask).symmetry.isnan())
    about = symmetry_about(torch.zeros(20, 20), mask[0, :20, :20], torch.tensor([10.0, 10.0]), 0.75)
    assert about != about  # NaN: no contrast
