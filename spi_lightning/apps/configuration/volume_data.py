"""3D patterns of data=volumes, single_volume, one_scan and simulated_volumes, opened for a comparison."""

from __future__ import annotations

from typing import Any, Final, cast

from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, open_dict

from spi_lightning.data.measurement import Measurement
from spi_lightning.data.scans.single_pattern import measure_scan
from spi_lightning.data.scans.volume_patterns import VolumePatterns, of_measurements, open_volume_patterns
from spi_lightning.data.simulated.data_modules import SimulatedVolumeDataModule
from spi_lightning.errors import UserError
from spi_lightning.evaluation.volumes import VolumeSettings

_MEASURED: Final = ("key", "size", "bin", "threshold", "keys", "geometry")


def open_volumes(data: DictConfig, chosen: VolumeSettings) -> VolumePatterns:
    """The patterns behind a data configuration.

    Args:
        data: One of conf/data/ whose patterns are volumes.
        chosen: Number of particles of a simulated set, counts of a known object, and seed.

    Raises:
        UserError: As open_volume_patterns; or frames to exclude, of which a volume has none.
    """
    settings = data.copy()
    with open_dict(settings):
        if settings.pop("exclude", None):
            raise UserError("data.exclude leaves out frames of single-hit data; volumes have none.")
    made_by = get_object(settings._target_)
    if made_by is measure_scan:
        return of_measurements([str(settings.path)], [cast(Measurement, instantiate(settings, _convert_="all"))])
    if made_by is SimulatedVolumeDataModule:
        with open_dict(settings):
            settings.patterns = {"test": chosen.first}  # no training set is made for an evaluation
        module: SimulatedVolumeDataModule = instantiate(settings, _convert_="all")
        module.prepare_data()
        module.setup("predict")
        return open_volume_patterns(str(module.splits["test"].path), chosen.first)  # type: ignore[attr-defined]
    named = {name: settings[name] for name in _MEASURED if name in settings}
    made: dict[str, Any] = instantiate(named, _convert_="all")
    if not settings.path:
        raise UserError(f"data.path={settings.path}: name a file, or a list of them.")
    path = settings.path if isinstance(settings.path, str) else [str(one) for one in settings.path]
    return open_volume_patterns(path, chosen.first, **made, peak_photons=chosen.peak_photons, seed=chosen.seed)
