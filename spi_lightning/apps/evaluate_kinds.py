"""What is asked of a file, single hits, supports or volumes, and which methods can answer that."""

from functools import cache
from pathlib import Path

from hydra.utils import get_class, get_object
from omegaconf import DictConfig, OmegaConf

from spi_lightning.data.one_scan import measure_scan
from spi_lightning.data.simulated_volumes import SimulatedVolumeDataModule
from spi_lightning.data.single_volume import SingleVolumeDataModule
from spi_lightning.data.supports import SupportBatches
from spi_lightning.data.volumes import VolumeDataModule
from spi_lightning.fields import UserError

METHODS = Path(__file__).parents[2] / "conf" / "method"
VOLUMES = (VolumeDataModule, SimulatedVolumeDataModule, SingleVolumeDataModule)
ANSWERS = {
    "hits": "answer",
    "supports": "answer_supports",
    "volumes": "answer_volumes",
}  # kind -> what its methods are asked


def kind_of_data(data: DictConfig) -> str:
    """``supports`` for data modules of densities and supports, ``volumes`` for those of 3D patterns, else ``hits``."""
    made_by = get_object(data._target_)
    if made_by is measure_scan or (isinstance(made_by, type) and issubclass(made_by, VOLUMES)):
        return "volumes"
    return "supports" if isinstance(made_by, type) and issubclass(made_by, SupportBatches) else "hits"


@cache
def kind_of_method(name: str) -> str:
    """Which kind conf/method/NAME.yaml answers."""
    method = get_class(OmegaConf.load(METHODS / f"{name}.yaml")._target_)
    return next(kind for kind, answer in ANSWERS.items() if hasattr(method, answer))


def names_of(kind: str) -> list[str]:
    """Names in conf/method/ that answer this kind, sorted."""
    return [name for name in sorted(path.stem for path in METHODS.glob("*.yaml")) if kind_of_method(name) == kind]


def require_kind(entry: str, kind: str) -> None:
    """UserError if the entry is the name of a method that answers another kind; runs are judged when they are read."""
    if (METHODS / f"{entry}.yaml").is_file() and kind_of_method(entry) != kind:
        raise UserError(
            f"method={entry} answers {kind_of_method(entry)}, and this data asks for {kind}; methods of {kind}: "
            f"{', '.join(names_of(kind))}, or a run trained on {kind}."
        )
