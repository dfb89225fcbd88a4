import pytest
import torch

from spi_lightning.baselines.vectors import AngularVectors
from spi_lightning.errors import UserError


def rings(size: int = 64, ripple: float = 0.0, order: int = 2, photons: float = 2e4, seed: int = 0) -> torch.Tensor:
    """A noisy pattern of a sphere (1, H, W), its intensity times 1 + ripple cos(order theta)."""
    y, x = torch.meshgrid(*(torch.arange(size) - (size - 1) / 2,) * 2, indexing="ij")
    radius, angle = torch.hypot(y, x) * 64 / size, torch.atan2(y, x)
    intensity = torch.sinc(radius / 18).square() * torch.exp(-radius / 30) + 2e-4
    expected = intensity * (1 + ripple * torch.cos(order * angle))
    return torch.poisson(photons * expected / expected.sum(), torch.Generator().manual_seed(seed))[None]


def whole(pattern: torch.Tensor) -> torch.Tensor:
    return torch.ones(pattern.shape[-2:], dtype=torch.bool)


def apart(first: torch.Tensor, second: torch.Tensor) -> float:
    return float((first - second).norm())


def test_one_vector_of_one_type_for_each_pattern() -> None:
    photons = torch.cat([rings(), rings(ripple=0.5)])
    vectors = AngularVectors(rings=10, orders=2)(photons.double(), whole(photons))
    assert vectors.shape == (2, 10 * 2 + 10 + 1) and vectors.dtype == torch.float32


@pytest.mark.parametrize("size", [64, 65])
def test_a_quarter_turn_changes_nothing(size: int) -> None:
    pattern = rings(size, ripple=0.5)
    describe = AngularVectors()
    torch.testing.assert_close(
        describe(pattern, whole(pattern)), describe(pattern.rot90(1, (-2, -1)), whole(pattern)), atol=1e-4, rtol=0
    )


def test_any_turn_changes_less_than_noise_does() -> None:
    y, x = torch.meshgrid(*(torch.arange(64) - 31.5,) * 2, indexing="ij")
    radius, angle = torch.hypot(y, x), torch.atan2(y, x)
    turned = [torch.exp(-radius / 10) * (1 + 0.5 * torch.cos(2 * (angle - turn))) * 100 for turn in (0.0, 0.3, 1.0)]
    photons = torch.stack(turned)
    noisy = torch.poisson(photons[0], torch.Generator().manual_seed(0))
    first, second, third, other = AngularVectors()(torch.cat([photons, noisy[None]]), whole(photons))
    assert max(apart(first, second), apart(first, third)) < 0.5 * apart(first, other)


def test_a_gap_changes_less_than_noise_does_and_is_no_modulation() -> None:
    pattern = rings(128)
    gap = whole(pattern)
    gap[62:66], gap[60:68, 60:68] = False, False
    describe = AngularVectors()
    filled, masked = describe(pattern, whole(pattern)), describe(torch.where(gap, pattern, torch.nan), gap)
    clustered = describe(rings(128, ripple=0.5), gap)
    noise = apart(filled, describe(rings(128, seed=1), whole(pattern)))
    assert apart(filled, masked) < 0.7 * noise < 0.2 * apart(masked, clustered)


def test_a_mask_for_each_frame_is_the_same_as_one_for_all() -> None:
    photons = torch.cat([rings(), rings(ripple=0.3)])
    mask = whole(photons)
    mask[30:33] = False
    describe = AngularVectors()
    torch.testing.assert_close(describe(photons, mask), describe(photons, mask.expand(2, -1, -1)))


def test_a_masked_ring_takes_the_values_of_its_neighbour() -> None:
    pattern, hole = rings(), whole(rings())
    hole[22:42, 22:42] = False  # the first rings
    vectors = AngularVectors(rings=8, orders=1, inner=0.0)(pattern, hole)
    torch.testing.assert_close(vectors[:, 0:1], vectors[:, 1:2])
    torch.testing.assert_close(vectors[:, 8:9], vectors[:, 9:10])


@pytest.mark.parametrize("order", [2, 4])
def test_modulation_is_found_at_its_order_and_free_of_the_power_of_noise(order: int) -> None:
    ripple = 0.2
    photons = torch.cat([rings(ripple=ripple, order=order, photons=1e5, seed=s) for s in range(20)])
    describe = AngularVectors(rings=6, orders=2, outer=0.5)
    amplitude = describe(photons, whole(photons))[:, :12].view(20, 6, 2)
    level = describe(photons, whole(photons))[:, 12:18]
    relative = (amplitude / level[..., None]).square().mean(0).sqrt().mean(0)
    expected = torch.zeros(2)
    expected[order // 2 - 1] = ripple / 2  # of the square root of the intensity
    torch.testing.assert_close(relative, expected, atol=0.015, rtol=0)


def test_brightness_is_the_last_entry_alone() -> None:
    pattern = rings(photons=1e6)
    describe = AngularVectors(brightness=1.0)
    bright, dim = describe(pattern, whole(pattern))[0], describe(pattern / 4, whole(pattern))[0]
    assert float(bright[-1] - dim[-1]) == pytest.approx(torch.tensor(4.0).log().item(), abs=1e-5)
    assert apart(bright[:-1], dim[:-1]) < 0.05 * float(bright[:-1].norm())


def test_masked_and_empty_frames() -> None:
    photons = torch.zeros(2, 32, 32)
    mask = torch.ones(2, 32, 32, dtype=torch.bool)
    mask[1] = False
    empty, masked = AngularVectors()(photons, mask)
    assert empty.isfinite().all() and masked.isnan().all()


def test_the_beam_may_meet_the_detector_elsewhere() -> None:
    pattern = rings(65)
    moved = torch.roll(pattern, (3, -2), (-2, -1))
    describe, elsewhere = AngularVectors(outer=0.8), AngularVectors(outer=0.8, beam_centre=(35.0, 30.0))
    torch.testing.assert_close(describe(pattern, whole(pattern)), elsewhere(moved, whole(pattern)))


@pytest.mark.parametrize("options", [{"rings": 0}, {"orders": 0}, {"angles": 6}, {"inner": 0.5, "outer": 0.4}])
def test_options_out_of_range_are_named(options) -> None:
    with pytest.raises(UserError, match="vectors"):
        AngularVectors(**options)


def test_a_centre_far_outside_is_named() -> None:
    with pytest.raises(UserError, match=r"vectors\.beam_centre"):
        AngularVectors(beam_centre=(500.0, 500.0))(rings(), whole(rings()))
