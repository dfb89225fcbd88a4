"""Held-out pixels: they float during phasing, and their amplitudes validate its result."""

import torch
from torch import Tensor

from spi_lightning.physics.array import middle


def hold_out(
    mask: Tensor, fraction: float, seed: int, ndim: int, centre: int = 5, pairs: bool = True
) -> tuple[Tensor, Tensor]:
    """Divide the measured pixels into those to fit and those to hold out.

    Args:
        mask: (..., spatial) bool, True = measured, origin at n // 2.
        fraction: Share of the measured pixels to hold out.
        seed: Seed of the draw.
        ndim: Number of spatial axes.
        centre: Edge of the central square or cube that is always fitted, pixel; 0: none.
        pairs: Hold out q and -q together, since a real density makes their amplitudes equal.

    Returns:
        Masks of the fitted and of the held-out pixels, bool, of the shape of ``mask``.
    """
    generator = torch.Generator().manual_seed(seed)
    axes = tuple(range(-ndim, 0))
    drawn = torch.rand(mask.shape, generator=generator)
    if pairs:
        unshifted = torch.fft.ifftshift(drawn, dim=axes)
        partner = torch.roll(unshifted.flip(axes), (1,) * ndim, axes)
        # The smaller of two uniform draws is below t with probability 1 - (1 - t)^2, of one alone with t.
        drawn = torch.fft.fftshift(torch.minimum(unshifted, partner), dim=axes)
        alone = torch.fft.fftshift(_own_partner(mask.shape[-ndim:]), dim=axes)
        drawn = torch.where(alone, drawn, 1 - (1 - drawn).square())
    held = (drawn.to(mask.device) < fraction) & mask
    if centre:
        held[middle(mask.shape[-ndim:], centre)] = False
    return mask & ~held, held


def _own_partner(spatial: torch.Size) -> Tensor:
    """True where q and -q are one pixel (index 0 and, of an even axis, n / 2), origin at index 0."""
    found = torch.ones((), dtype=torch.bool)
    for axis, n in enumerate(spatial):
        index = torch.arange(n)
        along = (2 * index) % n == 0
        found = found & along.view(-1, *(1,) * (len(spatial) - 1 - axis))
    return found
