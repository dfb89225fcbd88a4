"""What a mask alone makes two densities have in common is found by randomised phases."""

import torch
from torch import Tensor

from spi_lightning.metrics.fsc import fsc
from spi_lightning.metrics.masked_fsc import mask_oversampling, masked_fsc, randomised_phases
from spi_lightning.metrics.shells import shells
from spi_lightning.physics.fourier import fourier, inverse_fourier

EDGE = 32


def halves(cutoff: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two densities that share their transform up to a shell and are noise beyond."""
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randn(2, EDGE, EDGE, EDGE, generator=generator)
    radius = shells(a.shape).index
    return a, inverse_fourier(torch.where(radius < cutoff, fourier(a, 3), fourier(b, 3)), 3).real


def ball(radius: float) -> Tensor:
    along = torch.arange(EDGE).float() - EDGE // 2
    return torch.sigmoid(2 * (radius - (along[:, None, None] ** 2 + along[:, None] ** 2 + along**2).sqrt()))


def test_a_correlation_that_the_mask_makes_is_taken_away() -> None:
    a, b = halves(8)
    a, b = a + 3, b + 3  # a common mean, which a small mask spreads over all shells
    mask = ball(5)
    found = masked_fsc(a, b, mask)
    assert 7 / EDGE < found.beyond < 9 / EDGE
    beyond = slice(11, 16)
    assert float(found.masked[beyond].mean()) > float(found.corrected.curve[beyond].mean())
    assert abs(float(found.corrected.curve[beyond].mean())) < 0.15
    torch.testing.assert_close(found.corrected.curve[:8], found.masked[:8])


def test_equal_densities_are_not_corrected() -> None:
    a, _ = halves(8)
    found = masked_fsc(a, a, ball(8))
    assert found.beyond != found.beyond and bool(found.randomised.isnan().all())
    torch.testing.assert_close(found.corrected.curve, torch.ones(17), atol=1e-4, rtol=0)


def test_random_phases_keep_amplitudes_and_what_lies_below_the_frequency() -> None:
    a, _ = halves(8)
    made, kept = fourier(randomised_phases(a, 0.25, 0), 3), fourier(a, 3)
    inside = shells(a.shape).index <= 7
    torch.testing.assert_close(made[inside], kept[inside], atol=1e-4, rtol=0)
    assert abs(float(fsc(a, randomised_phases(a, 0.25, 0), 3).curve[10:].mean())) < 0.1
    compact = randomised_phases(a.to(torch.complex64), 0.1, 1)
    torch.testing.assert_close(fourier(compact, 3).abs(), kept.abs(), atol=1e-3, rtol=1e-3)
    assert bool(randomised_phases(a, 0.1, 1).isfinite().all())


def test_the_oversampling_of_a_mask_is_that_of_its_volume() -> None:
    box = torch.zeros(32, 32, 32)
    box[8:24, 8:24, 8:24] = 1
    assert mask_oversampling(box) == 2
