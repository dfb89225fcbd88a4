"""Which methods phase 3D patterns: names in conf/method/ and runs of wu_supervised, each alone and refined."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from hydra import compose
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf, open_dict

from spi_lightning.apps.configuration.choose_methods import (
    asked_for,
    found_checkpoints,
    free_name,
    plain_with_contents,
    settings_of,
)
from spi_lightning.apps.configuration.kinds import METHODS, method_file
from spi_lightning.errors import UserError
from spi_lightning.files import content_hash
from spi_lightning.methods import RefinedNetwork, VolumeCheckpoint, VolumeMethod, run_name
from spi_lightning.methods.volumes.refined_network import MakeRefinement
from spi_lightning.tasks import Refinement

from .train import starting_weights

PHASING = METHODS.parent / "phasing"
TRANSFER = "wu_transfer"


def make_volume_methods(cfg: DictConfig) -> Iterator[tuple[VolumeMethod, Any]]:
    """Methods under names that differ, each with the plain data that tells it from all others.

    Args:
        cfg: conf/evaluate.yaml; see make_methods. A run of wu_supervised is two methods: its answer alone, and the
            same network refined on the pattern as experiment=wu_transfer says.

    Raises:
        UserError: As make_methods; or a method of another kind.
    """
    used: set[str] = set()
    for entry in asked_for(cfg, "volumes"):
        if method_file(entry) is not None:
            yield named_method(entry, free_name(entry, used), cfg)
            continue
        for checkpoint in found_checkpoints(entry, "volumes"):
            name = free_name(run_name(checkpoint), used)
            yield VolumeCheckpoint(name, checkpoint, instantiate, cfg.device), ["alone", content_hash(checkpoint)]
            make, identity = refinement_of(TRANSFER, as_words(OmegaConf.to_container(cfg.transfer)), checkpoint)
            refined = free_name(f"{name}, refined", used)
            yield RefinedNetwork(refined, make, single=True, device=cfg.device), [*identity, content_hash(checkpoint)]


def named_method(entry: str, name: str, cfg: DictConfig) -> tuple[VolumeMethod, Any]:
    """The method of conf/method/ENTRY.yaml."""
    settings = settings_of(entry, cfg)
    with open_dict(settings):
        experiment, overrides = (
            settings.pop("experiment", None),
            OmegaConf.to_container(settings.pop("overrides", OmegaConf.create({}))),
        )
        if "recipe" in settings:
            settings.recipe = recipe_named(str(settings.recipe))
    identity = plain_with_contents(settings)
    if experiment is None:
        method: VolumeMethod = instantiate(settings, name=name, _convert_="all")
        return method, identity
    make, more = refinement_of(str(experiment), as_words(overrides))
    method = instantiate(settings, _partial_=True, _convert_="all")(name=name, make=make)
    return method, [*identity, *more]


def as_words(overrides: Any, where: str = "") -> list[str]:
    """{task: {epochs: 300}} -> [task.epochs=300], as on the command line of train.py; UserError if it is no mapping."""
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


def refinement_of(
    experiment: str, overrides: list[str], checkpoint: str | Path | None = None
) -> tuple[MakeRefinement, list[Any]]:
    """What makes the task of an experiment of train.py, and the plain data it is made of.

    Args:
        experiment: Name in conf/experiment/, of a refinement.
        overrides: As on the command line of train.py.
        checkpoint: Network and weights to start from.

    Raises:
        UserError: An experiment of another task, a checkpoint that is none or does not fit.
    """
    cfg = compose("train", overrides=[f"experiment={experiment}", *overrides])
    if get_class(cfg.task._target_) is not Refinement:
        raise UserError(f"experiment={experiment} is no refinement of one pattern, but {cfg.task._target_}.")
    weights = None
    if checkpoint is not None:
        cfg.checkpoint, cfg.resume = str(checkpoint), None
        weights = starting_weights(cfg)
    stops = [one for one in cfg.callbacks.values() if one is not None and _stops_early(one)]

    def make(starts: int, seed: int, float64: bool) -> tuple[Refinement, list[pl.Callback]]:
        settings = cfg.copy()
        with open_dict(settings.task):
            settings.task.starts, settings.task.seed = starts, seed
            if float64:
                settings.task.float64 = True
        pl.seed_everything(seed, verbose=False)
        task: Refinement = instantiate(settings.task, _convert_="all")
        if weights is not None:
            task.load_state_dict(weights)
        return task, [instantiate(one) for one in stops]

    plain = [OmegaConf.to_container(one, resolve=True) for one in (cfg.task, *stops)]
    return make, plain


def _stops_early(callback: DictConfig) -> bool:
    return issubclass(get_class(callback._target_), pl.callbacks.EarlyStopping)
