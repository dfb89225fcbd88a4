"""The command ``spi orient``: from a selection to orientations by EMC."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from hydra.utils import instantiate
from omegaconf import DictConfig

from spi_lightning.apps.configuration.resolved import resolved
from spi_lightning.apps.configuration.value_types import TEXT, check_types
from spi_lightning.apps.process.job_folder import record
from spi_lightning.codec import save
from spi_lightning.errors import UserError
from spi_lightning.files import write_json
from spi_lightning.io import PatternKeys
from spi_lightning.mistakes import stopped_with
from spi_lightning.orientation import OrientationSettings, open_source, prepare, solve
from spi_lightning.reports.orientation.page import print_orientations, write_orientation_report
from spi_lightning.results.orientation import ORIENTATION_FILE
from spi_lightning.settings import field_types, filled
from spi_lightning.tracking import METRICS
from spi_lightning.tracking.job_folders import alone

TYPES: Final = {
    **field_types(OrientationSettings),
    **{f"data.keys.{name}": TEXT for name in ("photons", "label", "mask", "particle_id", "index")},
    "data.path": TEXT,
    "data.adu_per_photon": float | None,
    "emc.beta_schedule": str | float,
}


@alone
def orient(cfg: DictConfig) -> dict[str, Any]:
    """Orient patterns by EMC, test whether orientations are even, and report.

    Args:
        cfg: conf/orient.yaml and what was laid over it.

    Returns:
        The content of metrics.json.

    Raises:
        UserError: A mistake in settings or files; Dragonfly absent or failing.
    """
    check_types(cfg, "orient", TYPES)
    folder, settings = Path(cfg.folder), filled(OrientationSettings, resolved(cfg))
    if cfg.data.path is None:
        raise UserError(
            "data.path has no value: add data.path=FILE, or the folder of an evaluation run, to the command"
        )
    keys = PatternKeys(**instantiate(cfg.data["keys"], _convert_="all"))
    patterns = open_source(str(cfg.data.path), keys, cfg.data.mask_convention, cfg.data.adu_per_photon)
    problem = prepare(patterns, settings)
    record(cfg)
    goes_on = "" if settings.dragonfly else f"; the same command with out={folder} goes on"
    with stopped_with(lambda: f"what EMC had written is in {folder}{goes_on}"):  # an interrupt stops Dragonfly too
        result, metrics = solve(problem, folder)
    save(folder / ORIENTATION_FILE, result)
    write_json(folder / METRICS, metrics)
    print_orientations(metrics, result.notes, write_orientation_report(folder))
    return metrics
