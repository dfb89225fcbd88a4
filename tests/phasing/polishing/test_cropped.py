"""The polish of whole arrays: what it finds must not depend on where supports lie or on how many axes there are."""

import pytest
import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.phasing.polishing import cropped as cropped_polish
from spi_lightning.phasing.polishing.cropped import boxes_around, polish_cropped
from spi_lightning.phasing.polishing.polish import polish
from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.partial_coherence import blurred_intensity, point_spread_envelope
from tests.phasing.particles import particle

WIDTHS = [0.5, 0.3, 0.4]


def blurred_particle(ndim: int) -> tuple[Tensor, Tensor, Tensor]:
    """Density, support, and the amplitudes of its blurred pattern."""
    density, support = particle(16 if ndim == 3 else 32, ndim, seed=1, complex_=True)
    width = torch.tensor(WIDTHS[:ndim], dtype=torch.float64)[None]
    intensity = fourier(density.to(torch.complex128), ndim).abs().square()[None]
    envelope = point_spread_envelope(width, density.shape)
    return density, support, blurred_intensity(intensity, envelope)[0].clamp_min(0).sqrt().float()


@pytest.mark.parametrize("ndim", [2, 3])
def test_density_and_widths_are_found_wherever_the_support_lies(ndim: int) -> None:
    density, support, amplitude = blurred_particle(ndim)
    axes = tuple(range(ndim))
    rough = density * (1 + 0.05 * torch.randn(density.shape, generator=torch.Generator().manual_seed(0)))
    starts, supports = (
        torch.stack([torch.roll(each, shift, axes) for shift in ((0,) * ndim, (9, 5, 7)[:ndim])])
        for each in (rough, support)
    )
    steps: list[int] = []
    everything = torch.ones_like(support)
    found = polish_cropped(
        starts, supports, amplitude, everything, 150, 0.2, progress=lambda step, total, chi_square: steps.append(step)
    )
    assert found.point_spread is not None and found.steps == steps[-1] and (found.chi_square < 1e-5).all()
    expected = torch.tensor([WIDTHS[:ndim]]).expand(2, -1)
    torch.testing.assert_close(found.point_spread, expected, atol=0.05, rtol=0)
    assert not bool((found.density.abs() * ~supports).any())
    moved = torch.roll(found.density[1], tuple(-s for s in (9, 5, 7)[:ndim]), axes)
    for each in (found.density[0], moved):
        overlap = (each.conj() * density).sum().abs() / each.norm() / density.norm()
        assert float(overlap) > 0.9998
    coherent = polish_cropped(starts, supports, amplitude, everything, 150)
    assert coherent.point_spread is None and (coherent.chi_square > 30 * found.chi_square).all()


def test_it_is_the_polish_of_whole_arrays() -> None:
    density, support, amplitude = blurred_particle(3)
    start, mask = (density + 0.1 * support)[None], torch.rand(support.shape) > 0.1
    whole = polish(start, amplitude[None], mask[None], 5, support, point_spread=torch.full((1, 3), 0.2))
    cropped = polish_cropped(start, support[None], amplitude, mask, 5, 0.2)
    torch.testing.assert_close(cropped.chi_square, whole.chi_square, rtol=1e-3, atol=0)


def test_many_starts_are_polished_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    density, support, amplitude = blurred_particle(2)
    starts = torch.stack([density + step * support for step in (0.1, 0.2, 0.3)])
    rest = support.expand(3, -1, -1), amplitude, torch.ones_like(support), 5, 0.2
    at_once = polish_cropped(starts, *rest)
    monkeypatch.setattr(cropped_polish, "_AT_ONCE", 2 * support.numel())
    in_parts = polish_cropped(starts, *rest)
    assert in_parts.point_spread is not None and in_parts.point_spread.shape == (3, 2)
    torch.testing.assert_close(in_parts.density, at_once.density, rtol=1e-2, atol=1e-3)


def test_boxes_reach_across_the_edges() -> None:
    support = torch.zeros(2, 6, 7, 8, dtype=torch.bool)
    support[0, 5, 2:4, 7] = support[0, 0, 3, 1] = True
    support[1, 2:5, 6, 3] = True
    indices = boxes_around(support)
    cut = support[indices]
    assert cut.shape == (2, 3, 2, 3) and cut.flatten(1).sum(1).tolist() == [3, 3]
    assert cut[0].any(2).any(1).tolist() == [True, True, False]


def test_what_cannot_be_polished_is_refused() -> None:
    density, support, amplitude = blurred_particle(2)
    with pytest.raises(UserError, match="give complex ones"):
        polish_cropped(density.real[None], support[None], amplitude, support, 5)
    with pytest.raises(UserError, match="a support is empty"):
        polish_cropped(density[None], torch.zeros_like(support)[None], amplitude, support, 5)
