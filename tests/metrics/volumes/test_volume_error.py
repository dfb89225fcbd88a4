"""Errors of particles, and what not telling the twins apart costs."""

import pytest
import torch

from spi_lightning.losses import relative_rms
from spi_lightning.metrics import (
    PatternMean,
    VolumeMetrics,
    aligned_density_error,
    twin_floor,
    twin_target,
)
from spi_lightning.physics.agreement import held_out_chi_square
from spi_lightning.physics.fourier import fourier
from spi_lightning.simulate.particles.phase_field import PhaseRecipe
from spi_lightning.simulate.particles.superellipsoid import SuperellipsoidRecipe
from spi_lightning.simulate.volumes import VolumeSimulator, embed, pattern_of


@pytest.mark.parametrize(("voxels", "lowest", "highest"), [(2, 0.060, 0.080), (4, 0.068, 0.094), (8, 0.062, 0.094)])
def test_floor_of_eq_6_is_the_known_one(voxels: int, lowest: float, highest: float) -> None:
    """Particles that fill their box; in smaller ones a long phase is nearly linear, which the twin does not change."""
    phase = PhaseRecipe(correlation=(voxels / 32, voxels / 32))
    body = SuperellipsoidRecipe(half_axes=(0.9, 1.0), exponents=(0.5, 1.0))
    simulator = VolumeSimulator(body, phase, block_size=12, size=64, object_size=32)
    floor = twin_floor(*(values[:, None] for values in simulator.particles(0, seed=4))).mean().item()
    assert lowest < floor < highest


def test_twins_have_one_pattern_and_no_answer_is_below_their_floor() -> None:
    simulator = VolumeSimulator(block_size=3, size=16, object_size=8)
    amplitude, phase = (values[:, None].double() for values in simulator.particles(0, seed=4))
    other = twin_target(amplitude, phase)
    torch.testing.assert_close(pattern_of(*other, 16), pattern_of(amplitude, phase, 16), rtol=0, atol=1e-9)
    for back, original in zip(twin_target(*other), (amplitude, phase), strict=True):
        torch.testing.assert_close(back, original)
    floor = twin_floor(amplitude, phase)
    for share in (0.0, 0.3, 0.5, 1.0):
        answer = [share * one + (1 - share) * two for one, two in zip((amplitude, phase), other, strict=True)]
        costs = [
            (relative_rms(answer[0], target[0]) + relative_rms(answer[1], target[1])) / 3
            for target in ((amplitude, phase), other)
        ]
        assert ((costs[0] + costs[1]) / 2 > 0.97 * floor).all()


def test_metrics_see_either_twin() -> None:
    simulator = VolumeSimulator(block_size=3, size=16, object_size=8)
    amplitude, phase = (values[:, None] for values in simulator.particles(0, seed=4))
    pattern, metrics = pattern_of(amplitude, phase, 16)[:, 0], VolumeMetrics()
    mask = torch.ones_like(pattern, dtype=torch.bool)
    metrics.update(twin_target(amplitude, phase), (amplitude, phase), pattern, pattern, mask)
    numbers = metrics.compute()
    assert numbers["eq_6"] > 0.1 and numbers["eq_6_either_twin"] < 1e-6 and numbers["chi_square"] < 1e-12
    assert numbers["twin_floor"] == pytest.approx(twin_floor(amplitude, phase).mean().item())
    metrics.reset()
    metrics.update((amplitude, phase), (amplitude, phase), 2 * pattern, pattern, mask)
    assert metrics.compute()["eq_6"] < 1e-6


def test_aligned_error_forgives_what_a_pattern_cannot_tell() -> None:
    simulator = VolumeSimulator(block_size=2, size=16, object_size=8)
    truth = embed(torch.polar(*simulator.particles(0, seed=4)).to(torch.complex128), 16)
    moved = (
        3 * torch.polar(torch.ones(()), torch.tensor(0.7)) * truth.flip((1, 2, 3)).conj().roll((1, -2, 1), (1, 2, 3))
    )
    assert (aligned_density_error(moved, truth) < 1e-6).all()
    noise = torch.randn_like(truth)
    noise *= 0.1 * truth.flatten(1).norm(dim=1).view(-1, 1, 1, 1) / noise.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    assert ((aligned_density_error(truth + noise, truth) - 0.1).abs() < 0.01).all()


def test_a_mean_over_patterns_does_not_depend_on_the_batching() -> None:
    values, whole, parts = torch.rand(5), PatternMean(), PatternMean()
    whole.update(values)
    for rows in (slice(0, 2), slice(2, 5)):
        parts.update(values[rows])
    assert whole.compute() == parts.compute()


def test_held_out_voxels_are_judged_at_the_scale_of_the_fitted_ones() -> None:
    density = torch.randn(2, 6, 6, 6, dtype=torch.complex128)
    measured, held = fourier(density, ndim=3).abs(), torch.rand(2, 6, 6, 6) < 0.2
    predicted = torch.where(held, 1.5, 1.0) * 4 * measured
    values = held_out_chi_square(predicted, measured, ~held, held)
    assert values.tolist() == pytest.approx([0.25, 0.25])
