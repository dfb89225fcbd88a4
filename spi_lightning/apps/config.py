"""The command ``spi config``: the resolved settings of a command, with the comments of the files they come from."""

import re
from typing import Any, Final

from omegaconf import DictConfig, OmegaConf

from spi_lightning.apps.configuration.composed_files import composed_files, notes_on_replaced_choices
from spi_lightning.apps.configuration.resolved import escaped, resolved
from spi_lightning.settings.comments import read_choice, with_comments

_GROUP: Final = re.compile(r"\$\{(as_yaml:)?\w+\}")


def config(cfg: DictConfig) -> None:
    """Print the settings of a command as YAML, every value as the command would take it.

    What repeats a group, such as ``network`` within ``task``, is printed once, and as ``${network}`` elsewhere.
    """
    for note in notes_on_replaced_choices():
        print(f"# {note}")
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
    read = ((file, setting) for file in composed_files() for setting in read_choice(file.path).settings)
    return {file.named(setting.key): setting.comment for file, setting in read if setting.comment}
