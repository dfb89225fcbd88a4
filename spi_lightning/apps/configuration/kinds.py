"""Kinds of evaluation, hits, supports or volumes: which one data and methods are of."""

from functools import cache
from pathlib import Path
from typing import get_type_hints

from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_class, get_object
from omegaconf import DictConfig, OmegaConf

from spi_lightning.data.scans.single_pattern import measure_scan
from spi_lightning.data.scans.single_volume import SingleVolumeDataModule
from spi_lightning.data.simulated.data_modules import SimulatedVolumeDataModule
from spi_lightning.data.supports import SupportBatches
from spi_lightning.data.volumes import VolumeDataModule
from spi_lightning.errors import UserError
from spi_lightning.locations import CONF
from spi_lightning.results.hit_answer import HitPart
from spi_lightning.results.support_answer import SupportPart
from spi_lightning.results.volume_answer import VolumePart

METHODS = CONF / "method"
VOLUMES = (VolumeDataModule, SimulatedVolumeDataModule, SingleVolumeDataModule)
PARTS = {HitPart: "hits", SupportPart: "supports", VolumePart: "volumes"}


def kind_of_data(data: DictConfig) -> str:
    """``supports`` for data modules of densities and supports, ``volumes`` for those of 3D patterns, else ``hits``."""
    made_by = get_object(data._target_)
    if made_by is measure_scan or (isinstance(made_by, type) and issubclass(made_by, VOLUMES)):
        return "volumes"
    return "supports" if isinstance(made_by, type) and issubclass(made_by, SupportBatches) else "hits"


def method_folders() -> list[Path]:
    """conf/method, and ``method`` in every folder of Hydra's search path (hydra.searchpath, --config-dir)."""
    sources = HydraConfig.get().runtime.config_sources if HydraConfig.initialized() else []
    return list(dict.fromkeys([METHODS, *(Path(one.path) / "method" for one in sources if one.schema == "file")]))


def method_file(name: str) -> Path | None:
    """The file of a method's settings, NAME.yaml; None where there is none."""
    return next((path for folder in method_folders() if (path := folder / f"{name}.yaml").is_file()), None)


def kind_of_method(name: str) -> str:
    """Kind of the method of NAME.yaml, by the annotation of the part that it answers."""
    path = method_file(name)
    assert path is not None
    return _kind_of_file(path)


@cache
def _kind_of_file(path: Path) -> str:
    method = get_class(OmegaConf.load(path)._target_)
    try:
        return PARTS[get_type_hints(getattr(method, "answer", None))["part"]]
    except (TypeError, KeyError, NameError) as error:
        names = ", ".join(part.__name__ for part in PARTS)
        raise UserError(
            f"{path}: {method.__name__} needs answer(self, part, listener), part annotated as one of {names}"
        ) from error


def names_of(kind: str) -> list[str]:
    """Names of methods that answer this kind, sorted."""
    names = {path.stem for folder in method_folders() for path in folder.glob("*.yaml")}
    return [name for name in sorted(names) if kind_of_method(name) == kind]


def require_kind(entry: str, kind: str) -> None:
    """UserError if the entry is the name of a method that answers another kind; runs are judged when they are read."""
    if method_file(entry) is not None and kind_of_method(entry) != kind:
        raise UserError(
            f"method={entry} answers {kind_of_method(entry)}, and this data asks for {kind}; methods of {kind}: "
            f"{', '.join(names_of(kind))}, or a run trained on {kind}."
        )
