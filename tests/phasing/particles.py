"""Particles that the tests of phasing share."""

import torch
from torch import Tensor

from spi_lightning.phasing.shrinkwrap import blurred


def particle(size: int, ndim: int, seed: int = 0, complex_: bool = False) -> tuple[Tensor, Tensor]:
    """A density of irregular shape with its support, within the middle half of each axis."""
    generator = torch.Generator().manual_seed(seed)
    shape = (size,) * ndim
    box = torch.zeros(shape, dtype=torch.bool)
    box[(slice(size // 4 + 1, 3 * size // 4 - 1),) * ndim] = True
    support = box & (blurred(torch.randn(shape, generator=generator), size / 12, ndim) > 0)
    density = (0.1 + torch.rand(shape, generator=generator)) * support
    if complex_:
        density = torch.polar(density, 3 * blurred(torch.randn(shape, generator=generator), 1.5, ndim))
    return density, support
