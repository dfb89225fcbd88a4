"""Settings of a run that is resumed: its own, and over them only what the command line changes."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from spi_lightning.errors import UserError
from spi_lightning.locations import CACHE
from spi_lightning.settings import with_defaults
from spi_lightning.tasks import read_checkpoint
from spi_lightning.tasks.checkpoint import run_of
from spi_lightning.tasks.registry import RUN_PARTS, registered
from spi_lightning.tracking.resumed_run import last_checkpoint, recorded_overrides, writing_to

from .plain_words import quoted
from .resolved import command_words, resolved

FIXED: Final = ("task", "network", "preprocess", "loss", "optimizer", "schedule")  # which weights and state belong to
BUILT: Final = ("task", "data", "trainer", "callbacks")  # what a run cannot be without
_ABSENT: Final = object()
_log = logging.getLogger(__name__)


def resumed_settings(cfg: DictConfig) -> DictConfig:
    """Settings to go on with: cfg itself where nothing is resumed.

    The base is the resolved configuration inside the run's last checkpoint, which is that of its config.yaml. Laid over
    it is every value that the words of the command line change, wherever interpolation carries it. Outside hydra.main,
    as in tests, cfg is taken as it is. The checkpoint decides what is trained, the command alone where it is written.

    Raises:
        UserError: No checkpoint, one that names what no run is made of (see tasks.registry), or a part that the weights
            or the state of the optimiser belong to would change. Nothing has been written by then.
    """
    if cfg.resume is None:
        return cfg
    path = last_checkpoint(cfg.resume)
    stored = read_checkpoint(path)["config"]
    if stored is None:
        raise UserError(f"resume={cfg.resume}: its checkpoint has no configuration; it was not written by train.py.")
    if lacking := [group for group in BUILT if not isinstance(stored.get(group), dict)]:
        raise UserError(f"{path}: its configuration has no settings of {lacking[0]}; it was not written by train.py")
    stored = registered(stored, str(path), RUN_PARTS)  # before anything that it names is looked up
    stored, words = writing_to(str(cfg.folder), cfg.data.get("cache_dir", str(CACHE)), stored), command_words()
    settings = resolved(cfg) if words is None else _laid_over(stored, *_compositions(cfg, words), words)
    for group in FIXED:
        there, here = (with_defaults(each.get(group, {})) for each in (stored, settings))
        for key, old, new in _differences(there, here, group):
            raise UserError(
                f"resume={cfg.resume}: {key} is {_word_of(old)} in that run and {_word_of(new)} here, and a run goes "
                f"on with what it began with; checkpoint={cfg.resume} starts a new run from its weights."
            )
    settings |= {"resume": str(cfg.resume), "folder": str(cfg.folder), "trust": resolved(cfg, whole=False)["trust"]}
    return cast(DictConfig, OmegaConf.create(registered(settings, str(path), RUN_PARTS)))


def all_words(cfg: DictConfig) -> list[str]:
    """Overrides that made a run: those it began with, then those it was resumed with."""
    words = command_words() or []
    if cfg.resume is None:
        return words
    return [*_joined(recorded_overrides(run_of(cfg.resume)), words), f"resume={cfg.resume}"]


def _joined(earlier: Sequence[str], later: Sequence[str]) -> list[str]:
    """Both lists of overrides, of a key the later one, without those that name the folder of the run."""
    keys = {_key(word) for word in later}
    words = [*(word for word in earlier if _key(word) not in keys), *later]
    return [word for word in words if _key(word) not in ("resume", "folder")]


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+~")


def _compositions(cfg: DictConfig, words: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Resolved settings as the run's own words give them today, and with the new words.

    Words that give nothing any more, of an earlier release or changed by hand, are left out: all words of a choice that
    is not there, of another error every word. A warning says so where the new words change what those decided.
    """
    recorded, changed = recorded_overrides(run_of(cfg.resume)), {_key(word) for word in words} - {"resume", "trust"}
    while True:
        try:
            before = _composed(cfg, _joined(recorded, []))
            break
        except Exception as error:  # whatever words of somebody else make Hydra stumble over
            missing = str(getattr(error, "missing_cfg_file", None) or "")
            why = f"{missing} is not in conf/ or hydra.searchpath" if missing else str(error).partition("\n")[0]
            dropped = [word for word in recorded if not missing or _is_of(_key(word), missing)] or recorded
            if not dropped:
                raise
            if any(not missing or _is_of(key, missing) for key in changed):
                _log.warning(
                    "%s: its command cannot be composed again (%s); its kept settings are used", cfg.resume, why
                )
            recorded = [word for word in recorded if word not in dropped]
    return before, _composed(cfg, _joined(recorded, words))


def _is_of(key: str, choice: str) -> bool:
    """Whether a key belongs to the group of a choice such as ``loss/focal``."""
    group = choice.rpartition("/")[0].replace("/", ".")
    return f"{key.replace('/', '.')}.".startswith(f"{group}.")


def _composed(cfg: DictConfig, words: Sequence[str]) -> dict[str, Any]:
    hydra, resume = HydraConfig.get(), f"resume={quoted(str(cfg.resume))}"
    searched = [word for word in hydra.overrides.hydra if _key(word) == "hydra.searchpath"]  # by this command alone
    return resolved(compose(hydra.job.config_name, overrides=[*words, *searched, resume]), whole=False)


def _laid_over(
    stored: dict[str, Any], before: dict[str, Any], after: dict[str, Any], words: Sequence[str]
) -> dict[str, Any]:
    """``stored`` with every value in which ``after`` differs from ``before``, and those that the words name."""
    settings, composed = OmegaConf.create(stored), OmegaConf.create(after)
    changed = {key: new for key, _, new in _differences(before, after)}
    for key in map(_key, words):
        new = OmegaConf.select(composed, key, default=_ABSENT)
        if new is not _ABSENT and not OmegaConf.is_config(new):
            changed[key] = new
    for key, new in changed.items():
        if new is not _ABSENT:
            OmegaConf.update(settings, key, new, merge=False, force_add=True)
            continue
        parent, _, last = key.rpartition(".")
        node = OmegaConf.select(settings, parent) if parent else settings
        if node is not None:
            node.pop(last, None)
    return resolved(settings)


def _differences(old: Any, new: Any, parent: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Key, old and new value of everything in which two plain containers differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            full = f"{parent}.{key}" if parent else str(key)
            yield from _differences(old.get(key, _ABSENT), new.get(key, _ABSENT), full)
    elif old != new:
        yield parent, old, new


def _word_of(value: Any) -> str:
    return "absent" if value is _ABSENT else str(value)
