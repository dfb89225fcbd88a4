"""Methods of 3D phasing by name: files of conf/method/, and runs of wu_supervised, each alone and refined."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
from hydra import compose
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf, open_dict

from spi_lightning.apps.configuration.choose_methods import entries_for, found_checkpoints, free_name, settings_of
from spi_lightning.apps.configuration.kinds import METHODS, method_file
from spi_lightning.errors import UserError
from spi_lightning.evaluation.volumes import VolumeMethod
from spi_lightning.methods import RefinedNetwork, RefinementSettings, VolumeCheckpoint, run_name
from spi_lightning.tasks import Refinement

from .train import starting_weights

PHASING = METHODS.parent / "phasing"
TRANSFER = "wu_transfer"


def make_volume_methods(cfg: DictConfig) -> Iterator[VolumeMethod]:
    """Methods under names that differ.

    Args:
        cfg: conf/evaluate.yaml; see make_methods. A run of wu_supervised is two methods: its prediction alone, and the
            same network refined on the pattern as experiment=wu_transfer sets it up.

    Raises:
        UserError: As make_methods; or a method of another kind.
    """
    used: set[str] = set()
    for entry in entries_for(cfg, "volumes"):
        if method_file(entry) is not None:
            yield named_method(entry, free_name(entry, used), cfg)
            continue
        for checkpoint in found_checkpoints(entry, "volumes"):
            name = free_name(run_name(checkpoint), used)
            yield VolumeCheckpoint(checkpoint, instantiate, name, cfg.device)
            refinement = refinement_of(TRANSFER, as_words(OmegaConf.to_container(cfg.transfer)), checkpoint)
            yield RefinedNetwork(refinement, free_name(f"{name}, refined", used), device=cfg.device)


def named_method(entry: str, name: str, cfg: DictConfig) -> VolumeMethod:
    """The method of conf/method/ENTRY.yaml."""
    settings, options = settings_of(entry, cfg), {}
    with open_dict(settings):
        experiment, overrides = settings.pop("experiment", None), settings.pop("overrides", OmegaConf.create({}))
        if "recipe" in settings:
            settings.recipe = recipe_named(str(settings.recipe))
    if experiment is not None:
        options["refinement"] = refinement_of(str(experiment), as_words(OmegaConf.to_container(overrides)))
    method: VolumeMethod = instantiate(settings, _partial_=True, _convert_="all")(name=name, **options)
    return method


def as_words(overrides: Any, where: str = "") -> list[str]:
    """Overrides as words of a command line, {task: {epochs: 300}} -> [task.epochs=300]; UserError if no mapping."""
    words: list[str] = []
    if not isinstance(overrides, Mapping):
        raise UserError(f"overrides: {overrides!r} is no mapping; write +settings.METHOD.overrides.task.epochs=300.")
    for key, value in overrides.items():
        if isinstance(value, Mapping):
            words += as_words(value, f"{where}{key}.")
        else:
            words.append(f"{where}{key}={json.dumps(value)}")
    return words


def recipe_named(recipe: str) -> str:
    """The recipe of conf/phasing/NAME.yaml; anything else as it is."""
    path = PHASING / f"{recipe}.yaml"
    return str(OmegaConf.load(path).recipe) if recipe.isidentifier() and path.is_file() else recipe


def refinement_of(experiment: str, overrides: list[str], checkpoint: Path | None = None) -> RefinementSettings:
    """Task of an experiment of train.py and its early stopping.

    Args:
        experiment: Name in conf/experiment/, of a refinement.
        overrides: Settings as on the command line of train.py.
        checkpoint: Checkpoint whose network and weights are refined; None: random weights.

    Raises:
        UserError: An experiment of another task, a checkpoint that is none or does not fit.
    """
    cfg = compose("train", overrides=[f"experiment={experiment}", *overrides])
    if get_class(cfg.task._target_) is not Refinement:
        raise UserError(f"experiment={experiment} is no refinement of one pattern, but {cfg.task._target_}.")
    if checkpoint is not None:
        cfg.checkpoint, cfg.resume = str(checkpoint), None
        starting_weights(cfg)  # takes the network's settings into cfg
    stops = [one for one in cfg.callbacks.values() if one is not None and _stops_early(one)]
    task, *callbacks = (cast(dict[str, Any], OmegaConf.to_container(one, resolve=True)) for one in (cfg.task, *stops))
    return RefinementSettings(task, callbacks, instantiate, checkpoint)


def _stops_early(callback: DictConfig) -> bool:
    return issubclass(get_class(callback._target_), pl.callbacks.EarlyStopping)
