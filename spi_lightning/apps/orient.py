"""From a selection to orientations with Dragonfly: python -m spi_lightning.apps.orient data.path=FILE|RUN [...]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import hydra
import numpy as np
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from spi_lightning.apps.configuration.value_types import check_types
from spi_lightning.apps.process.entry import run_app
from spi_lightning.apps.process.job_folder import alone
from spi_lightning.console import Terminal
from spi_lightning.errors import UserError, whole_number
from spi_lightning.files import write_json
from spi_lightning.io import PatternKeys
from spi_lightning.io.dragonfly.output import read_log, read_output
from spi_lightning.metrics.uniformity import Uniformity
from spi_lightning.notes import Level, Note, note_lines
from spi_lightning.orientation.analysis import analyse, match_examples, read_control, true_orientations, voxel_edge
from spi_lightning.orientation.dragonfly_input import write_input
from spi_lightning.orientation.dragonfly_run import find_dragonfly, run_dragonfly
from spi_lightning.orientation.window import find_window, open_source
from spi_lightning.physics.rotations.symmetry import symmetry_group
from spi_lightning.reports.orientation.evenness import verdict
from spi_lightning.reports.orientation.page import write_orientation_report
from spi_lightning.tracking import METRICS

from .train import record


@alone
def orient(cfg: DictConfig) -> dict[str, Any]:
    """Give patterns to Dragonfly, read what it found, test whether orientations are even, and report.

    Args:
        cfg: conf/orient.yaml and what was laid over it.

    Returns:
        What metrics.json holds.

    Raises:
        UserError: A mistake in settings or files; Dragonfly absent or failing.
    """
    check_types(cfg, "orient")
    folder, symmetry = Path(cfg.folder), str(cfg.symmetry)
    symmetry_group(symmetry)
    top, iterations = whole_number("top", cfg.top, 1), whole_number("iterations", cfg.iterations, 1)
    threads = None if cfg.threads is None else whole_number("threads", cfg.threads, 1)
    program = find_dragonfly(cfg.dragonfly) if cfg.output is None else None
    if cfg.data.path is None:
        raise UserError(
            "data.path has no value: add data.path=FILE, or the folder of an evaluation run, to the command."
        )
    keys = PatternKeys(**instantiate(cfg.data["keys"], _convert_="all"))
    patterns = open_source(str(cfg.data.path), keys, cfg.data.mask_convention, cfg.data.adu_per_photon)
    window = find_window(patterns, cfg.detector, cfg.crop, cfg.bin)
    record(cfg)
    emc = cast(dict[str, Any], OmegaConf.to_container(cfg.emc, resolve=True))
    given = write_input(folder, patterns, window, cfg.rings, emc, cfg.start)
    if program is not None:
        run_dragonfly(program, folder, iterations, threads, cfg.keep)
    source = folder if cfg.output is None else Path(cfg.output)
    output = read_output(source, top, cfg.quaternions)
    if len(output.orientation) != len(patterns):
        raise UserError(f"{output.path}: is of {len(output.orientation)} patterns, {patterns.path} has {len(patterns)}")
    if not np.isfinite(output.intensity).all():
        raise UserError(f"{output.path}: the merged intensity is not finite; start with a smaller emc.beta_factor")
    files, test, numbers = analyse(output, given, symmetry, true_orientations(patterns), read_control(cfg.control))
    log = read_log((folder if cfg.output is None else output.path.parent.parent) / "EMC.log")
    examples = match_examples(output, given, patterns, window, cfg.examples)
    notes = [*patterns.notes, *output.notes, *files.notes]
    replace(files, log=log, examples=examples, voxel=voxel_edge(patterns, given), notes=notes).write(folder)
    metrics = {"patterns": test.patterns, "symmetry": symmetry, "orientations": len(output.quaternion), **numbers}
    metrics |= {"iteration": output.iteration, "photons_judged": given.photons, "uniformity": summary(test)}
    write_json(folder / METRICS, metrics)
    show(metrics, write_orientation_report(folder), notes)
    return metrics


def summary(test: Uniformity) -> dict[str, Any]:
    """The numbers of a test, without its arrays."""
    return {name: value for name, value in vars(test).items() if not isinstance(value, np.ndarray)}


def show(metrics: Mapping[str, Any], report: Path, notes: list[Note]) -> None:
    """Print what was found, what to beware of, and where the page lies."""
    console = Terminal()
    if "recovery" in metrics:
        told = metrics["recovery"]
        console.print(
            f"orientations recovered to {told['median_error_deg']:.2f}° (median), 90 % to {told['error_90_deg']:.2f}°; "
            f"sampling step {metrics['sampling_step_deg']:.2f}°",
            soft_wrap=True,
        )
    console.print(verdict(dict(metrics)), soft_wrap=True)
    for line in note_lines(notes, Level.WARNING):
        console.print(line, soft_wrap=True)
    console.print(f"report: {report}", soft_wrap=True)


@hydra.main(version_base="1.3", config_path=str(Path(__file__).parents[2] / "conf"), config_name="orient")
def main(cfg: DictConfig) -> None:
    """Orient as configured; Ctrl-C stops Dragonfly too."""
    try:
        orient(cfg)
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(f"what Dragonfly had written is in {cfg.folder}") from error


if __name__ == "__main__":
    run_app(main)
