"""Parts of a training that do not fit together, named as the command line names them."""

from functools import cache
from typing import cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from spi_lightning.errors import UserError
from spi_lightning.locations import CONF
from spi_lightning.tasks.fitting import Settings, disagreement_of, misfit_of, name_of


def check_parts(cfg: DictConfig) -> None:
    """Raise UserError for the first part of a training that does not fit its task, with the remedy."""
    if (found := misfit_of(cast(Settings, cfg))) is not None:
        choices = ", ".join(sorted({_choice(found.group, name) for name in found.fitting}))
        raise UserError(
            f"{found.group}={_chosen(found.group, found.part)} does not fit {found.owner[0]}={_choice(*found.owner)}: "
            f"choose one of {choices}"
        )
    if (disagreement := disagreement_of(cast(Settings, cfg.task))) is not None:
        group, other, remedy = disagreement
        raise UserError(f"{group}={_chosen(group, name_of(cfg.task[group]))} does not agree with {other}: set {remedy}")


def _chosen(group: str, name: str) -> str:
    """The choice of the command line, where it is this part."""
    chosen = HydraConfig.get().runtime.choices.get(group) if HydraConfig.initialized() else None
    path = CONF / group / f"{chosen}.yaml"
    return str(chosen) if path.is_file() and name_of(OmegaConf.load(path)) == name else _choice(group, name)


@cache
def _choice(group: str, name: str) -> str:
    """Name of a part on the command line: the first file of its group that holds it; its own name without one."""
    for path in sorted((CONF / group).glob("*.yaml"), key=lambda path: (len(path.stem), path.stem)):
        if name_of(OmegaConf.load(path)) == name:
            return path.stem
    return name
