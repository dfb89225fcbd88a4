"""The point spread of partial coherence."""

import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.physics.partial_coherence import (
    LARGEST_SPREAD,
    blurred_amplitude,
    blurred_intensity,
    point_spread_envelope,
    require_width,
    slopes_of_envelope,
)

WIDTHS = torch.tensor([[0.0, 0.3, 0.9], [LARGEST_SPREAD, 0.5, 0.1]], dtype=torch.float64)


def kernel() -> torch.Tensor:
    """Point spreads (2, 9, 10, 11) about the middle."""
    point = torch.zeros(2, 9, 10, 11, dtype=torch.float64)
    point[:, 4, 5, 5] = 1
    return blurred_intensity(point, point_spread_envelope(WIDTHS, (9, 10, 11)))


def test_it_is_a_density_of_the_requested_widths() -> None:
    spread = kernel()
    assert spread.min() > -1e-15
    torch.testing.assert_close(spread.flatten(1).sum(1), torch.ones(2, dtype=torch.float64))
    for axis, (n, middle) in enumerate(((9, 4), (10, 5), (11, 5))):
        others = [other + 1 for other in range(3) if other != axis]
        distance = torch.arange(n) - middle
        along = spread.sum(others)
        torch.testing.assert_close((along * distance).sum(1), torch.zeros(2, dtype=torch.float64))
        torch.testing.assert_close((along * distance.square()).sum(1), WIDTHS[:, axis].square())


def test_the_envelope_of_a_point_spread_is_close_to_a_gaussian() -> None:
    width = torch.tensor([[0.6]], dtype=torch.float64)
    envelope = point_spread_envelope(width, (64,))[0]
    frequency = torch.fft.fftfreq(64, dtype=torch.float64)
    gaussian, low = torch.exp(-2 * (torch.pi * 0.6 * frequency) ** 2), frequency.abs() <= 0.2
    torch.testing.assert_close(envelope[low], gaussian[low], atol=0.03, rtol=0)


def test_real_and_imaginary_part_are_blurred_apart() -> None:
    generator = torch.Generator().manual_seed(0)
    one, two = torch.rand(2, 2, 9, 10, 11, generator=generator, dtype=torch.float64)
    envelope = point_spread_envelope(WIDTHS, (9, 10, 11))
    both = blurred_intensity(torch.complex(one, two), envelope)
    torch.testing.assert_close(both.real, blurred_intensity(one, envelope))
    torch.testing.assert_close(both.imag, blurred_intensity(two, envelope))


@pytest.mark.parametrize("axis", range(3))
def test_slopes_agree_with_differences(axis: int) -> None:
    change = torch.zeros_like(WIDTHS[1:])
    change[0, axis] = 1e-6
    square = WIDTHS[1:].square() * 0.9 + 0.01
    more, less = (point_spread_envelope((square + sign * change).sqrt(), (9, 10, 11)) for sign in (1, -1))
    expected = (more.log() - less.log()) / 2e-6
    found = slopes_of_envelope(square.sqrt(), (9, 10, 11))[axis]
    torch.testing.assert_close(found.expand_as(expected), expected, rtol=1e-6, atol=1e-8)


def test_amplitudes_are_blurred_as_intensities_and_widths_are_checked() -> None:
    amplitude = torch.rand(2, 9, 10, 11, dtype=torch.float64)
    blurred = blurred_amplitude(amplitude, WIDTHS)
    torch.testing.assert_close(blurred.square().sum(), amplitude.square().sum())
    assert blurred_amplitude(amplitude, None) is amplitude
    assert require_width(None, "x") is None and require_width(0.5, "x") == 0.5
    for wrong in (-0.1, 3, "abc", float("nan")):
        with pytest.raises(UserError, match=r"polish.point_spread=.*pixels from 0 to 1.39"):
            require_width(wrong, "polish.point_spread")
