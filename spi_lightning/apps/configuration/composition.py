"""What composing a configuration does beyond Hydra: settings of a signature need no plus, unused groups are left out.

A YAML of conf/ shows what differs from the signature of the part that it names. ``network.slope=0.1`` is taken all the
same where the network has a ``slope``, and any setting with ``resume=``, where the run itself says what there is. Hydra
has no hook for either, so one function of its loader is replaced.
"""

from collections.abc import Mapping, Set
from typing import Any, Final, cast

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.types import Override
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from spi_lightning.settings import takes_setting, unused_parts

PARTS: Final = ("network", "preprocess", "loss", "metric", "optimizer", "schedule", "simulate")
"""Groups that a command does not read itself: the task and the data name them as ``${network}``."""
OF_KIND: Final[Mapping[str, tuple[str, ...]]] = {
    "hits": ("training_labels", "decision", "selection", "hits", "frame_columns", "views"),
    "supports": ("supports",),
    "volumes": ("volumes", "transfer"),
}
"""Settings of spi evaluate that only one kind of data reads."""
_apply = ConfigLoaderImpl._apply_overrides_to_config


def compose_by_signature() -> None:
    """From now on, Hydra composes as this module says."""
    ConfigLoaderImpl._apply_overrides_to_config = staticmethod(_applied)  # type: ignore[method-assign]


def _applied(overrides: list[Override], cfg: DictConfig) -> None:
    resumes = any(override.key_or_group == "resume" and override.value() is not None for override in overrides)
    for override in overrides:
        if override.package is None and not (override.is_add() or override.is_force_add()):
            if resumes:
                _admit_any(override.key_or_group, cfg)
            elif not override.is_delete():
                _admit(override.key_or_group, cfg)
        _apply([override], cfg)
    leave_out_unused(cfg)


def _admit(name: str, cfg: DictConfig) -> None:
    """Make place for a setting that stands in no YAML, where the part it belongs to takes it."""
    *groups, last = name.split(".")
    node = cfg
    for group in groups:
        if group not in node or OmegaConf.is_interpolation(node, group) or OmegaConf.is_missing(node, group):
            return
        if not isinstance(node := node[group], DictConfig):
            return
    if last not in node and takes_setting(node.get("_target_"), last):
        with open_dict(node):
            node[last] = None


def _admit_any(name: str, cfg: DictConfig) -> None:
    """Make place for a setting that a resumed run may have, whose own settings are read later."""
    *groups, last = name.split(".")
    node = cfg
    for group in groups:
        if group in node and (OmegaConf.is_interpolation(node, group) or OmegaConf.is_missing(node, group)):
            return
        if group not in node or node[group] is None:
            with open_dict(node):
                node[group] = {}
        if not isinstance(node := node[group], DictConfig):
            return
    if last not in node:
        with open_dict(node):
            node[last] = None


def leave_out_unused(cfg: DictConfig) -> None:
    """Remove every part that nothing of a configuration refers to, directly or through another part.

    Of an evaluation, the settings of other kinds of data than its own go as well.

    A command without a task or methods, such as apps.simulate, reads its parts itself and keeps them.
    """
    if "data" not in cfg or not {"task", "methods"} & set(cfg):
        return
    plain = cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=False))
    unused = unused_parts(plain, PARTS)
    if "supports" in cfg:
        unused |= _of_other_kinds(cfg) & set(plain)
    with open_dict(cfg):
        for name in unused:
            del cfg[name]


def _of_other_kinds(cfg: DictConfig) -> Set[str]:
    """Settings of an evaluation that its kind of data does not read; none where its data cannot be imported."""
    from spi_lightning.data.kind import kind_of_data  # imports data modules, which other commands do not need

    try:
        kind = kind_of_data(get_object(cfg.data._target_))
    except (ImportError, ValueError, OmegaConfBaseException):  # the command says what is wrong
        return set()
    return {name for other, names in OF_KIND.items() if other != kind for name in names}
