"""Random draws: ranges, log-normal spreads, choices and directions."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar, dataclass_transform, get_args, get_type_hints

import torch
from torch import Tensor

Made = TypeVar("Made")
RISING: Final = "low, high"
Range = Annotated[tuple[float, float], RISING]
WholeRange = Annotated[tuple[int, int], RISING]


@dataclass_transform()
def recipe(cls: type[Made]) -> type[Made]:
    """Dataclass with ranges, of which one number is a fixed one: ``distance=0.58`` becomes (0.58, 0.58).

    Args:
        cls: Class whose annotations are those of a dataclass.
    """
    ranges = {name: hint for name, hint in get_type_hints(cls, include_extras=True).items() if _holds_range(hint)}
    checked: Callable[[Any], None] = getattr(cls, "__post_init__", lambda made: None)

    def with_ranges(self: Any) -> None:
        for name, hint in ranges.items():
            setattr(self, name, _as_range(getattr(self, name), hint))
        checked(self)

    cls.__post_init__ = with_ranges  # type: ignore[attr-defined]
    return dataclass(cls)


def _holds_range(hint: Any) -> bool:
    """Whether an annotation is a range or a choice or mapping of such."""
    return RISING in get_args(hint) or any(map(_holds_range, get_args(hint)))


def _as_range(value: Any, hint: Any) -> Any:
    """A number as a fixed range, in a mapping each; anything else as it is."""
    if isinstance(value, Mapping):
        return {name: _as_range(each, hint) for name, each in value.items()}
    return (value, value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def uniform(bounds: Range, size: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Uniform draws between two bounds, float32 of ``size``."""
    low, high = bounds
    return low + (high - low) * torch.rand(size, generator=generator)


def log_uniform(bounds: Range, size: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draws whose logarithm is uniform between the (positive) bounds, float32 of ``size``."""
    low, high = (math.log(bound) for bound in bounds)
    return (low + (high - low) * torch.rand(size, generator=generator)).exp()


def log_quantiles(quantiles: Sequence[float], size: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draws of the distribution with such (positive, rising) quantiles at equal distances of probability.

    Between neighbours the logarithm is uniform, so that two quantiles are a log-uniform range.
    """
    if len(quantiles) == 2:
        return log_uniform((quantiles[0], quantiles[1]), size, generator)
    position = torch.rand(size, generator=generator) * (len(quantiles) - 1)
    value = torch.tensor([math.log(one) for one in quantiles])
    below = position.long().clamp_max(len(quantiles) - 2)
    return torch.lerp(value[below], value[below + 1], position - below).exp()


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
