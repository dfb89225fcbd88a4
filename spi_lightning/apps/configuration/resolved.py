r"""Resolved configurations, in which texts that hold ``${``, such as names of files, stay texts.

OmegaConf reads ``\${x}`` as the text ``${x}``, but OmegaConf.resolve, which Hydra's instantiate calls, writes that text
back bare, so that the next look at it is an interpolation. Here it stays escaped.
"""

from typing import Any, TypeVar, cast

import omegaconf._impl
from hydra.core.hydra_config import HydraConfig
from omegaconf import Container, DictConfig, Node, OmegaConf

from spi_lightning.settings import with_defaults

T = TypeVar("T")
_resolve_value = getattr(omegaconf._impl, "_resolve_container_value", None)  # of another omegaconf: nothing


def resolved(cfg: DictConfig, whole: bool = True) -> dict[str, Any]:
    """A configuration as plain containers; MissingMandatoryValue for a missing value, unless it need not be whole."""
    return cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True, throw_on_missing=whole))


def recorded(cfg: DictConfig) -> dict[str, Any]:
    """A configuration as plain containers, with the defaults of its parts, so that later defaults do not change it."""
    return cast(dict[str, Any], with_defaults(resolved(cfg)))


def command_words() -> list[str] | None:
    """Overrides of the command line, of a sweep's job its own included; None outside hydra.main."""
    return list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else None


def keep_names() -> None:
    """Patch OmegaConf in this process so that resolved texts that hold ``${`` stay texts."""
    if _resolve_value is not None:
        omegaconf._impl._resolve_container_value = _resolve_and_escape


def escaped(value: T) -> T:
    """A value, or all of plain containers, such that OmegaConf gives back the texts that stand in it."""
    found: Any = value
    if isinstance(value, str):
        found = value.replace("${", r"\${")
    elif isinstance(value, dict):
        found = {key: escaped(each) for key, each in value.items()}
    elif isinstance(value, list):
        found = [escaped(each) for each in value]
    return found  # type: ignore[no-any-return]


def _resolve_and_escape(cfg: Container, key: Any) -> None:
    assert _resolve_value is not None
    _resolve_value(cfg, key)
    node = cfg._get_child(key)
    if isinstance(node, Node) and isinstance(text := node._value(), str) and "${" in text:
        node._set_value(escaped(text))
