"""Phase one pattern: python -m spi_lightning.apps.phase data.path=FILE [phasing=...] [support=...]."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import hydra
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from spi_lightning.apps.configuration.value_types import check_types
from spi_lightning.apps.process.entry import run_app
from spi_lightning.apps.process.job_folder import alone, record
from spi_lightning.console import Terminal
from spi_lightning.data.measurement import Measurement
from spi_lightning.data.scans.single_pattern import ScanMeasurement
from spi_lightning.errors import UserError
from spi_lightning.files import write_json
from spi_lightning.locations import CONF
from spi_lightning.notes import note_lines
from spi_lightning.reconstruction import Phasing, ReconstructionSettings, prepare, solve, write_reconstruction
from spi_lightning.reports.phasing.page import write_phasing_report
from spi_lightning.reports.phasing.verdict import verdict
from spi_lightning.tasks.registry import trust
from spi_lightning.tracking import METRICS, earlier_notes


@alone
def phase_pattern(cfg: DictConfig) -> dict[str, Any]:
    """Phase what a configuration describes; write the density, the numbers and a report.

    Args:
        cfg: conf/phase.yaml and what was laid over it.

    Returns:
        The content of metrics.json.

    Raises:
        UserError: A mistake in settings or files.
    """
    check_types(cfg, "phase")
    trust(cfg.trust)
    folder, settings, measured = Path(cfg.folder), _settings(cfg), _measured(cfg)
    problem, figures = prepare(measured, settings, instantiate), instantiate(cfg.report.figures, _convert_="all")
    console = Terminal(width=110)
    for note in earlier_notes(folder):
        console.print(str(note), soft_wrap=True)
    record(_with_names(cfg, measured))
    result, metrics = write_reconstruction(folder, solve(problem), str(cfg.data.get("path", "")))
    write_json(folder / METRICS, metrics)
    report = write_phasing_report(folder, figures)
    image = folder / metrics["result"]
    ends = [verdict(result, metrics), f"density, support, PRTF, errors: {image}", f"report: {report}"]
    for line in [*note_lines(result.notes), *ends]:
        console.print(line, soft_wrap=True)
    return metrics


def _settings(cfg: DictConfig) -> ReconstructionSettings:
    """The settings of the reconstruction, which conf/phase.yaml has under the names of the dataclass."""
    plain = cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True))
    named = {each.name: plain[each.name] for each in fields(ReconstructionSettings)}
    return ReconstructionSettings(**{**named, "phasing": Phasing(**plain["phasing"])})


def _measured(cfg: DictConfig) -> Measurement:
    """The pattern that is phased. Raises UserError for data that are no single pattern."""
    measured = instantiate(cfg.data, _convert_="all")
    if not isinstance(measured, Measurement):
        raise UserError(
            "data= is a set for training and evaluation, of which no one pattern is phased; give data=one_frame (a 2D "
            "pattern) or data=one_scan (a rocking scan); python evaluate.py phases sets"
        )
    return measured


def _with_names(cfg: DictConfig, measured: Measurement) -> DictConfig:
    """The settings with the data sets that a scan took by their usual names, which config.yaml then holds too."""
    if isinstance(measured, ScanMeasurement) and "keys" in cfg.data:
        cfg = cfg.copy()
        for name in ("whitefield", "dark", "monitor"):  # a mask that is named has another sense
            if cfg.data["keys"].get(name) is None and name in measured.prepared:
                cfg.data["keys"][name] = measured.prepared[name]
    return cfg


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="phase")
def main(cfg: DictConfig) -> None:
    """Phase as configured."""
    phase_pattern(cfg)


def start() -> None:
    """The app as the command line calls it."""
    run_app(main)


if __name__ == "__main__":
    start()
