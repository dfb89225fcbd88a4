"""Learning curves, page and table of a training run, from the metrics.csv and metrics.json in its folder."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.table import Table as ScreenTable

from spi_lightning.console import Terminal
from spi_lightning.files import atomic_write
from spi_lightning.reports.hits.tables import NUMBERS
from spi_lightning.results.training import LOG, Curves, TrainingResult, read_curves

from .further import MakeFigure, further_sections
from .laboratory import laboratory_sections
from .page import Lines, Picture, Section, Table, write_page
from .provenance import provenance_section
from .style import METHOD_COLOURS, as_svg, figure

FIGURES = {
    "loss": ("Loss", "loss", ("train/loss", "val/loss")),
    "ranking": ("Ranking", "validation", ("val/auroc", "val/average_precision", "val/accuracy")),
    "errors": ("Errors", "validation", ("val/false_positive_rate", "val/fpr_at_90_recall", "val/calibration_error")),
    "supports": ("Supports", "validation", ("val/covered", "val/worst_structure", "val/iou")),
    "loose_pixels": ("Pixels too many", "validation, pixels", ("val/false_positives",)),
    "twin": (
        "Breaking the twin",
        "validation",
        ("val/asymmetry", "val/true_asymmetry", "val/twin_gap", "val/true_twin_gap"),
    ),
    "density": ("Densities", "validation", ("val/correlation", "val/twin_correlation", "val/phase_agreement")),
    "fit": ("Fit of the pattern", "r_p of Fourier amplitudes", ("val/fit_correlation", "val/correlation_modified")),
    "healing": (
        "Healing",
        "validation",
        ("val/error", "val/measured_error", "val/gap_error", "val/measured_gap_error"),
    ),
}
WORDS = NUMBERS | {
    "covered": "supports complete ↑",  # fewer than two false negatives
    "worst_structure": "worst structure ↑",
    "iou": "overlap (IoU) ↑",
    "false_negatives": "false negatives ↓",
    "false_positives": "false positives ↓",
    "area_ratio": "area ratio",
    "centrosymmetry": "centrosymmetry",
    "true_centrosymmetry": "true centrosymmetry",
    "asymmetry": "asymmetry",
    "true_asymmetry": "true asymmetry",
    "correlation": "with the nearer twin ↑",
    "fit_correlation": "signed ↑",
    "correlation_modified": "modified ↑",
    "twin_correlation": "with the other twin",
    "phase_agreement": "phases ↑",
    "twin_gap": "twin gap",
    "true_twin_gap": "true twin gap",
    "error": "healed ↓",
    "measured_error": "measured",
    "gap_error": "healed, gaps ↓",
    "measured_gap_error": "measured, gaps",
}
_LEGEND = 44  # characters of labels that fit beside one another above the axes


def write_training_figures(run: Path | str) -> list[Path]:
    """Draw loss, ranking and errors against the training step into ``figures/`` of a run folder, as SVG.

    Returns:
        Files that were written; figures without numbers in metrics.csv are left out.
    """
    run = Path(run)
    folder = run / "figures"
    written = []
    for name, picture in training_pictures(read_curves(run / LOG)).items():
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / f"{name}.svg") as part:
            picture.savefig(part, format="svg", metadata={"Date": None})
        written.append(folder / f"{name}.svg")
    return written


def write_training_report(run: Path, figures: Mapping[str, MakeFigure] | None = None) -> Path:
    """Write report.html of the folder of a training run: numbers, learning curves, provenance.

    Args:
        run: Folder of the training run.
        figures: Further figures by title, see reports.further.

    Raises:
        UserError: The folder has no metrics.csv.
    """
    result = TrainingResult.load(run)
    curves = [Picture(as_svg(picture), FIGURES[name][0]) for name, picture in training_pictures(result.curves).items()]
    sections = [
        Section("Answer", [Lines([_answer(result)]), *curves[:1]]),
        *([Section("Numbers", numbers)] if (numbers := _numbers(result.metrics)) else []),
        *([Section("Learning curves", curves[1:])] if curves[1:] else []),
        *laboratory_sections(sorted(run.glob("*_laboratory.npz"))),
        *further_sections(figures, result),
        provenance_section(run),
    ]
    return write_page(run / "report.html", "Training run", "/".join(run.resolve().parts[-2:]), sections)


def _answer(result: TrainingResult) -> str:
    """What the run has reached, in two sentences, and what its folder lacks."""
    sentences = []
    if "val/loss" in result.curves:
        steps, values = result.curves["val/loss"]
        best = int(np.nanargmin(values)) if np.isfinite(values).any() else 0
        so_far = "" if result.metrics else " so far"
        where = f"at step {steps[best]:,} of {steps[-1]:,}{so_far}"
        sentences.append(f"The validation loss was least, {values[best]:.4g}, {where}.")
    stage = "test" if "test/accuracy" in result.metrics else "val"
    if (accuracy := result.metrics.get(f"{stage}/accuracy")) is not None:
        words = {"test": "test", "val": "validation"}[stage]
        sentences.append(f"The best checkpoint is right on {100 * accuracy:.1f} % of the {words} patterns.")
    return " ".join([*sentences, *(f"{note.text}." for note in result.notes)]) or "The run has no numbers."


def _numbers(metrics: Mapping[str, Any]) -> list[Table]:
    """Table with a row for each number and a column for each stage; none without numbers."""
    rows: dict[str, dict[str, str]] = {}
    for key, value in metrics.items():
        stage, _, name = key.partition("/")
        if isinstance(value, int | float) and name:
            rows.setdefault(name, {})[stage] = f"{value:.4g}"
    stages = [stage for stage in ("train", "val", "test") if any(stage in row for row in rows.values())]
    words = {"train": "training", "val": "validation", "test": "test"}
    body = [
        [WORDS.get(name, name.replace("_", " ")), *(row.get(stage, "–") for stage in stages)]
        for name, row in rows.items()
    ]
    return [Table(["", *(words[stage] for stage in stages)], body)] if body else []


def training_pictures(curves: Curves) -> dict[str, Figure]:
    """Figures by name, those of FIGURES that metrics.csv has numbers of."""
    pictures = {}
    if "val/correlation_modified" in curves:  # val/correlation is then of Fourier amplitudes too, not of densities
        curves = {("val/fit_correlation" if name == "val/correlation" else name): each for name, each in curves.items()}
    for name, (_, axis, wanted) in FIGURES.items():
        keys = [key for key in wanted if key in curves]
        if keys:
            with figure() as picture:
                _draw(picture.subplots(), curves, keys, axis)
            pictures[name] = picture
    return pictures


def _draw(axes: Axes, curves: Curves, keys: Sequence[str], axis: str) -> None:
    for key, colour in zip(keys, METHOD_COLOURS, strict=False):
        steps, values = curves[key]
        stage, _, name = key.partition("/")
        name = {"train": "training", "val": "validation"}[stage] if axis == "loss" else WORDS[name].rstrip(" ↑↓")
        axes.plot(steps, values, "o-" if len(steps) < 30 else "-", markersize=3.5, color=colour, label=name)
    axes.set(xlabel="training step (batches)", ylabel=axis)
    values = np.concatenate([curves[key][1] for key in keys])
    if axis == "loss" and values.min() > 0 and values.max() > 10 * values.min():
        axes.set_yscale("log")
    labels = axes.get_legend_handles_labels()[1]
    columns = 3 if sum(map(len, labels)) <= _LEGEND else 1  # a wider legend would take the width of the axes
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderaxespad=0.2)


def print_numbers(
    numbers: Mapping[str, Any], names: Sequence[str], weights: int, lines: Iterable[str | None] = ()
) -> None:
    """Print the numbers of a training, and lines below them.

    Args:
        numbers: Numbers by stage and name, such as ``val/accuracy``; ``train/steps`` among them.
        names: Names of the numbers to print.
        weights: Number of weights of the network.
        lines: Sentences below the table; None is passed over.
    """
    console = Terminal()
    console.print(numbers_table(numbers, names, f"{weights:,} weights, {numbers['train/steps']} steps"))
    for line in filter(None, lines):
        console.print(line, soft_wrap=True)


def numbers_table(numbers: Mapping[str, Any], names: Sequence[str], title: str) -> ScreenTable:
    """Table with a row for each number: its validation and its test.

    Args:
        numbers: Numbers by stage and name, such as ``val/accuracy``.
        names: Names of the numbers to print; a number that neither stage has is left out.
        title: Line above the table.
    """
    table = ScreenTable("", "validation", "test", title=title)
    for name in names:
        values = [numbers.get(f"{stage}/{name}") for stage in ("val", "test")]
        if any(value is not None for value in values):
            table.add_row(name, *("-" if value is None else _short(value) for value in values))
    return table


def _short(value: float) -> str:
    """Number with four digits, in powers of ten below 0.001."""
    if float(value).is_integer() and abs(value) >= 100:
        return f"{value:.0f}"  # a count
    return f"{value:.2e}" if 0 < abs(value) < 1e-3 else f"{value:.4f}"
