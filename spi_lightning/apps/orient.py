"""From a selection to orientations with Dragonfly: python -m spi_lightning.apps.orient data.path=FILE|RUN [...]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import hydra
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from spi_lightning.apps.configuration.value_types import check_types
from spi_lightning.apps.process.entry import run_app
from spi_lightning.apps.process.job_folder import alone, record
from spi_lightning.codec import save
from spi_lightning.console import Terminal
from spi_lightning.errors import UserError
from spi_lightning.files import write_json
from spi_lightning.io import PatternKeys
from spi_lightning.locations import CONF
from spi_lightning.notes import Level, Note, note_lines
from spi_lightning.orientation import (
    DetectorGeometry,
    FirstGuess,
    OrientationSettings,
    Rings,
    open_source,
    prepare,
    solve,
)
from spi_lightning.reports.orientation.page import verdict, write_orientation_report
from spi_lightning.results.orientation import ORIENTATION_FILE
from spi_lightning.tracking import METRICS


@alone
def orient(cfg: DictConfig) -> dict[str, Any]:
    """Give patterns to Dragonfly, read what it found, test whether orientations are even, and report.

    Args:
        cfg: conf/orient.yaml and what was laid over it.

    Returns:
        The content of metrics.json.

    Raises:
        UserError: A mistake in settings or files; Dragonfly absent or failing.
    """
    check_types(cfg, "orient")
    folder, settings = Path(cfg.folder), _settings(cfg)
    if cfg.data.path is None:
        raise UserError(
            "data.path has no value: add data.path=FILE, or the folder of an evaluation run, to the command."
        )
    keys = PatternKeys(**instantiate(cfg.data["keys"], _convert_="all"))
    patterns = open_source(str(cfg.data.path), keys, cfg.data.mask_convention, cfg.data.adu_per_photon)
    problem = prepare(patterns, settings)
    record(cfg)
    result, metrics = solve(problem, folder)
    save(folder / ORIENTATION_FILE, result)
    write_json(folder / METRICS, metrics)
    show(metrics, write_orientation_report(folder), result.notes)
    return metrics


def _settings(cfg: DictConfig) -> OrientationSettings:
    """The settings of the room orientation, which conf/orient.yaml has under the names of the dataclass."""
    plain = cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True))
    parts = {"detector": DetectorGeometry, "rings": Rings, "start": FirstGuess}
    named = {each.name: plain[each.name] for each in fields(OrientationSettings)}
    return OrientationSettings(**{**named, **{name: part(**plain[name]) for name, part in parts.items()}})


def show(metrics: Mapping[str, Any], report: Path, notes: Sequence[Note]) -> None:
    """Print what was found, what to beware of, and where the page lies."""
    console = Terminal()
    if recovery := metrics.get("recovery"):
        median, most = recovery["median_error_deg"], recovery["error_90_deg"]
        step = metrics["sampling_step_deg"]
        console.print(
            f"orientations recovered to {median:.2f}° (median), 90 % to {most:.2f}°; sampling step {step:.2f}°",
            soft_wrap=True,
        )
    for line in [verdict(dict(metrics)), *note_lines(notes, Level.WARNING), f"report: {report}"]:
        console.print(line, soft_wrap=True)


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="orient")
def main(cfg: DictConfig) -> None:
    """Orient as configured; Ctrl-C stops Dragonfly too."""
    try:
        orient(cfg)
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(f"what Dragonfly had written is in {cfg.folder}") from error


if __name__ == "__main__":
    run_app(main)
