"""Check of the types of all values in a configuration, before objects are made."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from omegaconf import DictConfig, OmegaConf

from spi_lightning.locations import CONF
from spi_lightning.settings import check_settings

from .mistake_lines import from_a_file

TEXT: Final = str | None
NAMES: Final = str | Sequence[str]
_ALL: Final = {"name": str | float, "trust": NAMES | None}


def check_types(cfg: DictConfig, command: str, types: Mapping[str, Any]) -> None:
    """Check the settings of a command, as settings.check_settings does.

    Args:
        cfg: Configuration of the command.
        command: Name of its own file in conf/, whose values show the types of its settings.
        types: Annotations by full name of those whose value does not (null, text or a list), ``name`` and ``trust``
            excepted.

    Raises:
        UserError: The first value that does not fit, or a setting that nothing takes.
    """
    own, plain = (
        cast(dict[str, Any], OmegaConf.to_container(each, resolve=False))
        for each in (OmegaConf.load(CONF / f"{command}.yaml"), cfg)
    )
    check_settings(plain, own, {**_ALL, **types}, from_a_file)
