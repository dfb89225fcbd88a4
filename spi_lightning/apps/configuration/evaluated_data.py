"""Patterns of an evaluation, from the settings of its data."""

from __future__ import annotations

from typing import Any, Final, cast

from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, open_dict

from spi_lightning.data.measurement import Measurement
from spi_lightning.data.scans.single_pattern import measure_scan
from spi_lightning.data.scans.volume_patterns import ScanSettings, VolumePatterns, of_measurements, open_volume_patterns
from spi_lightning.data.simulated.data_modules import SimulatedVolumeDataModule
from spi_lightning.errors import UserError
from spi_lightning.io import PatternFile
from spi_lightning.results.volumes import VolumeSettings

_MEASURED: Final = ("key", "size", "bin", "threshold", "keys", "geometry")


def open_frames(data: DictConfig, kind: str) -> PatternFile:
    """Pattern file of hits or supports: all frames of a file, the test set of simulated ones."""
    settings = _without_exclusion(data, kind)
    test = settings.patterns.test if kind == "supports" and "patterns" in settings else None
    file: PatternFile = _predicted(settings, test).file
    return file


def open_volumes(data: DictConfig, chosen: VolumeSettings) -> VolumePatterns:
    """3D patterns of data=volumes, single_volume, one_scan or simulated_volumes.

    Args:
        data: One of conf/data/ whose patterns are volumes.
        chosen: Number of particles of a simulated set, counts of a known object, and seed.

    Raises:
        UserError: As open_volume_patterns; or frames to exclude, of which a volume has none.
    """
    settings = _without_exclusion(data, "volumes")
    made_by = get_object(settings._target_)
    if made_by is measure_scan:
        return of_measurements([str(settings.path)], [cast(Measurement, instantiate(settings, _convert_="all"))])
    if made_by is SimulatedVolumeDataModule:
        return open_volume_patterns(str(_predicted(settings, chosen.first).path), chosen.first)
    named = {name: settings[name] for name in _MEASURED if name in settings}
    scans = ScanSettings(**instantiate(named, _convert_="all"))
    if not settings.path:
        raise UserError(f"data.path={settings.path}: name a file, or a list of them")
    path = settings.path if isinstance(settings.path, str) else [str(one) for one in settings.path]
    return open_volume_patterns(path, chosen.first, scans, chosen.peak_photons, seed=chosen.seed)


def _without_exclusion(data: DictConfig, kind: str) -> DictConfig:
    """Settings of a data module; UserError for frames to leave out, unless the data are hits."""
    settings = data.copy()  # a child of the same configuration, so that interpolations still hold
    with open_dict(settings):
        if settings.pop("exclude", None) and kind != "hits":
            raise UserError(f"data.exclude leaves out frames of single-hit data; {kind} have no doubtful labels")
    return settings


def _predicted(settings: DictConfig, test: int | None) -> Any:
    """The data set that a data module predicts on; with ``test``, a simulated set of so many patterns and no other."""
    if test is not None:
        with open_dict(settings):
            settings.patterns = {"test": test}
    module = instantiate(settings, _convert_="all")
    module.prepare_data()
    module.setup("predict")
    return module.splits["predict"]
