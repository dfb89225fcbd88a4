"""The command ``spi config``: the resolved settings of a command, with the comments of the files they come from."""

from pathlib import Path

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from spi_lightning.apps.configuration.resolved import escaped, resolved
from spi_lightning.settings.comments import read_choice, with_comments


def config(cfg: DictConfig) -> None:
    """Print the settings of a command as YAML, every value as the command would take it."""
    text = OmegaConf.to_yaml(OmegaConf.create(escaped(resolved(cfg, whole=False))))
    print(with_comments(text, _comments()), end="")


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
