"""Phase 3D patterns with each of some methods, compare them, and report: evaluate.py data=volumes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final, cast

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from spi_lightning import codec
from spi_lightning.apps.configuration.volume_data import open_volumes
from spi_lightning.apps.process.job_folder import record
from spi_lightning.evaluation import Cache
from spi_lightning.evaluation.console_table import NumberColumn, methods_table, print_summary
from spi_lightning.evaluation.volumes import VolumeQuestion, VolumeSettings, compare
from spi_lightning.evaluation.volumes.outputs import write_outputs
from spi_lightning.files import write_json
from spi_lightning.reports.volumes.page import write_volumes_report
from spi_lightning.results.volumes import VOLUMES_FILE
from spi_lightning.tracking import METRICS

from .volume_methods import make_volume_methods

COLUMNS: Final = (
    NumberColumn("chi_square", "χ² fitted"),
    NumberColumn("held_out_chi_square", "χ² held out"),
    NumberColumn("correlation", "r_p"),
    NumberColumn("held_out_correlation", "r_p held out"),
    NumberColumn("free_voxels", "free voxels"),
    NumberColumn("density_error", "density error"),
    NumberColumn("seconds_per_run", "s / run"),
)


def evaluate_volumes(cfg: DictConfig) -> dict[str, Any]:
    """Phase, compare, write and report as a configuration says.

    Args:
        cfg: conf/evaluate.yaml with data=volumes, single_volume, one_scan or simulated_volumes.

    Returns:
        Content of metrics.json.

    Raises:
        UserError: A mistake in settings, files or checkpoints.
    """
    folder = Path(cfg.folder)
    settings = VolumeSettings(**cast(dict[str, Any], OmegaConf.to_container(cfg.volumes)), seed=int(cfg.seed))
    methods = list(make_volume_methods(cfg))
    question = VolumeQuestion(open_volumes(cfg.data, settings), settings)
    compared = compare(question, methods, Cache.named(cfg.cache))
    record(cfg)
    written = write_outputs(folder, compared)
    result, metrics = compared.result(str(cfg.device), " ".join(sys.argv), written), compared.metrics
    write_json(folder / METRICS, metrics)
    codec.save(folder / VOLUMES_FILE, result)
    report = write_volumes_report(folder, instantiate(cfg.report.figures, _convert_="all"))
    columns = [one for one in COLUMNS if any(one.key in numbers for numbers in metrics["methods"].values())]
    table = methods_table(metrics["methods"], columns, "medians over runs")
    print_summary([table], [], result.notes, report)
    return metrics
