"""Page of a comparison of densities: resolutions, correlation, planes and differences, and the alignment found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from spi_lightning.codec import load
from spi_lightning.console import Terminal
from spi_lightning.notes import Level, note_lines
from spi_lightning.reports.further import MakeFigure, further_sections
from spi_lightning.reports.page import Lines, Picture, Section, Table, notes_section, warnings_of, write_page
from spi_lightning.reports.provenance import provenance_section, source_line
from spi_lightning.reports.style import as_svg, as_tiles
from spi_lightning.results.densities import DENSITIES_FILE, AlignedDensity, DensityComparison, DensityPair
from spi_lightning.results.densities.comparison import CRITERIA

from .figures import correlation_figure, pair_name, slices_figure

_SHARED = (
    "Two densities of the same patterns, or phased in one support, agree by more than they resolve: a resolution is "
    "what two halves of the patterns agree on, each oriented and phased by itself."
)


def print_comparison(result: DensityComparison, report: Path) -> None:
    """Print the resolutions, the alignments, warnings, and the path of the page."""
    console = Terminal()
    lines = [*answer(result), *(alignment_line(result, each) for each in range(len(result.alignments)))]
    for line in [*lines, *note_lines(result.notes, Level.WARNING), f"report: {report}"]:
        console.print(line, soft_wrap=True)


def answer(result: DensityComparison) -> list[str]:
    """A sentence on each pair: the full period at which its correlation falls below each threshold."""
    return [
        f"{pair_name(result, pair)}: {result.curve_name} below "
        + ", below ".join(_where(result, pair, name) for name in CRITERIA)
        for pair in result.pairs
    ]


def _where(result: DensityComparison, pair: DensityPair, name: str) -> str:
    """A threshold, and where the correlation of a pair falls below it."""
    crossed = math.isfinite(pair.crossing[name])
    return f"{CRITERIA[name]} {'at' if crossed else 'nowhere up to'} {result.period(pair, name)}"


def alignment_line(result: DensityComparison, number: int) -> str:
    """The alignment of one density with the first, in words."""
    each, name = result.alignments[number], result.names[number + 1]
    turned = f"rotated by {each.angle:.2f}°, " if result.align == "rotation" else ""
    shift = ", ".join(f"{length:.2f}" for length in each.shift)
    words = f"{turned}shifted by ({shift}) {result.element}s{', the twin' * each.twin}"
    words += ", its contrast inverted" * (each.sign < 0)
    return f"{name} on {result.names[0]}: {words}; overlap {each.overlap:.4f}"


def write_densities_report(run: Path, figures: Mapping[str, MakeFigure] | None = None) -> Path:
    """Write report.html of a comparison of densities from its densities.h5.

    Args:
        run: Folder of the run.
        figures: Further figures by title, see reports.further.
    """
    result = load(run / DENSITIES_FILE, DensityComparison)
    sections = [
        Section("Result", [Lines(answer(result)), *warnings_of(result.notes), _curve(result), _resolutions(result)]),
        Section("Densities", [_slices(result)]),
        Section("Alignment", [_alignments(result)]),
        *further_sections(figures, result),
        notes_section(result.notes),
        provenance_section(run),
    ]
    sources = ", ".join(dict.fromkeys(filter(None, result.sources)))
    return write_page(run / "report.html", "Comparison of densities", source_line(sources, run), sections)


def _curve(result: DensityComparison) -> Picture:
    real = result.densities.dtype.kind != "c"
    words = (
        f"{'Fourier shell' if result.densities.ndim == 4 else 'Fourier ring'} correlation of the aligned densities. "
        "Half bit: van Heel & Schatz (2005), for the independent components of a shell: those of the array over its "
        f"ratio to the particle{', Friedel mates once' if real else ''}. {_SHARED}"
    )
    if result.mask is not None:
        words += (
            " Corrected: within the mask, less what randomised phases have in common there (Chen et al. 2013); phases "
            "are random from where the correlation without mask falls below 0.8."
        )
    return Picture(as_svg(correlation_figure(result)), "Correlation against frequency", words)


def _resolutions(result: DensityComparison) -> Table:
    """Full periods at which every pair falls below the thresholds."""
    rows = [[pair_name(result, pair), *(result.period(pair, name) for name in CRITERIA)] for pair in result.pairs]
    unit = "" if result.known else f" The {result.element} size is not known: periods are in {result.element}s."
    words = f"Full period 1 / q, not half of it, at which the correlation first falls below a threshold.{unit}"
    return Table(["densities", *CRITERIA.values()], rows, words)


def _slices(result: DensityComparison) -> Picture:
    words = (
        "Over the largest value of the first; others at the scale that brings them nearest to it, less the first below."
    )
    if result.densities.dtype.kind == "c":
        words += " Amplitudes of complex densities and of their differences."
    volume = result.densities.ndim == 4
    if volume:
        words = f"Central planes. {words}"
    return Picture(as_tiles(slices_figure(result)), "Aligned densities and differences", words, wide=volume)


def _alignments(result: DensityComparison) -> Table:
    """What was done to each density to align it with the first."""
    rows = [_row(name, each) for name, each in zip(result.names[1:], result.alignments, strict=True)]
    head = [
        "density",
        "rotation (°)",
        f"shift ({result.element})",
        "twin",
        "contrast",
        "overlap",
        "next best",
        "starts",
    ]
    words = (
        f"On {result.names[0]}: the twin first, then the rotation about the middle, then the shift (z, y, x). Next "
        "best: overlap of another rotation or twin over this one, 1 where both fit alike. Starts: refined candidates "
        "that ended here, of all; another search may end elsewhere."
    )
    return Table(head, rows, words)


def _row(name: str, each: AlignedDensity) -> list[str]:
    shift = ", ".join(f"{length:.2f}" for length in each.shift)
    contrast = "inverted" if each.sign < 0 else f"{each.phase:.2f} rad" if each.phase else "as it is"
    rival = f"{each.rival:.4f}" if math.isfinite(each.rival) else "none"
    starts = f"{each.agreed} of {each.refined}" if each.refined else "none"
    return [
        name,
        f"{each.angle:.2f}",
        shift,
        "yes" if each.twin else "no",
        contrast,
        f"{each.overlap:.4f}",
        rival,
        starts,
    ]
