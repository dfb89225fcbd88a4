"""Phase one pattern: python -m spi_lightning.apps.phase data.path=FILE [phasing=...] [support=...] [polish=STEPS]."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import hydra
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from spi_lightning.apps.configuration.value_types import check_types
from spi_lightning.apps.process.entry import run_app
from spi_lightning.apps.process.job_folder import alone
from spi_lightning.console import Terminal
from spi_lightning.data.measurement import Measurement
from spi_lightning.data.scans.one_scan import ScanMeasurement
from spi_lightning.errors import UserError
from spi_lightning.files import write_json
from spi_lightning.io.volumes.cxi_image import CxiImage, write_cxi_image
from spi_lightning.metrics.fsc import FSC, fsc
from spi_lightning.notes import note_lines
from spi_lightning.phasing import Averaged, align
from spi_lightning.physics.photons import photon_halves
from spi_lightning.physics.twin import centre
from spi_lightning.reconstruction.assessment import judge
from spi_lightning.reconstruction.laboratory import frame_of, write_crystal_of
from spi_lightning.reconstruction.phase import Task, prepare
from spi_lightning.reconstruction.polish import agreeing, solve
from spi_lightning.reports.phasing.page import write_phasing_report
from spi_lightning.reports.phasing.verdict import verdict
from spi_lightning.results.phasing import PhasingFiles
from spi_lightning.tasks.registry import trust
from spi_lightning.tracking import METRICS, earlier_notes

from .train import record


@alone
def phase_pattern(cfg: DictConfig) -> dict[str, Any]:
    """Phase what a configuration describes; write the density, the numbers and a report.

    Args:
        cfg: conf/phase.yaml and what was laid over it.

    Returns:
        What metrics.json holds.

    Raises:
        UserError: A mistake in settings or files.
    """
    check_types(cfg, "phase")
    trust(cfg.trust)
    folder, measured = Path(cfg.folder), _measured(cfg)
    task = prepare(cfg, measured)
    console = Terminal(width=110)
    for note in earlier_notes(folder):
        console.print(str(note), soft_wrap=True)
    record(resolved(cfg, measured))
    phased, finish = solve(task, task.amplitude, "phasing")
    averaged = centred(agreeing(task, task.amplitude, phased, finish, cfg.disagreement, task.recipe.moves_support))
    correlated = correlate_halves(task, cfg) if cfg.halves else None
    files, metrics = judge(task, measured, phased, averaged, correlated, finish)
    files.about.update({"support": str(cfg.support), "start": str(cfg.start), "data": str(cfg.data.get("path", ""))})
    files.about.update(frame_of(measured))
    lines, numbers = write_crystal_of(folder, measured, files.density, files.support, "mean of the kept starts")
    files.notes.extend(lines)
    metrics |= numbers
    files.write(folder)
    if isinstance(measured, ScanMeasurement):
        metrics["preparation"] = measured.prepared
    metrics["result"] = str(write_result(files, folder / "result.cxi").name)
    write_json(folder / METRICS, metrics)
    report = write_phasing_report(folder)
    for line in note_lines(files.notes):
        console.print(line, soft_wrap=True)
    console.print(verdict(files, metrics), soft_wrap=True)
    console.print(f"density, support, PRTF, errors: {folder / 'result.cxi'}", soft_wrap=True)
    console.print(f"report: {report}", soft_wrap=True)
    return metrics


def resolved(cfg: DictConfig, measured: Measurement) -> DictConfig:
    """The settings with the data sets that a scan took by their usual names, of which config.yaml else says nothing."""
    if isinstance(measured, ScanMeasurement) and "keys" in cfg.data:
        cfg = cfg.copy()
        for name in ("whitefield", "dark", "monitor"):  # a mask that is named has another sense
            if cfg.data["keys"].get(name) is None and name in measured.prepared:
                cfg.data["keys"][name] = measured.prepared[name]
    return cfg


def _measured(cfg: DictConfig) -> Measurement:
    """The pattern that is phased. Raises UserError for data that are no single pattern."""
    measured = instantiate(cfg.data, _convert_="all")
    if not isinstance(measured, Measurement):
        raise UserError(
            "data= is a set for training and evaluation, of which no one pattern is phased; give data=one_frame (a 2D "
            "pattern) or data=one_scan (a rocking scan); python evaluate.py phases sets"
        )
    return measured


def centred(averaged: Averaged) -> Averaged:
    """Everything rolled by whole pixels so that the centre of mass of the average lies at n // 2."""
    ndim = averaged.density.ndim
    weight = averaged.density.abs()
    weight = torch.where(weight > 0.1 * weight.max(), weight, 0)
    correlation = torch.fft.ifftn(torch.fft.fftn(centre(weight, ndim)) * torch.fft.fftn(weight).conj()).real
    shift = tuple(int(place) for place in torch.unravel_index(correlation.argmax(), correlation.shape))
    axes = tuple(range(-ndim, 0))
    density, aligned = (torch.roll(each, shift, axes) for each in (averaged.density, averaged.aligned))
    return replace(averaged, density=density, aligned=aligned)


def correlate_halves(task: Task, cfg: DictConfig) -> FSC:
    """Phase (and polish) two binomial halves of the photons and correlate their averages shell by shell."""
    means = []
    for number, amplitude in enumerate(photon_halves(task.amplitude, task.seed)):
        phased, finish = solve(task, amplitude, f"half {number + 1}")
        means.append(agreeing(task, amplitude, phased, finish, cfg.disagreement, subpixel=True).density)
    second = align(means[1][None], means[0], subpixel=True)[0]
    ratio = task.support.numel() / max(1, int(task.support.sum()))
    return fsc(means[0], second, second.ndim, oversampling=ratio ** (1 / second.ndim))


def write_result(files: PhasingFiles, path: Path) -> Path:
    """The density with its support, PRTF and errors as a CXI image that other tools open."""
    names = (
        "frequency",
        "prtf",
        "prtf_corrected",
        "prtf_modulus",
        "fsc",
        "half_bit",
        "error",
        "final_error",
        "held_out_error",
        "kept",
    )
    results = {name: getattr(files, name) for name in names if getattr(files, name).size}
    results["starts"] = files.starts
    if files.point_spread is not None:
        results["point_spread"] = files.point_spread
    notes = {name: str(value) for name, value in files.about.items()}
    pixel = list(files.pixel) if files.known else None
    return write_cxi_image(path, CxiImage(files.density, files.support, pixel, results, notes))


@hydra.main(version_base="1.3", config_path=str(Path(__file__).parents[2] / "conf"), config_name="phase")
def main(cfg: DictConfig) -> None:
    """Phase as configured."""
    phase_pattern(cfg)


def as_text(arguments: Sequence[str]) -> list[str]:
    """Command line in which Hydra takes a recipe as text, whatever brackets it holds."""
    name = "phasing.recipe="
    plain = [word.removeprefix(name) if word.startswith(name) else None for word in arguments]
    return [
        word if recipe is None or recipe.startswith(("'", '"', "[")) else f'{name}"{recipe}"'
        for word, recipe in zip(arguments, plain, strict=True)
    ]


def start() -> None:
    """The app as the command line calls it."""
    sys.argv = as_text(sys.argv)
    run_app(main)


if __name__ == "__main__":
    start()
