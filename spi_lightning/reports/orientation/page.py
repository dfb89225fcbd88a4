"""Page of an orientation run: orientations, merged intensity, and patterns beside their slices."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spi_lightning.codec import load
from spi_lightning.io.reading import read_metrics
from spi_lightning.notes import note_lines
from spi_lightning.reports.page import Fold, Lines, Picture, Section, Table, write_page
from spi_lightning.reports.provenance import provenance_section
from spi_lightning.reports.style import INK, METHOD_COLOURS, OTHER, as_svg, figure
from spi_lightning.results.orientation import ORIENTATION_FILE, OrientationResult

from .evenness import tests_table, verdict
from .maps import map_pictures
from .slices import examples_picture, slices_picture

_LOG_END: Final = 4000  # characters of Dragonfly's log on the page


def write_orientation_report(run: Path) -> Path:
    """Write report.html of an orientation run from its orientation.h5 and metrics.json."""
    result = load(run / ORIENTATION_FILE, OrientationResult)
    metrics: dict[str, Any] = read_metrics(run / "metrics.json")
    sections = [
        Section("Orientations", [Lines([verdict(metrics)]), *map_pictures(result), tests_table(metrics)]),
        *_recovery(result, metrics),
        Section("Merged intensity", [slices_picture(result)]),
        *_iterations(result),
        *_examples(result),
        Section("Notes", [Lines(note_lines(result.notes) or ["Nothing to note."]), *_log(run)]),
        provenance_section(run),
    ]
    return write_page(run / "report.html", "Orientations", "/".join(run.resolve().parts[-2:]), sections)


def _recovery(result: OrientationResult, metrics: dict[str, Any]) -> list[Section]:
    if result.error is None:
        return []
    recovery = metrics["recovery"]
    rows = [
        ("median error", f"{recovery['median_error_deg']:.2f}°"),
        ("median error with rotations by 180° about the beam", f"{recovery['median_error_exact_deg']:.2f}°"),
        ("90 % of patterns below", f"{recovery['error_90_deg']:.2f}°"),
        ("sampling step", f"{metrics['sampling_step_deg']:.2f}°"),
    ]
    words = (
        f"Up to the particle's symmetry ({result.symmetry}) and one rotation of the whole. On a flat Ewald sphere a "
        "pattern and itself rotated by 180° are the same by Friedel's law, so such rotations do not count."
    )
    picture = Picture(as_svg(errors_figure(result, metrics["sampling_step_deg"])), "Errors of orientation", words)
    return [Section("Recovery of known orientations", [picture, Table(("", "angle"), rows)])]


def errors_figure(result: OrientationResult, step: float) -> Figure:
    """Histogram of the angles between found and true orientations, degrees.

    Args:
        result: Orientations with known errors.
        step: Sampling step of the orientations, degrees.
    """
    assert result.error is not None
    error = np.degrees(result.error)
    with figure() as picture:
        axes = picture.subplots()
        axes.hist(error, bins=[*np.linspace(0, max(45.0, float(np.nanmax(error))), 46)], color=METHOD_COLOURS[0])
        for value, colour, name in ((float(np.nanmedian(error)), INK, "median"), (step, OTHER, "sampling step")):
            axes.axvline(value, color=colour, linewidth=1.5, label=f"{name} {value:.1f}°")
        axes.set(xlabel="angle from the true orientation (°)", ylabel="patterns", xlim=(0, None))
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    return picture


def _iterations(result: OrientationResult) -> list[Section]:
    if len(result.log.get("iteration", [])) == 0:
        return []
    return [Section("Iterations", iterations_figures(result))]


def iterations_figures(result: OrientationResult) -> list[Picture]:
    """Mutual information and log-likelihood after every iteration, with the exponent beta."""
    pictures = []
    for name, label, words in (
        (
            "mutual_information",
            "mutual information (nat)",
            "Information of one pattern on its orientation, mean.",
        ),
        ("log_likelihood", "log-likelihood per pattern", "Log-likelihood of the patterns given the merged intensity."),
    ):
        with figure() as picture:
            axes = picture.subplots()
            axes.plot(result.log["iteration"], result.log[name], "o-", markersize=3.5, color=METHOD_COLOURS[0])
            axes.set(xlabel="iteration", ylabel=label)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            beside = axes.twinx()
            beside.semilogy(result.log["iteration"], result.log["beta"], "-", color=METHOD_COLOURS[3], linewidth=1.2)
            beside.set_ylabel(r"annealing exponent $\beta$", color=METHOD_COLOURS[3])
            beside.grid(False)
        pictures.append(Picture(as_svg(picture), label[0].upper() + label[1:].partition(" (")[0], words))
    return pictures


def _examples(result: OrientationResult) -> list[Section]:
    if result.examples is None:
        return []
    return [Section("Patterns", [examples_picture(result.examples)])]


def _log(run: Path) -> list[Fold]:
    path = run / "dragonfly.log"
    if not path.is_file():
        return []
    return [Fold("End of Dragonfly's output", path.read_text(encoding="utf-8", errors="replace")[-_LOG_END:])]
