"""Methods of an evaluation: what ``method=[NAME,RUN,...]`` and ``checkpoint=`` mean for each kind of data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from spi_lightning.api.configured import refinement_settings
from spi_lightning.apps.train import starting_weights
from spi_lightning.errors import UserError
from spi_lightning.locations import CACHE, CONF
from spi_lightning.methods import (
    CheckpointMethod,
    MethodLibrary,
    RefinedNetwork,
    RefinementSettings,
    SupportCheckpoint,
    VolumeCheckpoint,
)
from spi_lightning.settings import as_words, entries_of

TRANSFER: Final = "wu_transfer"
Methods = Iterable[tuple[str, Callable[..., Any]]]


def make_methods(cfg: DictConfig, kind: str) -> Iterator[Any]:
    """Methods that answer one kind of data, under names that differ.

    Args:
        cfg: conf/evaluate.yaml; ``methods`` and ``checkpoint`` hold a name in conf/method/, a run folder, a checkpoint,
            a pattern such as 'runs/han_resnet10/*', or a list of those; ``settings`` options of named methods, by name.
        kind: ``hits``, ``supports`` or ``volumes``.

    Raises:
        UserError: As MethodLibrary.choose; a preprocessing that methods of this kind do not have.
    """
    if kind == "supports" and cfg.preprocess.crop is not None:
        raise UserError("preprocess.crop: supports are found from as many central pixels as the network was trained on")
    settings = cast(dict[str, Any], OmegaConf.to_container(cfg.settings))
    library = MethodLibrary(kind, method_folders(), instantiate, refinement_of, settings, cfg.device)
    return library.choose([*entries_of(cfg.methods), *entries_of(cfg.checkpoint)], partial(_OF_RUN[kind], cfg))


def method_folders() -> list[Path]:
    """conf/method, and ``method`` in every folder of Hydra's search path (hydra.searchpath, --config-dir)."""
    sources = HydraConfig.get().runtime.config_sources if HydraConfig.initialized() else []
    searched = (Path(one.path) / "method" for one in sources if one.schema == "file")
    return list(dict.fromkeys([CONF / "method", *searched]))


def _hits(cfg: DictConfig, checkpoint: Path) -> Methods:
    options = {**cast(dict[str, Any], OmegaConf.to_container(cfg.preprocess)), "views": cfg.views}
    options |= {"batch_size": cfg.batch_size, "device": cfg.device, "hit_threshold": cfg.hits.threshold}
    yield "", partial(CheckpointMethod, checkpoint=checkpoint, instantiate=instantiate, cache_dir=str(CACHE), **options)


def _supports(cfg: DictConfig, checkpoint: Path) -> Methods:
    bins = 1 if cfg.preprocess.bin is None else cfg.preprocess.bin
    options = {"bin": bins, "batch_size": cfg.batch_size, "device": cfg.device}
    yield "", partial(SupportCheckpoint, checkpoint=checkpoint, instantiate=instantiate, **options)


def _volumes(cfg: DictConfig, checkpoint: Path) -> Methods:
    """A run of wu_supervised is two methods: its prediction, and that refined on the pattern as by wu_transfer."""
    yield "", partial(VolumeCheckpoint, checkpoint, instantiate, device=cfg.device)
    refinement = refinement_of(TRANSFER, OmegaConf.to_container(cfg.transfer), checkpoint)
    yield ", refined", partial(RefinedNetwork, refinement, device=cfg.device)


_OF_RUN: Final = {"hits": _hits, "supports": _supports, "volumes": _volumes}


def refinement_of(experiment: str, overrides: Any, checkpoint: Path | None = None) -> RefinementSettings:
    """Task of an experiment of spi train and its early stopping.

    Args:
        experiment: Name in conf/experiment/, of a refinement.
        overrides: Settings laid over it, nested as in YAML.
        checkpoint: Checkpoint whose network and weights are refined; None: random weights.

    Raises:
        UserError: An experiment of another task, a checkpoint that is none or does not fit.
    """
    cfg = compose("train", overrides=[f"experiment={experiment}", *as_words(overrides)])
    if checkpoint is not None:
        cfg.checkpoint, cfg.resume = str(checkpoint), None
        starting_weights(cfg)  # takes the network's settings into cfg
    return refinement_settings(cfg, experiment, checkpoint)
