"""The command ``spi phase``: reconstruct the density behind one pattern."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig

from spi_lightning.apps.configuration.resolved import command_words, resolved
from spi_lightning.apps.configuration.value_types import check_types
from spi_lightning.apps.process.job_folder import record
from spi_lightning.console import Terminal
from spi_lightning.data.measurement import Measurement
from spi_lightning.data.one_frame import OtherKindError
from spi_lightning.errors import UserError
from spi_lightning.files import write_json
from spi_lightning.mistakes import causes_of
from spi_lightning.notes import Note, note_lines
from spi_lightning.reconstruction import AUTO, ReconstructionSettings, prepare, solve, write_reconstruction
from spi_lightning.reports.phasing.verdict import verdict
from spi_lightning.settings import field_types, filled
from spi_lightning.tasks.registry import trust
from spi_lightning.tracking import METRICS, earlier_notes
from spi_lightning.tracking.job_folders import alone

TYPES: Final = {**field_types(ReconstructionSettings), "phasing.recipe": str}


@alone
def phase(cfg: DictConfig) -> dict[str, Any]:
    """Phase what a configuration describes; write the density, the numbers and a report.

    Args:
        cfg: conf/phase.yaml and what was laid over it.

    Returns:
        The content of metrics.json.

    Raises:
        UserError: A mistake in settings or files.
    """
    check_types(cfg, "phase", TYPES)
    trust(cfg.trust)
    folder = Path(cfg.folder)
    measured, words = _measured(cfg, command_words())
    settings, console = filled(ReconstructionSettings, resolved(cfg)), Terminal(width=110)
    pixels, ndim = " x ".join(map(str, measured.mask.shape)), measured.mask.ndim
    console.print(f"{cfg.data.get('path', folder)}: {pixels} pixels, {settings.starts} starts", soft_wrap=True)
    if ndim == 3 and (words_chosen := settings.chosen(measured.kind)):
        as_of = "a Bragg crystal" if measured.kind == "crystal" else "a real, positive density"
        console.print(f"as of {as_of}, unless you say otherwise: {words_chosen}", soft_wrap=True)
    problem, figures = prepare(measured, settings, instantiate), instantiate(cfg.report.figures, _convert_="all")
    for note in earlier_notes(folder):
        console.print(str(note), soft_wrap=True)
    for name, found in measured.found_keys.items():  # which config.yaml then holds too
        if "keys" in cfg.data and cfg.data["keys"].get(name) is None:
            cfg.data["keys"][name] = found
    _record_choice(cfg, problem.settings)
    record(cfg, words)
    result, metrics = write_reconstruction(folder, solve(problem), str(cfg.data.get("path", "")))
    write_json(folder / METRICS, metrics)
    from spi_lightning.reports import write_phasing_report  # matplotlib, seconds into the work

    report = write_phasing_report(folder, figures)
    image = folder / metrics["result"]
    ends = [verdict(result, metrics), f"density, support, PRTF, errors: {image}", f"report: {report}"]
    for line in [*note_lines(result.notes), *ends]:
        console.print(line, soft_wrap=True)
    return metrics


def _record_choice(cfg: DictConfig, settings: ReconstructionSettings) -> None:
    """Write what ``auto`` stood for into the configuration that config.yaml will hold."""
    for name in ("recipe", "constraint"):
        if cfg.phasing[name] == AUTO:
            cfg.phasing[name] = getattr(settings.phasing, name)
    if cfg.support == AUTO:
        cfg.support = settings.support


def _measured(cfg: DictConfig, words: list[str] | None) -> tuple[Measurement, list[str] | None]:
    """The pattern that is phased, and the overrides; a 3D pattern is taken as such where these name no data=.

    Raises:
        UserError: Data other than a single pattern.
    """
    try:
        measured = instantiate(cfg.data, _convert_="all")
    except Exception as error:
        found = next((cause for cause in causes_of(error) if isinstance(cause, OtherKindError)), None)
        if found is None or words is None or any(word.startswith("data=") for word in words):
            raise
        words = [*words, f"data={found.data}"]
        Terminal().print(f"{cfg.data.path}: looks like {found.kind} and is taken as one (data={found.data})")
        cfg.data = compose(HydraConfig.get().job.config_name, overrides=words).data
        measured = instantiate(cfg.data, _convert_="all")
        note = Note.of(f"data={found.data} was not named: the file looks like {found.kind} and is taken as one")
        measured = replace(measured, notes=[note, *measured.notes])
    if not isinstance(measured, Measurement):
        raise UserError(
            "data= is a set for training and evaluation, of which no one pattern is phased; give data=one_frame (a 2D "
            "pattern), data=one_scan (a rocking scan) or data=merged_intensity; spi evaluate phases sets"
        )
    return measured, words
