"""A lopsided positive particle that the tests of reconstruction share."""

import torch


def lopsided(size: int = 48) -> torch.Tensor:
    """A positive density (size, size) with sharp parts, 0 outside a triangle that spans 19 pixels."""
    generator = torch.Generator().manual_seed(1)
    y, x = torch.meshgrid(*(torch.arange(size) - size // 2,) * 2, indexing="ij")
    inside = (y > -7) & (x > -6) & (y + x < 7)
    return torch.where(inside, 0.5 + torch.rand(size, size, generator=generator), 0.0)
