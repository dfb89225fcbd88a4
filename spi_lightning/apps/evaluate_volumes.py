"""Phase 3D patterns with several methods on the same arrays, compare them, and report: evaluate.py data=volumes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf, open_dict
from rich.table import Column, Table
from torch import Tensor

from spi_lightning.apps.configuration.volume_settings import require_sense
from spi_lightning.apps.process.job_folder import record
from spi_lightning.console import Terminal
from spi_lightning.data.measurement import Measurement
from spi_lightning.data.scans.one_scan import measure_scan
from spi_lightning.data.scans.volume_patterns import VolumePatterns, of_measurements, open_volume_patterns
from spi_lightning.data.simulated.volumes import SimulatedVolumeDataModule
from spi_lightning.errors import UserError
from spi_lightning.evaluation.hits.cache import AnswerCache
from spi_lightning.evaluation.volumes.ensemble import Ensemble, best_run, ensemble_of, overlaps, room_for
from spi_lightning.evaluation.volumes.outputs import write_outputs
from spi_lightning.evaluation.volumes.runner import AskedVolumes, VolumeInterview
from spi_lightning.evaluation.volumes.scoring import asked_seconds, by_pattern, scores_of
from spi_lightning.files import write_json
from spi_lightning.methods import VolumeMethod
from spi_lightning.metrics.volumes.volume_fit import reciprocal_amplitude, spectral_weight
from spi_lightning.notes import Note, note_lines
from spi_lightning.physics.array import crop
from spi_lightning.physics.twin import canonical
from spi_lightning.reports.volumes.page import write_volumes_report
from spi_lightning.results.volumes import ShownMethod, ShownPattern, VolumeFiles
from spi_lightning.tracking import METRICS

from .volume_methods import make_volume_methods

SHOWN = {
    "chi_square": "χ² fitted",
    "held_out_chi_square": "χ² held out",
    "correlation": "r_p",
    "held_out_correlation": "r_p held out",
    "free_voxels": "free voxels",
    "density_error": "density error",
    "seconds_per_run": "s / run",
}
_MEASURED = ("key", "size", "bin", "threshold", "keys", "geometry")


def evaluate_volumes(cfg: DictConfig) -> dict[str, Any]:
    """Phase, judge, write and report what a configuration describes.

    Args:
        cfg: conf/evaluate.yaml with data=volumes, single_volume, one_scan or simulated_volumes.

    Returns:
        What metrics.json holds.

    Raises:
        UserError: A mistake in settings, files or checkpoints.
    """
    folder, asks = Path(cfg.folder), cfg.volumes
    require_sense(asks)
    methods = list(make_volume_methods(cfg))
    patterns = open_volumes_of(cfg)
    notes = list(patterns.notes)
    halves = asks.halves
    if halves and not patterns.counted:
        notes.append(Note.of("noise-free patterns have no photons to halve: no FSC"))
        halves = 0
    float64 = not patterns.counted if asks.float64 is None else bool(asks.float64)
    cache = AnswerCache(cfg.cache)
    interview = VolumeInterview(patterns, cache, asks.seeds, asks.masks, asks.held_out, halves, int(cfg.seed), float64)
    methods, asked = ask_all(interview, methods, notes)
    record(cfg)
    compared = Comparison(patterns, asked, asks.disagreement)
    metrics = compared.metrics([float(level) for level in asks.levels])
    notes += [note for method, _ in methods for note in method.notes]
    notes += write_outputs(folder, patterns, [one.name for one in asked], compared.ensembles[: asks.outputs])
    about = about_evaluation(cfg, patterns, interview, methods, asked, notes)
    write_json(folder / METRICS, metrics)
    write_json(folder / "evaluation.json", about)
    files = compared.files(about, asks.gallery)
    files.write(folder)
    show(metrics, patterns, notes, write_volumes_report(folder, instantiate(cfg.report.figures, _convert_="all")))
    return metrics


def ask_all(
    interview: VolumeInterview, methods: Sequence[tuple[VolumeMethod, Any]], notes: list[Note]
) -> tuple[list[tuple[VolumeMethod, Any]], list[AskedVolumes]]:
    """Answers of all methods that can answer; the others, such as a network whose box is too small, are noted.

    Raises:
        UserError: None can; what the first of several says.
    """
    able, asked, refusals = [], [], []
    for method, identity in methods:
        try:
            asked.append(interview(method, identity))
            able.append((method, identity))
        except UserError as error:
            refusals.append(error)
            notes.append(Note.warning(f"{method.name} is left out: {str(error).removeprefix(f'{method.name}: ')}"))
    if not asked:
        raise refusals[0]
    return able, asked


def open_volumes_of(cfg: DictConfig) -> VolumePatterns:
    """The patterns behind a data configuration.

    Raises:
        UserError: As open_volume_patterns; or frames to exclude, of which a volume has none.
    """
    settings, asks = cfg.data.copy(), cfg.volumes
    with open_dict(settings):
        if settings.pop("exclude", None):
            raise UserError("data.exclude leaves out frames of single-hit data; volumes have none.")
    made_by = get_object(settings._target_)
    if made_by is measure_scan:
        return of_measurements([str(settings.path)], [cast(Measurement, instantiate(settings, _convert_="all"))])
    peaks = None if asks.peak_photons is None else list(OmegaConf.to_container(asks.peak_photons))  # type: ignore[arg-type]
    if made_by is SimulatedVolumeDataModule:
        with open_dict(settings):
            settings.patterns = {"test": asks.first}  # no training set is made for an evaluation
        module: SimulatedVolumeDataModule = instantiate(settings, _convert_="all")
        module.prepare_data()
        module.setup("predict")
        return open_volume_patterns(str(module.splits["test"].path), asks.first)  # type: ignore[attr-defined]
    made: dict[str, Any] = instantiate({name: settings.get(name) for name in _MEASURED}, _convert_="all")
    if not settings.path:
        raise UserError(f"data.path={settings.path}: name a file, or a list of them.")
    path = settings.path if isinstance(settings.path, str) else [str(one) for one in settings.path]
    return open_volume_patterns(path, asks.first, **made, peak_photons=peaks, seed=int(cfg.seed))


class Comparison:
    """All answers side by side: ensembles on one reference, correlations of methods, numbers and files.

    Args:
        patterns: What was phased.
        asked: The answers, at least one.
        disagreement: See phasing.average.

    Attributes:
        ensembles: [pattern][method].
        overlap, mean_overlap: [pattern] -> (methods, methods) of the best runs, and of the means of those that agree.
        reference: [pattern] -> (room) truth, or best run of the first method, that all are aligned to.
    """

    def __init__(self, patterns: VolumePatterns, asked: Sequence[AskedVolumes], disagreement: float) -> None:
        self.patterns, self.asked = patterns, asked
        self.ensembles: list[list[Ensemble]] = []
        self.overlap: list[list[list[float]]] = []
        self.mean_overlap: list[list[list[float]]] = []
        self.reference: list[Tensor] = []
        shape = patterns.mask.shape[1:]
        for number in range(len(patterns)):
            room = room_for(asked, number, shape)
            best = [best_run(one, number, room) for one in asked]
            reference = best[0] if patterns.truth is None else in_room(patterns.truth[number], room)
            self.reference.append(reference)
            self.overlap.append(overlaps(best))
            self.ensembles.append([ensemble_of(one, number, patterns, reference, disagreement) for one in asked])
            self.mean_overlap.append(overlaps([one.mean for one in self.ensembles[-1]]))

    def metrics(self, levels: Sequence[float]) -> dict[str, Any]:
        """``methods``: numbers of each; ``agreement``: matrix; ``patterns``: medians of each pattern and method."""
        scores = {
            one.name: scores_of(one, [each[place] for each in self.ensembles], levels, self.patterns.voxel)
            for place, one in enumerate(self.asked)
        }
        found: dict[str, Any] = {"methods": scores}
        if len(self.asked) > 1:
            best, mean = (np.mean(np.asarray(each), axis=0).tolist() for each in (self.overlap, self.mean_overlap))
            found["agreement"] = {
                "methods": [one.name for one in self.asked],
                "overlap": best,
                "mean_overlap": mean,
            }
        found["patterns"] = {one.name: by_pattern(one, self.patterns.names) for one in self.asked}
        return found

    def files(self, about: dict[str, Any], gallery: int) -> VolumeFiles:
        """What the page is made of."""
        frequency = spectral_weight(self.patterns.fourier_amplitude[0])[0]
        count = min(len(self.patterns), max(1, gallery))
        voxel = np.full(3, np.nan) if self.patterns.voxel is None else np.asarray(self.patterns.voxel)
        return VolumeFiles(
            [one.name for one in self.asked],
            [{name: one.column(name) for name in one.judged[0][0].numbers} for one in self.asked],
            [_trace(one) for one in self.asked],
            frequency.numpy(),
            voxel,
            [self._shown(number) for number in range(count)],
            about,
        )

    def _shown(self, number: int) -> ShownPattern:
        pattern, mask = self.patterns.fourier_amplitude[number], self.patterns.mask[number]
        known = self.patterns.truth is not None
        return ShownPattern(
            self.patterns.names[number],
            pattern.numpy(),
            mask.numpy(),
            spectral_weight(pattern, mask)[1].numpy(),
            self.reference[number].to(torch.complex64).numpy() if known else None,
            [ShownMethod(arrays_of(each, pattern, mask)) for each in self.ensembles[number]],
        )


def in_room(truth: Tensor, room: Sequence[int]) -> Tensor:
    """The true density, the canonical twin, cut to an array that holds it; complex128 of norm 1."""
    whole = canonical(truth.to(torch.complex128), 3)
    cut = crop(whole, room)
    unit: Tensor = cut / cut.norm()
    return unit


def arrays_of(ensemble: Ensemble, pattern: Tensor, mask: Tensor) -> dict[str, Any]:
    """What a page shows of a method on a pattern; see ShownMethod."""
    predicted = reciprocal_amplitude(ensemble.best[None], pattern.shape, ensemble.point_spread[None])[0]
    scale = (predicted * pattern * mask).sum() / (predicted.square() * mask).sum().clamp_min(1e-30)
    predicted = predicted * scale
    empty = np.empty(0)
    return {
        "mean": ensemble.mean.to(torch.complex64).numpy(),
        "deviation": ensemble.deviation.float().numpy(),
        "best": ensemble.best.to(torch.complex64).numpy(),
        "predicted": predicted.float().numpy(),
        "weight": spectral_weight(predicted, mask)[1].numpy(),
        "prtf": empty if ensemble.prtf is None else ensemble.prtf.curve.numpy(),
        "prtf_corrected": empty if ensemble.prtf is None else ensemble.prtf.corrected.numpy(),
        "chance": np.asarray(np.nan if ensemble.prtf is None else ensemble.prtf.chance),
        "fsc": empty if ensemble.fsc is None else ensemble.fsc.curve.numpy(),
        "kept": np.asarray(ensemble.kept),
        "half_bit": empty if ensemble.fsc is None else ensemble.fsc.half_bit.numpy(),
    }


def _trace(asked: AskedVolumes) -> dict[str, Any]:
    runs = asked.judged[0][0].runs
    return {"step": runs.step, "seconds": runs.seconds, "chi_square": runs.chi_square}


def about_evaluation(
    cfg: DictConfig,
    patterns: VolumePatterns,
    interview: VolumeInterview,
    methods: Sequence[tuple[VolumeMethod, Any]],
    asked: Sequence[AskedVolumes],
    notes: list[Note],
) -> dict[str, Any]:
    """What evaluation.json holds: the data, the question, and what each method was and cost."""
    told = {}
    for (method, identity), answer in zip(methods, asked, strict=True):
        draws = [draw for pattern in answer.judged for draw in pattern]
        told[answer.name] = {
            "unit": method.unit,
            "seconds": round(sum(draw.seconds for draw in draws), 2),
            "seconds_per_run": round(float(np.median(asked_seconds(answer))), 3),
            "memory_mib": round(max((draw.memory_mib or 0.0) for draw in draws)),
            "cached": f"{sum(draw.cached for draw in draws)} of {len(draws)}",
            "settings": identity,
        }
    return {
        "path": patterns.path,
        "kind": patterns.kind,
        "counted": patterns.counted,
        "patterns": list(patterns.names),
        "shape": list(patterns.mask.shape[1:]),
        "measured_voxels": [int(mask.sum()) for mask in patterns.mask],
        "held_out_voxels": [[int(held.sum()) for _, held in draws] for draws in interview.draws],
        "seeds": interview.starts,
        "masks": len(interview.draws[0]),
        "held_out": interview.held_out,
        "halves": interview.halves,
        "float64": interview.float64,
        "levels": [float(level) for level in cfg.volumes.levels],
        "device": str(cfg.device),
        "threads": torch.get_num_threads(),
        "notes": [note.plain for note in dict.fromkeys(notes)],
        "methods": told,
        "command": " ".join(sys.argv),
    }


def show(metrics: dict[str, Any], patterns: VolumePatterns, notes: Sequence[Note], report: Path) -> None:
    """Print one line for each method, what to beware of, and where the report lies."""
    console = Terminal(width=120)
    names = [name for name in SHOWN if any(name in numbers for numbers in metrics["methods"].values())]
    table = Table(Column(overflow="fold"), *(SHOWN[name] for name in names), title="medians over runs")
    for method, numbers in metrics["methods"].items():
        table.add_row(method, *(_cell(numbers.get(name)) for name in names))
    console.print(table)
    for line in note_lines(notes):
        console.print(line, soft_wrap=True, highlight=False)
    console.print(f"report: {report}", soft_wrap=True)


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2e}" if 0 < abs(value) < 1e-3 else f"{value:.4g}"
