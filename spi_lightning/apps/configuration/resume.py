"""Settings of a resumed run: those stored in its checkpoint, with the values that the command line changes."""

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, cast

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from spi_lightning.errors import UserError
from spi_lightning.locations import CACHE, CONF
from spi_lightning.settings import laid_over, takes_setting, unknown_setting, with_defaults
from spi_lightning.settings.differences import value_of
from spi_lightning.tasks import read_checkpoint
from spi_lightning.tasks.checkpoint_files import run_of
from spi_lightning.tasks.fitting import name_of
from spi_lightning.tasks.registry import RUN_PARTS, registered
from spi_lightning.tracking.overrides import is_of, joined_words, key_of, recorded_overrides
from spi_lightning.tracking.resumed_run import last_checkpoint, writing_to

from .plain_words import quoted
from .resolved import command_words, resolved

KEPT: Final = {"task": "its state is of that task", "network": "its weights are of that network"}  # classes that stay
BUILT: Final = ("task", "data", "trainer", "callbacks")  # groups that every run has
_log = logging.getLogger(__name__)


def resumed_settings(cfg: DictConfig) -> DictConfig:
    """Settings of the training to be continued; cfg itself where nothing is resumed.

    The base is the resolved configuration stored in the run's last checkpoint, equal to its config.yaml. Every value
    that overrides of the command line change replaces its own, also where it is interpolated; what of its state then
    still fits is for callbacks.ResumeWithChanges. Outside hydra.main, as in tests, cfg is taken unchanged. The folder
    to write to comes from the command alone.

    Raises:
        UserError: There is no checkpoint, it names a class that is not registered (see tasks.registry), or an override
            names a setting that the run does not have, or changes a class of KEPT. Nothing has been written by then.
    """
    if cfg.resume is None:
        return cfg
    path = last_checkpoint(cfg.resume)
    stored = read_checkpoint(path)["config"]
    if stored is None:
        raise UserError(f"resume={cfg.resume}: its checkpoint has no configuration; it was not written by spi train")
    if lacking := [group for group in BUILT if not isinstance(stored.get(group), dict)]:
        raise UserError(f"{path}: its configuration has no settings of {lacking[0]}; it was not written by spi train")
    stored = registered(stored, str(path), RUN_PARTS)  # before anything that it names is looked up
    stored, words = writing_to(str(cfg.folder), cfg.data.get("cache_dir", str(CACHE)), stored), command_words()
    named = {key_of(word) for word in words or ()}
    _require_kept(cfg.resume, stored, {group: cfg[group] for group in KEPT if group in named})  # else unresolvable
    settings = resolved(cfg) if words is None else _changed(cfg, words, with_defaults(stored))
    _require_kept(cfg.resume, stored, settings)
    settings |= {"resume": str(cfg.resume), "folder": str(cfg.folder), "trust": resolved(cfg, whole=False)["trust"]}
    return cast(DictConfig, OmegaConf.create(registered(settings, str(path), RUN_PARTS)))


def _require_kept(resume: str, stored: Mapping[str, Any], settings: Mapping[Any, Any]) -> None:
    """UserError where settings hold another class of KEPT than the run."""
    for group, why in KEPT.items():
        old, new = (name_of(each.get(group)) for each in (stored, settings))
        if group in settings and old != new:
            raise UserError(
                f"resume={resume}: {group} is {old} in that run and {new} here, but {why}; leave resume= out to "
                f"start a new run"
            )


def _changed(cfg: DictConfig, words: Sequence[str], stored: dict[str, Any]) -> dict[str, Any]:
    """Settings of a run with what words of a command change; UserError for a setting that it does not have."""
    before, after = _compositions(cfg, words)
    for word in words:
        *groups, last = (key := key_of(word)).split(".")
        there, composed = (value_of(each, ".".join(groups)) if groups else each for each in (stored, before))
        if word.startswith("+") or "@" in key or "/" in key or last in _keys(there) or last in _keys(composed):
            continue
        if not takes_setting(value_of(after, ".".join([*groups, "_target_"])), last) and not (CONF / key).is_dir():
            raise UserError(unknown_setting(key, ".".join(groups), there if isinstance(there, Mapping) else {}))
    return laid_over(stored, before, after, map(key_of, words))


def _keys(settings: Any) -> Collection[str]:
    return settings if isinstance(settings, Mapping) else ()


def _compositions(cfg: DictConfig, words: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Resolved settings composed from the recorded overrides of a run, and from these with the new overrides.

    Recorded overrides that cannot be composed any more, as of an earlier release, are left out: those of a missing
    choice of a group, after any other error all of them. A warning is logged if the new overrides change such a group.
    """
    recorded, changed = recorded_overrides(run_of(cfg.resume)), {key_of(word) for word in words} - {"resume", "trust"}
    while True:
        try:
            before = _composed(cfg, joined_words(recorded, []))
            break
        except Exception as error:  # whatever words of somebody else make Hydra stumble over
            missing = str(getattr(error, "missing_cfg_file", None) or "")
            why = f"{missing} is not in conf/ or hydra.searchpath" if missing else str(error).partition("\n")[0]
            dropped = [word for word in recorded if not missing or is_of(key_of(word), missing)] or recorded
            if not dropped:
                raise
            if any(not missing or is_of(key, missing) for key in changed):
                _log.warning(
                    "%s: its command cannot be composed again (%s); its kept settings are used", cfg.resume, why
                )
            recorded = [word for word in recorded if word not in dropped]
    return before, _composed(cfg, joined_words(recorded, words))


def _composed(cfg: DictConfig, words: Sequence[str]) -> dict[str, Any]:
    hydra, own = HydraConfig.get(), [f"{key}={quoted(str(cfg[key]))}" for key in ("resume", "folder")]
    searched = [word for word in hydra.overrides.hydra if key_of(word) == "hydra.searchpath"]  # by this command alone
    return resolved(compose(hydra.job.config_name, overrides=[*words, *searched, *own]), whole=False)
