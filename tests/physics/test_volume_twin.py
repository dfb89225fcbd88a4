import pytest
import torch

from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.volume_twin import (
    canonical,
    canonical_amplitude_phase,
    centre,
    invert,
    is_twin,
    twin,
)


def particles(count: int = 6, size: int = 12, phase_range: float = 1.0) -> torch.Tensor:
    """Lopsided blobs with smooth phases, away from the border."""
    generator = torch.Generator().manual_seed(3)
    amplitude = torch.zeros(count, size, size, size)
    amplitude[:, 3:9, 4:9, 3:8] = 0.2 + torch.rand(count, 6, 5, 5, generator=generator)
    phase = phase_range * torch.rand(count, size, size, size, generator=generator)
    return torch.polar(amplitude, torch.where(amplitude > 0, phase, 0.0))


@pytest.mark.parametrize("size", [12, 13])
def test_twins_share_their_pattern_and_inverting_twice_changes_nothing(size: int) -> None:
    density = particles(size=size)
    assert torch.equal(invert(invert(density)), density)
    torch.testing.assert_close(fourier(twin(density), 3).abs(), fourier(density, 3).abs())


@pytest.mark.parametrize("phase_range", [1.0, 6.0])
def test_rule_chooses_the_same_of_all_that_share_a_pattern(phase_range: float) -> None:
    density = particles(phase_range=phase_range)
    expected = canonical(density)
    for other in (twin(density), density.roll((1, -2, 2), (1, 2, 3)), twin(density).roll((2, 1, 0), (1, 2, 3))):
        torch.testing.assert_close(canonical(other).abs(), expected.abs())
    turned = canonical(density * torch.polar(torch.tensor(1.0), torch.tensor(2.0)))
    torch.testing.assert_close(turned.abs(), expected.abs())


def test_exactly_one_of_two_twins_is_meant_also_without_a_phase() -> None:
    for density in (centre(particles()), centre(particles()).abs(), centre(particles()).abs() + 0j):
        assert (is_twin(density) ^ is_twin(twin(density))).all()


def test_amplitude_and_phase_apart_agree_with_the_density() -> None:
    amplitude = torch.zeros(4, 9, 9, 9)
    amplitude[:, 2:7, 2:7, 2:7] = 1.0
    phase = torch.where(amplitude > 0, torch.rand(4, 9, 9, 9), 0.0)
    span = phase.flatten(1).amax(1)
    first = canonical_amplitude_phase(amplitude, phase, span)
    turned = torch.where(amplitude > 0, span[:, None, None, None] - invert(phase), 0.0)
    second = canonical_amplitude_phase(invert(amplitude), turned, span)
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other)
    assert not is_twin(torch.polar(*first)).any()
