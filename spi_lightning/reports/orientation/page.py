"""Page of an orientation run: tests of uniformity, maps of orientations, the merged intensity, patterns and slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spi_lightning.codec import load
from spi_lightning.console import Terminal
from spi_lightning.io.reading import read_metrics
from spi_lightning.notes import Level, Note, note_lines
from spi_lightning.reports.further import MakeFigure, further_sections
from spi_lightning.reports.page import Fold, Lines, Picture, Section, Table, notes_section, warnings_of, write_page
from spi_lightning.reports.provenance import provenance_section, source_line
from spi_lightning.reports.style import INK, METHOD_COLOURS, OTHER, as_svg, figure
from spi_lightning.results.orientation import ORIENTATION_FILE, OrientationResult

from .maps import examples_picture, map_pictures, slices_picture


def verdict(metrics: dict[str, Any], level: float = 0.01) -> str:
    """Result of the test of uniformity in a sentence.

    Args:
        metrics: Numbers of the run, as in metrics.json.
        level: p-value below which orientations are called not even.
    """
    test = metrics["uniformity"]
    what = "not even" if test["p_value"] < level else "not distinguishable from even"
    of = f"{metrics['patterns']:,} patterns, symmetry {metrics['symmetry']}"
    of += ", against an even control" if metrics.get("controlled") else ""
    p = f"p {'' if test['p_value'] < 1e-16 else '= '}{p_text(test['p_value'])}"
    return (
        f"Orientations are {what}: {p} ({of}); beyond "
        f"counting noise their density varies by {100 * test['variation']:.0f} % over the sphere."
    )


def print_orientations(metrics: Mapping[str, Any], notes: Sequence[Note], report: Path) -> None:
    """Print how well orientations were recovered where they are known, the verdict, warnings, and the report's path.

    Args:
        metrics: Numbers of the run, as in metrics.json.
        notes: Notes of the run.
        report: Path of the page.
    """
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


def tests_table(metrics: dict[str, Any]) -> Table:
    """Table of statistic, degrees of freedom and p-value of each test, and p of both together."""
    test = metrics["uniformity"]
    rows = [
        (name, f"{test[key]:.2f}", str(test[f"{key}_freedom"]), p_text(test[f"{key}_p"]))
        for name, key in (("lowest harmonics", "harmonics"), ("chi-square over equal parts", "chi_square"))
    ]
    rows.append(("both (Bonferroni)", "", "", p_text(test["p_value"])))
    words = (
        f"Compared with {_expected(metrics)}. Harmonics: score test of the lowest spherical harmonics that the "
        "symmetry allows (no symmetry: degrees 1 and 2, the tests of Rayleigh and Bingham; icosahedral: the invariants "
        "of degrees 6, 10, 12)."
    )
    return Table(("test of evenness", "statistic", "degrees of\nfreedom", "p"), rows, words)


def _expected(metrics: dict[str, Any]) -> str:
    """Reference of the tests in words."""
    if metrics.get("controlled"):
        return "an even set from the same reconstruction (control), whose own scatter is included"
    return "the weights of the sampled orientations; a reconstruction's own bias counts as unevenness (see control)"


def p_text(p: float) -> str:
    """p-value as text, below 1e-16 as an inequality."""
    return "< 1e-16" if p < 1e-16 else f"{p:.3f}" if p >= 1e-3 else f"{p:.1e}"


_LOG_END: Final = 4000  # characters of Dragonfly's log on the page


def write_orientation_report(run: Path, figures: Mapping[str, MakeFigure] | None = None) -> Path:
    """Write report.html of an orientation run from its orientation.h5 and metrics.json.

    Args:
        run: Folder of the orientation run.
        figures: Further figures by title, see reports.further.
    """
    result = load(run / ORIENTATION_FILE, OrientationResult)
    metrics: dict[str, Any] = read_metrics(run / "metrics.json")
    sections = [
        Section("Result", [Lines([answer(result, metrics)]), *warnings_of(result.notes), *map_pictures(result)]),
        Section("Merged intensity", [slices_picture(result)]),
        Section("Evenness", [tests_table(metrics)]),
        *_recovery(result, metrics),
        *_examples(result),
        *_iterations(result),
        *further_sections(figures, result),
        notes_section(result.notes, *_log(run)),
        provenance_section(run),
    ]
    return write_page(run / "report.html", "Orientations", source_line(result.data, run), sections)


def answer(result: OrientationResult, metrics: dict[str, Any]) -> str:
    """Two or three sentences: evenness, how far the merged intensity reaches, errors where orientations are known."""
    text = verdict(metrics)
    if np.isfinite(result.voxel):
        reach = result.slices.shape[-1] // 2 * result.voxel
        text += f" The merged intensity ends at a full period of {1e9 / reach:.3g} nm, a limit and no resolution."
    if result.error is not None:
        recovery = metrics["recovery"]
        text += f" Orientations are found to {recovery['median_error_deg']:.1f}° (median), "
        text += f"90 % to {recovery['error_90_deg']:.1f}°, at a sampling step of {metrics['sampling_step_deg']:.1f}°."
    return text


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
