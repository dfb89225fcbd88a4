"""YAML files that a command's configuration was composed of, and what one of them replaces of another."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

from spi_lightning.notes import Note

_EXPERIMENT: Final = "experiment"


@dataclass(frozen=True)
class ComposedFile:
    """One file of the composition.

    Attributes:
        name: Name below the folder of configurations, such as ``simulate/hits``.
        package: Full name of the setting that its keys lie in; empty for the configuration itself.
        path: YAML file, conf/simulate/hits.yaml or that of the user.
    """

    name: str
    package: str
    path: Path

    def named(self, key: str) -> str:
        """Full name of a key of this file."""
        return f"{self.package}.{key}" if self.package else key


def composed_files() -> Iterator[ComposedFile]:
    """The files that Hydra has composed, in the order in which one is laid over the other."""
    hydra = HydraConfig.get()
    words = [*hydra.overrides.hydra, *hydra.overrides.task]
    folders = [Path(source.path) for source in hydra.runtime.config_sources if source.schema == "file"]
    loader = GlobalHydra.instance().config_loader()
    for part in loader.compute_defaults_list(hydra.job.config_name, words, RunMode.RUN).defaults:
        path = next((path for folder in folders if (path := folder / f"{part.config_path}.yaml").is_file()), None)
        if path is not None:
            yield ComposedFile(str(part.config_path), part.package or "", path)


def notes_on_replaced_choices() -> list[Note]:
    """A note of each file that the user has chosen and of which the experiment replaces values, naming each of them.

    Values of the command line itself hold over the experiment, and need none.
    """
    if not HydraConfig.initialized():
        return []
    pairs = (word.partition("=") for word in HydraConfig.get().overrides.task)
    words = {key.lstrip("+~"): value for key, _, value in pairs}
    if not (experiment := words.get(_EXPERIMENT)):
        return []
    files, laid_over = list(composed_files()), dict[str, Any]()
    for file in files:
        if file.name.startswith(f"{_EXPERIMENT}/"):
            laid_over |= _leaves(file)
    own = [file for file in files if file.name in {f"{group}/{choice}" for group, choice in words.items()}]
    given = {key for key, value in words.items() if f"{key}/{value}" not in {file.name for file in own}}
    return [note for file in own for note in _replaced(file, laid_over, given, f"{_EXPERIMENT}={experiment}")]


def _replaced(file: ComposedFile, laid_over: Mapping[str, Any], given: set[str], experiment: str) -> Iterator[Note]:
    """Note on the values of a file that others of the same names are laid over; none without such values."""
    own = {key: value for key, value in _leaves(file).items() if key in laid_over and laid_over[key] != value}
    lost = {key: value for key, value in own.items() if not any(f"{key}.".startswith(f"{one}.") for one in given)}
    if lost and not file.name.startswith(_EXPERIMENT):
        pairs = ", ".join(f"{key}={_written(laid_over[key])} over {_written(value)}" for key, value in lost.items())
        words = " ".join(f"{key}={_written(value)}" for key, value in lost.items())
        yield Note.warning(
            f"{experiment} is laid over {file.name.replace('/', '=')} and sets {pairs}; to keep yours, add {words}"
        )


def _leaves(file: ComposedFile) -> dict[str, Any]:
    """Values of a file by the full names of their settings; a list is one value."""
    content = OmegaConf.to_container(OmegaConf.load(file.path), resolve=False)
    plain = {key: value for key, value in content.items() if key != "defaults"} if isinstance(content, dict) else {}
    return {file.named(key): value for key, value in _flat(plain, ())}


def _flat(values: Mapping[Any, Any], above: Sequence[str]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, (*above, str(key)))
        else:
            yield ".".join((*above, str(key))), value


def _written(value: object) -> str:
    """A value as a command line takes it."""
    return (f"{value:g}" if isinstance(value, float) else str(value)).replace(" ", "").replace("None", "null")
