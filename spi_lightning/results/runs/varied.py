"""Settings in which runs differ: those that their commands named, and others that no named one explains."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import yaml

from .run import Run

ABSENT: Final = "–"
_FOREIGN: Final = ("hydra", "tracking", "folder", "name", "resume", "trust", "cache", "report", "objective")
_METHODS: Final = ("checkpoint", "methods", "method")
_FOLDERS: Final = ("dirpath", "default_root_dir", "save_dir", "log_dir", "folder", "cache_dir")


@dataclass(frozen=True)
class Column:
    """Setting that is not the same in all runs.

    Attributes:
        key: Full name of the setting, such as ``optimizer.lr``.
        values: Its value in each run, as text; ``–`` where the run has no such setting.
    """

    key: str
    values: tuple[str, ...]


def varied_settings(runs: Sequence[Run]) -> list[Column]:
    """Settings in which runs differ: those that most runs have first, and of these the ones that commands named.

    A setting that takes one value for each value of another, such as all those of an experiment, is left out, and so is
    one that has one value in all runs of the kinds that have it.
    """
    runs = [_without_methods(run) if run.method else run for run in runs]
    runs = [replace(run, words=dict(_by_key(run.words))) for run in runs]
    leaves = [dict(_leaves(run.settings)) for run in runs]
    named = list(dict.fromkeys(key for run in runs for key in run.words if _concerns(key)))
    named = [key for key in named if len({run.words.get(key) for run in runs}) > 1]
    columns = [Column(key, _values(runs, leaves, key)) for key in named]
    columns = [column for column in columns if _differs(column, runs, range(len(runs)))]
    with_settings = [number for number, each in enumerate(leaves) if each]
    others = list(dict.fromkeys(key for each in leaves for key in each if _concerns(key)))
    for key in sorted(others, key=lambda key: key.count(".")):
        column = Column(key, tuple(each.get(key, ABSENT) for each in leaves))
        if _differs(column, runs, with_settings) and not any(_explains(other, column, with_settings) for other in columns):
            columns.append(column)
    return sorted(columns, key=lambda column: sum(value == ABSENT for value in column.values))


def _without_methods(run: Run) -> Run:
    """One method of an evaluation without the settings that list all of its methods."""
    settings = {key: value for key, value in run.settings.items() if key not in _METHODS}
    words = {key: value for key, value in run.words.items() if key not in _METHODS}
    return replace(run, settings=settings, words=words)


def _by_key(words: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Words of a command by key, of a mapping such as ``data.patterns={train: 100, val: 10}`` one for each of its keys."""
    for key, word in words.items():
        try:
            value = yaml.safe_load(word) if word.startswith("{") else word
        except yaml.YAMLError:
            value = word
        yield from _leaves(value, key) if isinstance(value, Mapping) else [(key, word)]


def _leaves(settings: Any, parent: str = "") -> Iterator[tuple[str, str]]:
    """Dotted key and text of every value of plain containers; classes by their own name."""
    if not isinstance(settings, Mapping):
        yield parent, _text(settings, parent)
        return
    for key, value in settings.items():
        if key not in _FOLDERS:
            yield from _leaves(value, f"{parent}.{key}" if parent else str(key))


def _text(value: Any, key: str) -> str:
    if isinstance(value, str) and key.endswith("_target_"):
        return value.rpartition(".")[2]
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _values(runs: Sequence[Run], leaves: Sequence[Mapping[str, str]], key: str) -> tuple[str, ...]:
    """Values of a setting that a command named; of a group its choice, or its class where not all have named one."""
    words = [_plain(run.words.get(key)) for run in runs]
    if None in words or any(key in each for each in leaves):
        classes = [each.get(f"{key}._target_") for each in leaves]
        words = words if not any(classes) else classes
        words = [each.get(key, word) for each, word in zip(leaves, words, strict=True)]
    return tuple(word if word is not None else ABSENT for word in words)


def _plain(word: str | None) -> str | None:
    """Value of a word as settings print it: ``[1,2]`` as ``[1, 2]``, ``1e-3`` as ``0.001``."""
    if word is None:
        return None
    try:
        value = yaml.safe_load(word)
        return _text(float(word) if isinstance(value, str | float) else value, "")
    except (yaml.YAMLError, ValueError):
        return word.strip("'\"")


def _concerns(key: str) -> bool:
    """Whether a key says what a run computes: not where it writes, and not whom it tells."""
    parts = key.split(".")
    return parts[0] not in _FOREIGN and not set(parts) & {*_FOLDERS}


def _differs(column: Column, runs: Sequence[Run], numbers: Sequence[int]) -> bool:
    """Whether runs have two values of a setting, or of one kind some have it and some have not."""
    pairs = {(runs[number].kind, column.values[number]) for number in numbers}
    kinds = [kind for kind, _ in pairs]
    return len({value for _, value in pairs} - {ABSENT}) > 1 or len(kinds) > len(set(kinds))


def _explains(one: Column, other: Column, numbers: Sequence[int]) -> bool:
    """Whether each value of one setting comes with a single value of the other; a seed explains only copies of it."""
    if one.key == "seed":
        return one.values == other.values
    found = defaultdict(set)
    for number in numbers:
        found[one.values[number]].add(other.values[number])
    return all(len(values) == 1 for values in found.values())
