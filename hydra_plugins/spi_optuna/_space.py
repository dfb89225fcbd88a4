"""Search space of Optuna from the words of Hydra, and the words of a job from a trial."""

from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, Transformer
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from spi_lightning.errors import UserError

Space = dict[str, BaseDistribution]


def search_space(words: Sequence[str]) -> tuple[Space, list[str]]:
    """Distribution of each setting that is searched, by its key, and the words of those that are fixed.

    Args:
        words: Overrides, of a key the last one counts.

    Raises:
        UserError: A space that no distribution describes.
    """
    space: Space = {}
    fixed: dict[str, str] = {}
    for override in OverridesParser.create().parse_overrides(list(words)):
        key = override.get_key_element()
        space.pop(key, None)
        fixed.pop(key, None)
        if override.is_sweep_override():
            space[key] = _distribution(override)
        else:
            fixed[key] = str(override.input_line)
    return space, list(fixed.values())


def _distribution(override: Override) -> BaseDistribution:
    try:
        swept: Any = override.value()
        if isinstance(swept, IntervalSweep):
            return _interval(swept)
        values: list[Any] = list(override.sweep_iterator(transformer=Transformer.encode))
        if override.is_range_sweep() and len(values) > 1 and swept.step > 0 and not swept.shuffle:
            kind = IntDistribution if all(isinstance(value, int) for value in values) else FloatDistribution
            return kind(values[0], values[-1], step=swept.step)
        return CategoricalDistribution(values)
    except (TypeError, ValueError) as error:
        raise UserError(f"{override.input_line}: cannot be searched ({error})") from error


def _interval(interval: IntervalSweep) -> BaseDistribution:
    low, high, log = interval.start, interval.end, "log" in interval.tags
    if low is None or high is None:
        raise ValueError("an interval has two ends")
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def grid_of(distribution: BaseDistribution) -> list[Any]:
    """All values of a distribution, for a search of every combination.

    Raises:
        UserError: There is no end of them.
    """
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    if not isinstance(distribution, IntDistribution | FloatDistribution) or distribution.step is None:
        raise UserError("hydra/sweeper/sampler=grid: takes choices and ranges, no intervals without a step")
    count = round((distribution.high - distribution.low) / distribution.step) + 1
    return [distribution.low + number * distribution.step for number in range(count)]


def words_of(values: dict[str, Any]) -> list[str]:
    """Overrides of the values of a trial by key."""
    return [f"{key}={'null' if value is None else value}" for key, value in values.items()]
