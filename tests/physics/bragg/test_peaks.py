""""""

import torch

from spi_lightning.physics.bragg.peaks import find_parasitic_peaks
from spi_lightning.physics.twin import invert
from spi_lightning.simulate.volumes import VolumeSimulator, pattern_of

PEAK = (16, 16, 16)


def pattern(peak: float = 1e4) -> torch.Tensor:
    amplitude, phase = VolumeSimulator(size=32, object_size=16, block_size=1).particles(0, 0)
    intensity = pattern_of(amplitude, phase, 32)[0] ** 2
    return torch.poisson(peak * intensity / intensity.max(), generator=torch.Generator().manual_seed(0))


def test_a_strained_particle_alone_has_no_parasitic_peaks() -> None:
    found, notes = find_parasitic_peaks(pattern(), torch.ones(32, 32, 32, dtype=torch.bool), PEAK)
    assert not found.any()
    assert notes == []


def test_a_peak_without_partner_is_found_wherever_the_centre_lies() -> None:
    photons, everywhere = pattern(), torch.ones(32, 32, 32, dtype=torch.bool)
    photons[25:27, 5:7, 24:26] += 2000
    found, notes = find_parasitic_peaks(photons, everywhere, PEAK)
    assert found[25:27, 5:7, 24:26].all()
    assert not (found & invert(found, 3)).any()
    assert found.sum() < 2000
    assert len(notes) == 1
    moved, _ = find_parasitic_peaks(photons.roll((2, -1, 0), (0, 1, 2)), everywhere, (18, 15, 16))
    assert torch.equal(moved[8:24, 8:24, 8:24], found.roll((2, -1, 0), (0, 1, 2))[8:24, 8:24, 8:24])


def test_what_was_not_measured_is_not_judged() -> None:
    photons, mask = pattern(), torch.ones(32, 32, 32, dtype=torch.bool)
    photons[25:27, 5:7, 24:26] += 2000
    mask[4:10, 23:30, 4:10] = False  # the partner's place
    assert not find_parasitic_peaks(torch.where(mask, photons, 0), mask, PEAK)[0].any()
