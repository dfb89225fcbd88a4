"""None"""

import warnings

import pytest
import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.phasing import align, phase, random_phases, with_phase_noise
from spi_lightning.phasing.checks import centre_notes
from spi_lightning.physics.agreement import fourier_error
from spi_lightning.physics.fourier import fourier
from tests.phasing.particles import particle


def away(found: Tensor, density: Tensor) -> Tensor:
    """Relative distance of every start, (B,)."""
    return (found - density).flatten(1).norm(dim=1) / density.norm()


def amplitude_of(density: Tensor) -> Tensor:
    return fourier(density, density.ndim).abs()[None]


@pytest.mark.parametrize(
    ("size", "ndim", "constraint"),
    [
        (32, 2, "positive"),
        (31, 2, "positive"),
        (32, 2, "real"),
        (28, 2, "complex"),
        (16, 3, "positive"),
        (15, 3, "complex"),
    ],
)
def test_particles_are_recovered_from_random_phases(size: int, ndim: int, constraint: str) -> None:
    density, support = particle(size, ndim, complex_=constraint == "complex")
    found = phase(amplitude_of(density), None, "500*HIO(0.9)", constraint, support, starts=4, seed=1)
    aligned = found.density if constraint == "positive" else align(found.density, density)
    assert float(away(aligned, density).min()) < 1e-3
    assert found.density.dtype == density.dtype
    assert found.error.shape == (500, 4)


def test_a_long_positive_line_is_recovered_in_one_dimension_when_started_near() -> None:
    density = torch.zeros(64, dtype=torch.float64)
    density[25:40] = torch.rand(15, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.1
    start = density + 0.05 * torch.randn(64, generator=torch.Generator().manual_seed(1)) * (density > 0)
    found = phase(amplitude_of(density), None, "2000*HIO", support=density > 0, start=start)
    assert float(away(found.density, density)) < 1e-6


@pytest.mark.parametrize("recipe", ["500*difference_map", "400*difference_map(0.8)", "400*RAAR(0.9)"])
def test_other_algorithms_recover_too(recipe: str) -> None:
    density, support = particle(32, 2)
    found = phase(amplitude_of(density), None, recipe, support=support, starts=4)
    assert float(away(found.density, density).min()) < 1e-4


def test_error_reduction_never_increases_its_error_in_the_engine() -> None:
    density, support = particle(32, 2)
    error = phase(amplitude_of(density), None, "100*ER", support=support, starts=6).error
    assert float((error[1:] - error[:-1]).max()) < 1e-6


@pytest.mark.parametrize("recipe", ["60*HIO", "60*RAAR", "60*difference_map", "60*ER", "60*charge_flipping(0.1)"])
def test_the_error_bounds_that_of_the_density_returned(recipe: str) -> None:
    density, support = particle(32, 2)
    amplitude = amplitude_of(density)
    found = phase(amplitude, None, recipe, support=support, starts=3)
    exact = fourier_error(found.density, amplitude)
    if recipe == "60*ER":
        assert bool((exact <= found.error[-1] + 1e-6).all())
    else:  # the density returned is that of the iterate after the last update, the error is from before
        assert bool((exact <= 1.5 * found.error[-1]).all())
    assert bool((found.density[~found.support] == 0).all())


def test_unmeasured_pixels_float_and_the_density_is_found_all_the_same() -> None:
    density, support = particle(32, 2)
    amplitude = amplitude_of(density)
    mask = torch.ones(32, 32, dtype=torch.bool)
    mask[15:18, 15:18] = False  # the centre, behind a beamstop
    mask[:, 24:26] = False
    amplitude[:, ~mask] = torch.nan
    found = phase(amplitude, mask, "600*HIO(0.9)", support=support, starts=4)
    assert float(away(found.density, density).min()) < 1e-3
    zeroed = phase(torch.where(mask, amplitude, 0), None, "600*HIO(0.9)", support=support, starts=4)
    assert float(away(zeroed.density, density).min()) > 0.1, "zeros that count as measured must not do as well"


def test_starts_do_not_depend_on_their_company() -> None:
    density, support = particle(24, 2)
    amplitude = amplitude_of(density)
    many = phase(amplitude, None, "20*HIO", support=support, starts=4, seed=3)
    few = phase(amplitude, None, "20*HIO", support=support, starts=2, seed=3)
    torch.testing.assert_close(many.density[:2], few.density, atol=1e-4, rtol=1e-4)
    pair = phase(amplitude.expand(2, -1, -1), None, "20*HIO", support=support, starts=2, seed=3)
    torch.testing.assert_close(pair.density[:2], few.density, atol=1e-4, rtol=1e-4)
    assert float(away(pair.density[2:3], pair.density[0])) > 0.01, "another pattern starts with other phases"


def test_every_start_may_have_its_own_support_and_start() -> None:
    density, support = particle(24, 2)
    other = torch.roll(support, 2, 0)
    found = phase(amplitude_of(density), None, "10*ER", support=torch.stack([support, other]), starts=2)
    assert bool((found.density[0][~support] == 0).all() and (found.density[1][~other] == 0).all())
    begun = phase(
        amplitude_of(density), None, "1*ER", support=support, start=torch.stack([density, 0 * density + 1]), starts=2
    )
    torch.testing.assert_close(begun.density[0], density, atol=1e-5, rtol=0)
    assert float(away(begun.density[1:], density)) > 0.1


def test_a_copy_is_refined_and_the_iterate_left_alone() -> None:
    density, support = particle(24, 2)
    arguments = {"mask": None, "support": support, "starts": 2}
    plain = phase(amplitude_of(density), recipe="30*HIO", **arguments)
    copied = phase(amplitude_of(density), recipe="3*(5*HIO + refine(4*ER)) + 15*HIO", **arguments)
    mixed = phase(amplitude_of(density), recipe="3*(5*HIO + 4*ER) + 15*HIO", **arguments)
    assert torch.equal(copied.density, plain.density)
    assert torch.equal(copied.error[:5], plain.error[:5])
    assert float(away(mixed.density[:1], plain.density[0])) > 1e-3
    ended = phase(amplitude_of(density), recipe="5*HIO + refine(4*ER)", **arguments)
    torch.testing.assert_close(ended.density, phase(amplitude_of(density), recipe="5*HIO + 4*ER", **arguments).density)


def test_a_shrinkwrap_finds_the_support_from_the_autocorrelation() -> None:
    density, support = particle(32, 2)
    density = density + 0.4 * support
    recipe = "20*(40*HIO(0.9) + 10*ER) + 50*ER + shrinkwrap(2.0, 0.15, decay=0.97, last_sigma=0.8)/10"
    found = phase(amplitude_of(density), None, recipe, starts=8, seed=2)
    best = int(found.error[-1].argmin())
    assert float(found.support[best].sum()) < 2 * float(support.sum())
    assert float(away(align(found.density, density), density)[best]) < 0.1


def test_the_support_of_a_copy_is_kept() -> None:
    density, _ = particle(24, 2)
    loose = torch.zeros(24, 24, dtype=torch.bool)
    loose[5:19, 5:19] = True
    found = phase(amplitude_of(density), None, "5*HIO + refine(5*ER + shrinkwrap(1, 0.2)/10) + 5*HIO", support=loose)
    assert 0 < int(found.support.sum()) < int(loose.sum())


def test_progress_sees_every_update() -> None:
    density, support = particle(16, 2)
    visited: list[tuple[int, int]] = []
    phase(
        amplitude_of(density),
        None,
        "3*ER + 2*HIO",
        support=support,
        starts=2,
        progress=lambda k, n, e: visited.append((k, len(e))),
    )
    assert visited == [(k, 2) for k in range(1, 6)]


def test_it_stops_when_all_starts_are_good_enough() -> None:
    density, support = particle(24, 2)
    found = phase(amplitude_of(density), None, "5000*HIO", support=support, starts=2, stop_below=1e-3)
    assert 50 <= len(found.error) < 2000
    assert len(found.error) % 50 == 0
    assert float(found.error[-1].max()) < 1e-3 < float(found.error[-51].max())


def test_float64_goes_below_float32() -> None:
    density, support = particle(24, 2)
    density = density.double()
    found = phase(amplitude_of(density), None, "700*HIO", support=support, starts=3)
    assert found.density.dtype == torch.float64
    assert float(away(found.density, density).min()) < 1e-10


def test_the_scale_of_the_amplitudes_is_kept() -> None:
    density, support = particle(24, 2)
    for scale in (1e-12, 1e12):
        found = phase(amplitude_of(density) * scale, None, "300*HIO", support=support, starts=3)
        assert float(away(found.density / scale, density).min()) < 1e-3


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda a: a[0].index_put_((torch.tensor(3), torch.tensor(4)), torch.tensor(torch.nan)), "1 NaN or infinite"),
        (lambda a: a.neg_(), "negative values"),
        (lambda a: a.zero_(), "nothing to phase"),
    ],
)
def test_spoilt_amplitudes_are_refused(spoil: object, says: str) -> None:
    amplitude = torch.rand(1, 8, 8) + 0.1
    spoil(amplitude)  # type: ignore[operator]
    with pytest.raises(UserError, match=f"pattern 0.*{says}"):
        phase(amplitude, None, "ER")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"support": torch.ones(16, 16, dtype=torch.bool)}, "oversampling 1.00 .* is below 2"),
        ({"support": torch.zeros(16, 16, dtype=torch.bool)}, "support: it is empty"),
        ({"support": torch.ones(8, 8, dtype=torch.bool)}, r"support: shape \(8, 8\) does not fit"),
        ({"start": torch.ones(3, 16, 16)}, r"start: shape \(3, 16, 16\) does not fit"),
        ({"mask": torch.ones(9, 16, dtype=torch.bool)}, r"mask: shape \(9, 16\)"),
        ({"constraint": "Positive"}, "constraint='Positive'"),
        ({"starts": 0}, "starts=0"),
        ({"ndim": 3}, "fourier_amplitude: shape"),
        ({"recipe": "5*ERR"}, "character 3"),
    ],
)
def test_mistakes_are_named(options: dict[str, object], says: str) -> None:
    with pytest.raises(UserError, match=says):
        phase(torch.rand(1, 16, 16) + 0.1, **{"mask": None, "recipe": "ER", **options})  # type: ignore[arg-type]


def test_a_loose_support_is_taken_when_a_shrinkwrap_moves_it_or_the_user_says_so() -> None:
    density, _ = particle(16, 2)
    everywhere = torch.ones(16, 16, dtype=torch.bool)
    phase(amplitude_of(density), None, "5*ER + shrinkwrap/5", support=everywhere)
    phase(amplitude_of(density), None, "5*ER", support=everywhere, least_oversampling=1)


def test_a_support_smaller_than_the_particle_is_noticed() -> None:
    density, support = particle(32, 2)
    small = support.clone()
    small[:14] = False
    with pytest.warns(UserWarning, match=r"iterates .* stays at 0\.\d+; the support may be smaller"):
        found = phase(amplitude_of(density), None, "200*HIO + 50*ER", support=small, starts=3)
    assert len(found.notes) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not phase(amplitude_of(density), None, "200*HIO + 50*ER", support=support, starts=3).notes


def test_a_centre_that_is_off_is_found_and_reported() -> None:
    density, support = particle(48, 2)
    amplitude = torch.roll(amplitude_of(density), (3, -2), (1, 2))
    with pytest.warns(UserWarning, match=r"centre is at row 27\.0, column 22\.0, 3\.6 pixels from n // 2 = \(24, 24\)"):
        phase(amplitude, None, "2*ER", support=support)
    assert not centre_notes(amplitude_of(density), torch.ones(1, 48, 48, dtype=torch.bool))


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("shape", [(15,), (12, 13), (6, 7, 8)])
def test_random_phases_keep_amplitudes_and_each_start_its_seed(shape: tuple[int, ...], real: bool) -> None:
    amplitude = fourier(torch.rand(2, *shape, generator=torch.Generator().manual_seed(0)), len(shape)).abs()
    density = random_phases(amplitude, len(shape), 3, seed=5, real=real)
    assert density.is_complex() != real
    torch.testing.assert_close(fourier(density, len(shape)).abs(), amplitude[:, None].expand(density.shape))
    torch.testing.assert_close(random_phases(amplitude, len(shape), 2, seed=5, real=real), density[:, :2])
    other = random_phases(amplitude, len(shape), 3, seed=6, real=real)
    assert float((other - density).norm() / density.norm()) > 0.5


def test_phases_are_uniform() -> None:
    angle = fourier(random_phases(torch.ones(1, 64, 64), 2, 4, seed=0, real=True), 2).angle()
    shares = torch.histc(angle, 8, -torch.pi, torch.pi) / angle.numel()
    torch.testing.assert_close(shares, torch.full((8,), 1 / 8), atol=0.01, rtol=0)


@pytest.mark.parametrize("complex_", [False, True])
def test_phase_noise_has_its_standard_deviation(complex_: bool) -> None:
    density, _ = particle(32, 2, complex_=complex_)
    noisy = with_phase_noise(density[None], 2, 0.5, starts=4, seed=1)
    assert noisy.dtype == density.dtype
    spectrum, moved = fourier(density, 2), fourier(noisy, 2)
    torch.testing.assert_close(moved.abs(), spectrum.abs().expand(moved.shape), atol=1e-4, rtol=1e-4)
    turned = (moved * spectrum.conj()).angle()
    assert float(turned.std()) == pytest.approx(0.5, abs=0.02)
    assert torch.equal(with_phase_noise(density[None], 2, 0.0, 1, 0).abs() > 1e-3, (density.abs() > 1e-3)[None, None])
