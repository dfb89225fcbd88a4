"""Parts of this package by the names of their YAML files in conf/, with other settings where they are given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hydra import compose, initialize_config_dir
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf

from spi_lightning.errors import UserError
from spi_lightning.locations import CONF
from spi_lightning.mistakes import mistake_of
from spi_lightning.settings import as_words, check_settings, takes_setting

if TYPE_CHECKING:
    from spi_lightning.methods import RefinementSettings


def make_part(group: str, name: str, settings: Mapping[str, Any] | None = None, /, **fixed: Any) -> Any:
    """The object that conf/GROUP/NAME.yaml describes.

    Args:
        group: Folder in conf/, such as ``simulate`` or ``method``.
        name: Name of the file without .yaml.
        settings: Values that replace those of the file, by name, with ``__`` for a dot.
        fixed: Arguments of the object that no file holds.

    Raises:
        UserError: No such file, a setting that the object does not take, or a value that it refuses.
    """
    choices = names_in(group)
    if name not in choices:
        raise UserError(f"{group}={name} is unknown; choose one of {', '.join(choices)}")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose(overrides=[f"+{group}={name}"])[group]
    for key, value in (settings or {}).items():
        _set(cfg, key.replace("__", "."), value, f"{group}={name}")
    check_settings(cast(dict[str, Any], OmegaConf.to_container(cfg)), {}, {})
    try:
        return instantiate(cfg, **fixed, _convert_="all")
    except Exception as error:
        if (line := mistake_of(error)) is not None:
            raise UserError(line) from error
        raise


def refinement_of(experiment: str, overrides: Any) -> RefinementSettings:
    """Refinement of one pattern from random weights, as an experiment of conf/experiment/ describes it.

    Args:
        experiment: Name of the experiment.
        overrides: Settings laid over it, nested as in YAML.
    """
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", overrides=[f"experiment={experiment}", *as_words(overrides)])
    return refinement_settings(cfg, experiment)


def refinement_settings(cfg: DictConfig, experiment: str, checkpoint: Path | None = None) -> RefinementSettings:
    """Task and early stopping of a composed conf/train.yaml, for the refinement of one pattern.

    Args:
        cfg: Composed configuration of a training with its experiment laid over it.
        experiment: Name of its experiment, for the message.
        checkpoint: Checkpoint whose weights are refined; None: random weights.

    Raises:
        UserError: The task is not a refinement.
    """
    from pytorch_lightning.callbacks import EarlyStopping  # seconds, which phasing without a network need not wait

    from spi_lightning.methods import RefinementSettings
    from spi_lightning.tasks import Refinement

    if get_class(cfg.task._target_) is not Refinement:
        raise UserError(f"experiment={experiment} is not a refinement of one pattern, but {cfg.task._target_}")
    chosen = [one for one in cfg.callbacks.values() if one is not None]
    stops = [one for one in chosen if issubclass(get_class(one._target_), EarlyStopping)]
    task, *stopping = (
        cast(dict[str, Any], OmegaConf.to_container(one, resolve=True, throw_on_missing=True))
        for one in (cfg.task, *stops)
    )
    return RefinementSettings(task, stopping, instantiate, checkpoint)


def settings_of(group: str, name: str) -> dict[str, Any]:
    """Settings of conf/GROUP/NAME.yaml as plain containers."""
    return cast(dict[str, Any], OmegaConf.to_container(OmegaConf.load(CONF / group / f"{name}.yaml")))


def names_in(group: str) -> list[str]:
    """Names of the files of a group of conf/, sorted."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def _set(cfg: DictConfig, key: str, value: Any, part: str) -> None:
    parent, _, last = key.rpartition(".")
    node = OmegaConf.select(cfg, parent) if parent else cfg
    if not isinstance(node, DictConfig) or not (last in node or takes_setting(node.get("_target_"), last)):
        raise UserError(f"{part} has no setting {key}")
    OmegaConf.update(cfg, key, value, force_add=True)
