"""The page of an evaluation of supports, from the files of its run folder."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spi_lightning.notes import Note, note_lines
from spi_lightning.reports.further import MakeFigure, further_sections
from spi_lightning.reports.page import Lines, Picture, Section, Table, write_page
from spi_lightning.reports.provenance import provenance_section
from spi_lightning.reports.style import as_png, as_svg
from spi_lightning.results.supports import SupportFiles, read_supports

from .figures import (
    agreement_figure,
    errors_figure,
    histogram_figure,
    trade_off_figure,
)
from .gallery import supports_gallery

Block = Picture | Table | Lines
WORST_SHOWN = 10

COLUMNS = {
    "below_two_false_negatives": "< 2 false\nnegatives (%)",
    "false_negatives": "false\nnegatives (px)",
    "false_positives": "false\npositives (px)",
    "area": "area (px)",
    "area_ratio": "area over\ntrue area",
    "iou": "IoU",
    "centrosymmetry_broken": "centrosymmetry\nbroken (%)",
}
_FEW = 10  # groups below which a bootstrapped interval says little
PERCENT = ("below_two_false_negatives", "centrosymmetry_broken")
WORDS = (
    "Means over patterns. {compared}Below each number: its "
    "95 % interval, bootstrapped over {groups}. Centrosymmetry is broken where fewer than 95 % of the pixels stay "
    "inside when the support is turned around the best centre{truth}."
)
COMPARED = (
    "Answers are compared at the whole-pixel shift, and in the twin, of largest overlap with the truth. A true support "
    "is where the projected density exceeds {fraction:g} of its maximum. "
)


def write_supports_report(run: Path, figures: Mapping[str, MakeFigure] | None = None) -> Path:
    """Make report.html of a run folder, from its files alone.

    Raises:
        UserError: The folder is no finished evaluation of supports.
    """
    files = read_supports(run)
    sections = [
        Section("Summary", [*_summary(files)]),
        *_accuracy(files),
        Section("Patterns", [*_galleries(files)]),
        Section("Shapes", [*_shapes(files)]),
        Section(
            "Notes",
            [
                Lines(
                    note_lines(map(Note.read, files.about["notes"]))
                    or ["Nothing was announced by the reader or a method."]
                )
            ],
        ),
        *further_sections(figures, files),
        provenance_section(run, {"command": files.about["command"]}, _costs(files.about["methods"])),
    ]
    names = ", ".join(method.name for method in files.methods)
    return write_page(run / "report.html", "Supports", f"{names} on {files.about['path']}", sections)


def _summary(files: SupportFiles) -> Iterator[Block]:
    count, height, width = files.about["shape"]
    structures = len(np.unique(files.structure[files.structure >= 0]))
    of = f" of {structures} structures" if structures else ""
    lines = [f"{count} patterns of {height} × {width} pixels{of} ({files.about['format']})."]
    if files.truth is None:
        lines.append("The file has no true densities: supports are shown, and compared with each other only.")
    else:
        area = files.truth.sum(axis=(1, 2))
        lines.append(f"True supports have {area.min()} to {area.max()} pixels, {area.mean():.0f} on average.")
    yield Lines(lines)
    yield methods_table(files)


def methods_table(files: SupportFiles) -> Table:
    """One row for each method: how often it is large enough, how loose, whether it breaks centrosymmetry, its time."""
    numbers = files.metrics["methods"]
    first = next(iter(numbers.values()))
    shown = [name for name in COLUMNS if f"test/{name}" in first]
    if files.truth is not None:
        shown.remove("area")  # the ratio says more
    rows = []
    for name, values in numbers.items():
        time = f"{files.about['methods'][name]['ms_per_pattern']:.2f}"
        rows.append([name, *(_cell(values, number) for number in shown), time])
    truth = first.get("test/true_centrosymmetry_broken")
    known = f"; {100 * truth:.0f} % of the true supports do so" if truth is not None else ""
    groups = "structures" if (files.structure >= 0).all() else "patterns"
    count = len(np.unique(files.structure)) if groups == "structures" else len(files.structure)
    groups += f" (only {count}: hardly to be believed)" if count < _FEW else ""
    compared = COMPARED.format(fraction=files.about["fraction"]) if files.truth is not None else ""
    words = WORDS.format(compared=compared, groups=groups, truth=known)
    return Table(["method", *(COLUMNS[name] for name in shown), "ms per\npattern"], rows, words)


def _cell(values: Mapping[str, Any], name: str) -> str:
    ends = [values[f"test/{name}{end}"] for end in ("", "/low", "/high")]
    digits = 2 if name in ("area_ratio", "iou", "false_negatives") else 1
    value, low, high = (None if end is None else f"{100 * end if name in PERCENT else end:.{digits}f}" for end in ends)
    return f"{value}" if low is None else f"{value}\n{low}–{high}"


def _accuracy(files: SupportFiles) -> list[Section]:
    if files.truth is None:
        return []
    blocks: list[Block] = []
    if curves := files.metrics.get("trade_off"):
        words = (
            f"On {files.about['curve_patterns']} patterns. Large marks: as answered. Lines: the same methods at other "
            "thresholds, of the autocorrelation for intersections, of the predicted density or score for networks; "
            "dashed: every support grown by one pixel. Up and to the left is better."
        )
        picture = trade_off_figure(curves)
        blocks.append(Picture(as_svg(picture), "Too small against too loose", words, wide=True))
    words = "One mark for each pattern and method; below the dotted line fewer than two true pixels are missed. "
    words += "Marks stand a little beside their whole numbers, each method on its own side."
    blocks.append(Picture(_drawn(files, errors_figure(files.methods)), "Errors of each pattern", words, wide=True))
    blocks.append(worst_table(files))
    return [Section("Accuracy", blocks)]


def worst_table(files: SupportFiles) -> Table:
    """The structures that the headline method gets wrong most often; without numbers of structures, the patterns."""
    columns = files.headline.columns
    missed = np.asarray(columns["false_negatives"], dtype=np.float64)
    named = bool((files.structure >= 0).all())
    group, of = np.unique(files.structure if named else files.frame, return_inverse=True)
    count = np.bincount(of)
    share = np.bincount(of, weights=missed < 2) / count
    mean = {name: np.bincount(of, weights=columns[name]) / count for name in ("false_positives", "area_ratio", "iou")}
    order = np.lexsort((-np.bincount(of, weights=missed) / count, share))[:WORST_SHOWN]
    most = np.zeros(len(group))
    np.maximum.at(most, of, missed)
    rows = [
        [
            files.name_of(int(group[i])) if named else str(group[i]),
            str(count[i]),
            f"{100 * share[i]:.0f}",
            f"{most[i]:.0f}",
            f"{mean['false_positives'][i]:.1f}",
            f"{mean['area_ratio'][i]:.2f}",
            f"{mean['iou'][i]:.2f}",
        ]
        for i in order
    ]
    what = "structure" if named else "frame"
    head = [what, "patterns", "with < 2 false\nnegatives (%)", "most false\nnegatives", "false positives\n(mean)"]
    words = f"The {what}s that {files.headline.name} answers worst."
    return Table([*head, "area over\ntrue area", "intersection\nover union"], rows, words)


def _galleries(files: SupportFiles) -> Iterator[Block]:
    if not files.shown.choices:
        yield Lines(["No patterns were stored for this page."])
        return
    yield Lines(
        [
            "Intensity on a logarithmic scale over six decades, relative to its maximum; grey: not measured. "
            "Everything below is cut to the middle of the frame, each column by itself; densities and scores from 0 "
            "(white) to the largest of each (black). "
            + ("Above each column: frame, structure, and area of the true support." if files.truth is not None else "")
        ]
    )
    for title, rows in files.shown.choices.items():
        yield Picture(as_png(supports_gallery(files, rows)), title, _gallery_words(files, title), wide=True)


_NO_TWICE = "no structure twice, if there are enough"


def _gallery_words(files: SupportFiles, title: str) -> str:
    if title.startswith("Worst"):
        return f"Most true pixels missed by {files.headline.name}; {_NO_TWICE}."
    if "particles" not in title:
        return "Evenly spread over the file."
    return f"{_NO_TWICE[0].upper()}{_NO_TWICE[1:]}." if bool((files.structure >= 0).any()) else ""


def _shapes(files: SupportFiles) -> Iterator[Block]:
    true = files.methods[0].columns.get("true_centrosymmetry")
    words = "Share of pixels that stay inside when a support is turned around; 1: the twin has the same support."
    picture = histogram_figure(files.methods, "centrosymmetry", "share of pixels that stay inside", true)
    yield Picture(_drawn(files, picture), "Centrosymmetry", words)
    area = None if files.truth is None else files.truth.sum(axis=(1, 2)).astype(np.float64)
    picture = histogram_figure(files.methods, "area", "area of the support (pixels)", area)
    yield Picture(_drawn(files, picture), "Area", "")
    if found := files.metrics.get("agreement"):
        picture = agreement_figure(found["methods"], found["iou"])
        words = "Mean intersection over union of the supports of two methods, at the shift and twin of largest overlap."
        yield Picture(as_svg(picture), "Agreement", words)


def _costs(methods: Mapping[str, Mapping[str, Any]]) -> Table:
    names = list(dict.fromkeys(name for told in methods.values() for name in told))
    rows = [[method, *(str(told.get(name, "")) for name in names)] for method, told in methods.items()]
    return Table(["method", *(name.replace("_", " ") for name in names)], rows, numeric=False)


def _drawn(files: SupportFiles, picture: Any) -> str:
    """SVG for few points, PNG for many."""
    return as_svg(picture) if len(files.frame) * len(files.methods) <= 2000 else as_png(picture)
