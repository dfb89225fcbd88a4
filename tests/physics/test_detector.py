"""Each effect of the instrument conserves, or adds, the photons it says."""

import math

import pytest
import torch

from spi_lightning.physics.detector import background, blur, blur_matrix, gain_tilt, radius_in_pixels, streaks


def test_radius_counts_pixels_from_the_beam() -> None:
    radius = radius_in_pixels((5, 7), torch.tensor([[2.0, 3.0], [0.0, -4.0]]))
    assert radius.shape == (2, 5, 7)
    assert radius[0, 2, 3] == 0
    assert radius[1, 3, 0] == 5


def test_background_holds_its_photons() -> None:
    """The halo integrates to its photons over the plane, the flat part to one value per pixel."""
    radius = radius_in_pixels((201, 201), torch.full((2, 2), 100.0, dtype=torch.float64))
    flat, halo = torch.tensor([0.1, 0.0]).double(), torch.tensor([0.0, 500.0]).double()
    expected = background(radius, flat, halo, torch.tensor([8.0, 8.0]).double())
    torch.testing.assert_close(expected[0], torch.full_like(expected[0], 0.1))
    assert expected[1].sum().item() == pytest.approx(500, rel=0.005)
    assert (expected[1, 100, 108] / expected[1, 100, 116]).item() == pytest.approx(math.e)


def test_blur_of_a_point_is_a_gaussian_of_the_same_sum() -> None:
    pattern = torch.zeros(2, 33, 31, dtype=torch.float64)
    pattern[:, 16, 15] = 10
    blurred = blur(pattern, torch.tensor([0.0, 2.0], dtype=torch.float64))
    torch.testing.assert_close(blurred[0], pattern[0])
    assert blurred[1].sum().item() == pytest.approx(10, rel=1e-6)
    y = torch.arange(33, dtype=torch.float64) - 16
    variance = (blurred[1].sum(1) * y**2).sum() / 10
    assert variance.item() == pytest.approx(4, rel=1e-6)
    assert (blurred[1, 16, 15] / blurred[1, 18, 15]).item() == pytest.approx(math.exp(0.5))


def test_blur_keeps_a_flat_pattern_flat_to_the_edge() -> None:
    torch.testing.assert_close(blur(torch.ones(1, 9, 12), torch.tensor([1.5])), torch.ones(1, 9, 12))
    torch.testing.assert_close(blur_matrix(9, torch.tensor([1.5])).sum(2), torch.ones(1, 9))


def test_gain_tilt_is_one_in_the_middle_and_never_negative() -> None:
    gain = gain_tilt((5, 7), torch.tensor([[0.2, -0.1], [3.0, 0.0]]))
    torch.testing.assert_close(gain[:, 2, 3], torch.ones(2))
    assert gain[0, 4, 3].item() == pytest.approx(1.2)
    assert gain[0, 2, 6].item() == pytest.approx(0.9)
    assert (gain > 0).all()


@pytest.mark.parametrize("angle", [0.0, 0.7, math.pi / 2])
def test_streak_holds_its_photons_and_points_where_it_says(angle: float) -> None:
    centre = torch.tensor([[150.0, 150.0]], dtype=torch.float64)
    one = torch.ones(1, dtype=torch.float64)
    light = streaks((301, 301), centre, angle * one, 100 * one, 1.5 * one)[0]
    assert light.sum().item() == pytest.approx(100, rel=0.01)
    on = light[150 + round(20 * math.sin(angle)), 150 + round(20 * math.cos(angle))]
    off = light[150 + round(20 * math.cos(angle)), 150 - round(20 * math.sin(angle))]
    assert on > 1e6 * off
