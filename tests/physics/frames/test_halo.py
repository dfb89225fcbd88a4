import pytest
import torch

from spi_lightning.physics.frames.halo import brightest_halo, photons_near, ring_contrast
from spi_lightning.physics.frames.sphere_fit import sphere_amplitude

SIZE, CENTRE, FLAT = 96, torch.tensor([45.0, 50.0]), 0.02
Y, X = (torch.arange(SIZE) - at for at in CENTRE)
RADIUS = torch.hypot(Y[:, None], X[None, :])
MASK = (RADIUS > 2) & (Y[:, None] != 7)


def brightness(frames: int, middle: float, spread: float, generator: torch.Generator) -> torch.Tensor:
    return (middle * torch.exp(spread * torch.randn(frames, generator=generator)))[:, None, None]


def halos(frames: int, photons: float = 250.0, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    length = 8 + 8 * torch.rand(frames, 1, 1, generator=generator)
    form = torch.exp(-RADIUS / length)
    expected = form / form.sum((1, 2), keepdim=True) * brightness(frames, photons, 0.4, generator)
    return torch.poisson((expected + FLAT) * MASK, generator=generator)


def pairs(frames: int, photons: float, spread: float, seed: int = 1) -> torch.Tensor:
    """Two spheres side by side: fringes of eight pixels within rings."""
    generator = torch.Generator().manual_seed(seed)
    turn = torch.pi * torch.rand(frames, 1, 1, generator=generator)
    along = Y[:, None] * turn.cos() + X[None, :] * turn.sin()
    form = sphere_amplitude(RADIUS, torch.tensor(1 / 12)) ** 2 * (1 + torch.cos(2 * torch.pi * along / 8)) * MASK
    expected = form / form.sum((1, 2), keepdim=True) * brightness(frames, photons, spread, generator)
    return torch.poisson((expected + FLAT) * MASK, generator=generator)


def limit(photons: torch.Tensor) -> float:
    return brightest_halo(photons, MASK, CENTRE, torch.full((len(photons),), FLAT))


@pytest.mark.parametrize("blanks", [20, 80, 180])
def test_frames_with_a_halo_alone_lie_below_the_limit_and_hits_above(blanks: int) -> None:
    frames = torch.cat([halos(blanks), pairs(60, 8000.0, 0.7)])
    near = photons_near(frames, MASK, CENTRE, torch.full((len(frames),), FLAT))
    found = limit(frames)
    assert near[:blanks].max() < found < near[blanks:].min()


def test_where_all_frames_are_halos_all_lie_below_the_limit() -> None:
    frames = halos(150)
    assert photons_near(frames, MASK, CENTRE, torch.full((150,), FLAT)).max() < limit(frames)


@pytest.mark.parametrize("photons", [150.0, 1000.0, 30000.0])
def test_hits_alone_are_no_halos(photons: float) -> None:
    assert limit(pairs(120, photons, 0.4)) == 0
    rings = sphere_amplitude(RADIUS, torch.tensor(1 / 12)) ** 2 * MASK
    assert limit(torch.poisson((rings / rings.sum() * photons + FLAT * MASK).expand(120, -1, -1))) == 0
    assert limit(pairs(5, photons, 0.4)) == 0


def test_two_groups_of_hits_are_no_halos() -> None:
    assert limit(torch.cat([pairs(60, 300.0, 0.2), pairs(60, 2e4, 0.2)])) == 0


def test_contrast_of_even_light_is_nothing_and_of_fringes_is_certain() -> None:
    window = (slice(21, 69), slice(26, 74))  # 48 x 48 pixels around the beam, at 23.5 but for half a pixel
    contrast, certainty = ring_contrast(halos(100)[:, *window], MASK[window])
    assert certainty.abs().max() < 4
    contrast, certainty = ring_contrast(pairs(100, 1000.0, 0.4)[:, *window], MASK[window])
    assert contrast.max() > 0.1 and certainty.max() > 20
