from pathlib import Path

import hydra
import pytest
import torch
from omegaconf import OmegaConf

from spi_lightning.errors import UserError
from spi_lightning.fields import AMPLITUDE, INTENSITY, MASK, PHASE
from spi_lightning.physics.twin import is_canonical, twin
from spi_lightning.simulate.volumes import VolumeNoise, VolumeSimulator, embed, pattern_of

NOISY = VolumeNoise(peak_photons=(1e2, 1e5), background=(0.1, 0.2), parasitic_peaks=(1, 2), gap=(2.0, 3.0))


def simulator(**options: object) -> VolumeSimulator:
    return VolumeSimulator(**{"size": 16, "object_size": 8, "block_size": 6, **options})  # type: ignore[arg-type]


def test_patterns_conserve_the_squares() -> None:
    amplitude, phase = simulator().particles(0, 0)
    pattern = pattern_of(amplitude, phase, 16)
    torch.testing.assert_close((pattern**2).sum((1, 2, 3)), (amplitude**2).sum((1, 2, 3)))


def test_twin_and_padding_leave_the_pattern_alone() -> None:
    amplitude, phase = simulator().particles(0, 0)
    density = torch.polar(amplitude, phase)
    other = twin(density, 3)
    torch.testing.assert_close(
        pattern_of(other.abs(), other.angle(), 16), pattern_of(amplitude, phase, 16), atol=1e-5, rtol=1e-5
    )
    assert embed(torch.ones(3, 5, 4), 8)[4, 4, 4] == 1
    assert embed(torch.ones(3, 5, 4), 8).sum() == 60
    with pytest.raises(UserError, match="do not fit"):
        embed(torch.ones(9, 9, 9), 8)


def test_targets_are_of_one_twin_by_default() -> None:
    fixed, free = (
        torch.cat([is_canonical(torch.polar(*simulator(twin=twin).particles(block, 0)), 3) for block in range(4)])
        for twin in (True, False)
    )
    assert fixed.all()
    assert 0 < free.sum() < len(free)
    assert "n // 2" in simulator().rule
    assert "either" in simulator(twin=False).rule


def test_blocks_repeat_and_differ() -> None:
    first, again, other = (simulator(noise=NOISY)(block, seed=1) for block in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first[PHASE], other[PHASE])


def test_noise_counts_up_to_its_peak_and_gaps_hold_nothing() -> None:
    noise = VolumeNoise(peak_photons=(1e4, 1e4), gap=(3.0, 3.0))
    drawn = simulator(noise=noise)(0, 0)
    counts, mask = drawn[INTENSITY], drawn[MASK]
    assert (counts == counts.round()).all()
    assert (counts[~mask] == 0).all()
    assert 0.5 < mask.float().mean() < 0.9
    whole = simulator(noise=VolumeNoise(peak_photons=(1e4, 1e4)))(0, 0)[INTENSITY]
    assert (whole.flatten(1).amax(1) - 1e4).abs().max() < 500


def test_parasitic_peaks_and_background_add_photons_where_they_belong() -> None:
    expected = torch.zeros(5, 16, 16, 16)
    expected[:, 8, 8, 8] = 100
    noise = VolumeNoise(peak_photons=(100, 100), background=(2, 2), parasitic_peaks=(1, 1), parasitic_share=(0.5, 0.5))
    spoilt = noise.spoil(expected.clone(), torch.Generator().manual_seed(0)) - expected
    assert spoilt.min() >= 2
    assert (spoilt.flatten(1).amax(1) > 20).all()
    assert (spoilt[:, 8, 8, 8] < 30).all()


def test_partial_coherence_fills_the_minima() -> None:
    plain, blurred = (
        simulator(noise=VolumeNoise(peak_photons=(1e6, 1e6), point_spread=(width, width)))(0, 0)[INTENSITY].flatten(1)
        for width in (0.0, 0.8)
    )
    assert (blurred.quantile(0.2, 1) > plain.quantile(0.2, 1)).all()
    moved = simulator(noise=VolumeNoise(point_spread=(0.8, 0.8)))(0, 0)
    torch.testing.assert_close(moved[INTENSITY].flatten(1).sum(1), moved[AMPLITUDE].square().flatten(1).sum(1))
    with pytest.raises(UserError, match="point_spread"):
        VolumeNoise(point_spread=(0, 3))


def test_noise_free_blocks_hold_particles_only() -> None:
    assert set(simulator()(0, 0)) == {AMPLITUDE, PHASE}
    with pytest.raises(UserError, match="peak_photons"):
        VolumeNoise(background=(0, 1))
    with pytest.raises(UserError, match="larger"):
        simulator(object_size=20)


@pytest.mark.parametrize("name", ["wu_particles", "crystals"])
def test_the_config_draws_particles(name: str) -> None:
    config = OmegaConf.load(Path(__file__).parents[2] / "conf" / "simulate" / f"{name}.yaml")
    made = hydra.utils.instantiate(config, size=16, object_size=8, block_size=2)
    amplitude, phase = made.particles(0, 0)
    assert amplitude.shape == phase.shape == (2, 8, 8, 8)
