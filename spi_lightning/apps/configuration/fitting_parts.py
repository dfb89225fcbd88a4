"""Names of the parts of a training on the command line, for the mistakes of parts that do not fit."""

from functools import cache

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from spi_lightning.locations import CONF
from spi_lightning.tasks.fitting import name_of


def choice_of(group: str, name: str) -> str:
    """Name of a part on the command line: the chosen one, else the first file of its group that holds it."""
    chosen = HydraConfig.get().runtime.choices.get(group) if HydraConfig.initialized() else None
    found = [choice for choice, part in _parts(group).items() if part == name]
    return str(chosen) if chosen in found else next(iter(found), name)


@cache
def _parts(group: str) -> dict[str, str]:
    """Choice of a group -> name of its function or class, the shortest choice first."""
    found = sorted((CONF / group).glob("*.yaml"), key=lambda path: (len(path.stem), path.stem))
    return {path.stem: name_of(OmegaConf.load(path)) for path in found}
