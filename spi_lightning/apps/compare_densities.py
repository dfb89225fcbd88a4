"""The command ``spi compare-densities``: two or more densities aligned, and their correlation shell by shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from hydra.utils import instantiate
from omegaconf import DictConfig

from spi_lightning.apps.configuration.resolved import resolved
from spi_lightning.apps.configuration.value_types import NAMES, TEXT, check_types
from spi_lightning.apps.process.job_folder import record
from spi_lightning.codec import save
from spi_lightning.evaluation.densities import DensitySettings, compare, open_density
from spi_lightning.files import write_json
from spi_lightning.reports.densities.page import print_comparison, write_densities_report
from spi_lightning.results.densities import DENSITIES_FILE
from spi_lightning.settings import entries_of, field_types, filled
from spi_lightning.tracking import METRICS
from spi_lightning.tracking.job_folders import alone

TYPES: Final = {**field_types(DensitySettings), "densities": NAMES, "mask": TEXT}


@alone
def compare_densities(cfg: DictConfig) -> dict[str, Any]:
    """Compare the densities of a configuration; write densities.h5, metrics.json and the page.

    Args:
        cfg: conf/compare-densities.yaml and what was laid over it.

    Returns:
        The content of metrics.json.

    Raises:
        UserError: A mistake in settings or files.
    """
    check_types(cfg, "compare-densities", TYPES)
    folder, settings = Path(cfg.folder), filled(DensitySettings, resolved(cfg))
    figures = instantiate(cfg.report.figures, _convert_="all")
    result = compare([open_density(path) for path in entries_of(cfg.densities)], settings)
    record(cfg)
    save(folder / DENSITIES_FILE, result)
    write_json(folder / METRICS, result.metrics)
    print_comparison(result, write_densities_report(folder, figures))
    return result.metrics
