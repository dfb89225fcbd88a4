"""Parts of recipes: updates with options, groups that repeat, shrink-wraps that act within a group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from spi_lightning.errors import UserError

from .updates import UPDATES


@dataclass(frozen=True)
class Step:
    """One update, its options including defaults, and the number of repeats."""

    update: str
    options: tuple[tuple[str, float], ...] = ()
    repeat: int = 1

    def __str__(self) -> str:
        arguments = ", ".join(_number(value) for _, value in self.options)
        return _times(self.repeat) + self.update + (f"({arguments})" if arguments else "")


@dataclass(frozen=True)
class Shrinkwrap:
    """Shrink-wrap: new support from the blurred absolute density, after every ``every`` updates.

    Attributes:
        sigma: Standard deviation of the Gaussian, pixel.
        threshold: Fraction of the largest blurred value above which a pixel is support.
        area: If not 0, fraction of the array that is support, in place of a threshold.
        decay, last_sigma: sigma is multiplied by decay at each use, down to last_sigma.
        after, until: First and last update (counted from 1) at which it may act; until = 0: no last one.
        every: Period in updates, counted over the whole recipe.
    """

    sigma: float = 1.0
    threshold: float = 0.1
    area: float = 0.0
    decay: float = 1.0
    last_sigma: float = 0.5
    after: int = 0
    until: int = 0
    every: int = 1

    def __post_init__(self) -> None:
        if self.sigma < 0 or self.last_sigma < 0:
            raise UserError(
                f"shrinkwrap: sigma is in pixels and not negative, not {min(self.sigma, self.last_sigma):g}"
            )
        if not 0 < self.threshold < 1:
            raise UserError(f"shrinkwrap: threshold={self.threshold:g} is not between 0 and 1")
        if not 0 <= self.area < 1:
            raise UserError(f"shrinkwrap: area={self.area:g} is a fraction of the array, from 0 (unused) to below 1")
        if not 0 < self.decay <= 1:
            raise UserError(f"shrinkwrap: decay={self.decay:g} is not above 0 and up to 1")
        if self.every < 1:
            raise UserError(f"shrinkwrap: a period of {self.every} updates is not possible; write for example /10")

    def __str__(self) -> str:
        arguments = [_number(self.sigma), _number(self.threshold)]
        for option in fields(self)[2:-1]:
            value = getattr(self, option.name)
            if value != option.default:
                arguments.append(f"{option.name}={_number(value)}")
        return f"shrinkwrap({', '.join(arguments)})" + (f"/{self.every}" if self.every != 1 else "")

    def acts(self, iteration: int) -> bool:
        """Whether the shrink-wrap acts after this update, counted from 1."""
        last = self.until or iteration
        return iteration % self.every == 0 and self.after <= iteration <= last


@dataclass(frozen=True)
class Group:
    """Sequence of parts, repeated, with the shrink-wraps that act within it; on a copy of the density if ``refine``."""

    parts: tuple[Step | Group, ...]
    shrinkwraps: tuple[Shrinkwrap, ...] = ()
    repeat: int = 1
    refine: bool = False

    def __str__(self) -> str:
        inside = " + ".join(str(part) for part in (*self.parts, *self.shrinkwraps))
        return f"{_times(self.repeat)}{'refine' if self.refine else ''}({inside})"


@dataclass(frozen=True)
class Action:
    """One action: an update with the shrink-wraps that may act after it, or ``copy`` or ``restore`` of the density."""

    do: str
    options: Mapping[str, float] = field(default_factory=dict)
    shrinkwraps: tuple[Shrinkwrap, ...] = ()


def step(update: str, values: Mapping[str, float], repeat: int = 1) -> Step:
    """Step with default options filled in; UserError for an unknown option or a value out of range."""
    known = UPDATES[update]
    unknown = set(values) - set(known.defaults)
    if unknown:
        has = ", ".join(known.defaults) or "none"
        raise UserError(f"phasing recipe: {update} has no option {min(unknown)!r} (it has {has})")
    options = {**known.defaults, **values}
    for name, value in options.items():
        low, high = known.bounds[name]
        if not low <= value <= high:
            raise UserError(f"phasing recipe: {update}({name}={value:g}) is outside {low:g} to {high:g}")
    return Step(update, tuple(options.items()), repeat)


def _number(value: float) -> str:
    """Shortest text that reads back as the same number."""
    return repr(float(value)).removesuffix(".0")


def _times(repeat: int) -> str:
    return f"{repeat}*" if repeat != 1 else ""


def length(part: Step | Group) -> int:
    """Number of updates in a part, repeats and copies included."""
    return part.repeat * (1 if isinstance(part, Step) else sum(length(each) for each in part.parts))


def has_shrinkwrap(part: Step | Group) -> bool:
    """Whether a part holds a shrink-wrap at any depth."""
    return isinstance(part, Group) and (bool(part.shrinkwraps) or any(has_shrinkwrap(each) for each in part.parts))


def actions_of(part: Step | Group, outer: tuple[Shrinkwrap, ...]) -> Iterator[Action]:
    """All actions of a part, in order; outer shrink-wraps act in it too."""
    if isinstance(part, Step):
        action = Action(part.update, dict(part.options), outer)
        for _ in range(part.repeat):
            yield action
        return
    for _ in range(part.repeat):
        if part.refine:
            yield Action("copy")
        for each in part.parts:
            yield from actions_of(each, outer + part.shrinkwraps)
        if part.refine:
            yield Action("restore")


def as_list(group: Group) -> list[dict[str, Any]]:
    """YAML form of a group: plain lists and dicts."""
    entries: list[dict[str, Any]] = []
    for part in group.parts:
        repeat = {"repeat": part.repeat} if part.repeat != 1 else {}
        if isinstance(part, Step):
            entries.append({**repeat, "update": part.update, **dict(part.options)})
        else:
            entries.append({**repeat, "refine" if part.refine else "sequence": as_list(part)})
    for wrap in group.shrinkwraps:
        values = {each.name: getattr(wrap, each.name) for each in fields(wrap)}
        changed = {each.name: values[each.name] for each in fields(wrap) if values[each.name] != each.default}
        entries.append({"shrinkwrap": changed})
    return entries
