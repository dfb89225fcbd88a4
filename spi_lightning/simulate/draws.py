"""Random draws: ranges, log-normal spreads, choices and directions."""

import math
from typing import Annotated, Final

import torch
from torch import Tensor

RISING: Final = "low, high"
Range = Annotated[tuple[float, float], RISING]


def uniform(bounds: Range, size: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Uniform draws between two bounds, float32 of ``size``."""
    low, high = bounds
    return low + (high - low) * torch.rand(size, generator=generator)


def log_uniform(bounds: Range, size: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draws whose logarithm is uniform between the (positive) bounds, float32 of ``size``."""
    low, high = (math.log(bound) for bound in bounds)
    return (low + (high - low) * torch.rand(size, generator=generator)).exp()


def log_normal(median: float, sigma: float, size: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Log-normal draws: median times exp(sigma * standard normal), float32 of ``size``."""
    return median * (sigma * torch.randn(size, generator=generator)).exp()


def chance(probability: float, size: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Independent Bernoulli draws, bool of ``size``."""
    return torch.rand(size, generator=generator) < probability


def choose(weights: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Indices drawn in proportion to ``weights`` (K,), int64 (count,)."""
    return torch.multinomial(weights.float(), count, replacement=True, generator=generator)


def random_directions(count: int, generator: torch.Generator) -> Tensor:
    """Unit vectors uniform on the sphere, (count, 3)."""
    vector = torch.randn(count, 3, generator=generator)
    length: Tensor = vector.norm(dim=1, keepdim=True)
    return vector / length
