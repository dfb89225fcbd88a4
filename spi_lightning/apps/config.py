"""The command ``spi config``: the resolved settings of a command, with the comments of the files they come from."""

import re
from pathlib import Path
from typing import Any, Final

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from spi_lightning.apps.configuration.resolved import escaped, resolved
from spi_lightning.settings.comments import read_choice, with_comments

_GROUP: Final = re.compile(r"\$\{(as_yaml:)?\w+\}")


def config(cfg: DictConfig) -> None:
    """Print the settings of a command as YAML, every value as the command would take it.

    What repeats a group, such as ``network`` within ``task``, is printed once, and as ``${network}`` elsewhere.
    """
    values = _once(resolved(cfg, whole=False), OmegaConf.to_container(cfg, resolve=False))
    print(with_comments(OmegaConf.to_yaml(OmegaConf.create(values)), _comments()), end="")


def _once(value: Any, written: Any) -> Any:
    """A value without what is a copy of a group; ``written`` is the same before it was resolved."""
    if isinstance(value, dict) and isinstance(written, dict):
        return {key: _once(each, written.get(key)) for key, each in value.items()}
    copied = isinstance(written, str) and _GROUP.fullmatch(written) and (isinstance(value, dict) or ":" in written)
    return written if copied else escaped(value)


def _comments() -> dict[str, str]:
    """Comment of every setting by its full name, from the files that Hydra has composed."""
    hydra, comments = HydraConfig.get(), dict[str, str]()
    words = [*hydra.overrides.hydra, *hydra.overrides.task]
    folders = [Path(source.path) for source in hydra.runtime.config_sources if source.schema == "file"]
    loader = GlobalHydra.instance().config_loader()
    for part in loader.compute_defaults_list(hydra.job.config_name, words, RunMode.RUN).defaults:
        path = next((path for folder in folders if (path := folder / f"{part.config_path}.yaml").is_file()), None)
        for setting in read_choice(path).settings if path is not None else ():
            if setting.comment:
                comments[f"{part.package}.{setting.key}" if part.package else setting.key] = setting.comment
    return comments
