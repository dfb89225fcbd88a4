"""Page of an evaluation of supports, from the result in its run folder."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spi_lightning import codec
from spi_lightning.fields import AREA, FALSE_NEGATIVES, FALSE_POSITIVES, TRUE_CENTROSYMMETRY
from spi_lightning.reports.further import MakeFigure, further_sections
from spi_lightning.reports.heat_map import agreement_figure
from spi_lightning.reports.page import Lines, Picture, Section, Table, notes_section, write_page
from spi_lightning.reports.provenance import provenance_section
from spi_lightning.reports.short_names import renamed, short_names
from spi_lightning.reports.style import as_picture, as_png
from spi_lightning.results.supports import EVEN, SUPPORTS_FILE, WORST, MethodResult, SupportResult

from .figures import (
    errors_figure,
    histogram_figure,
    trade_off_figure,
)
from .gallery import supports_gallery

Block = Picture | Table | Lines
WORST_DISPLAYED = 10

COLUMNS = {
    "below_two_false_negatives": "< 2 false\nnegatives (%)",
    FALSE_NEGATIVES: "false\nnegatives (px)",
    FALSE_POSITIVES: "false\npositives (px)",
    AREA: "area (px)",
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
    """Write report.html of an evaluation of supports.

    Args:
        run: Folder of the evaluation.
        figures: Further figures by title, see reports.further.

    Raises:
        UserError: The folder holds no finished evaluation of supports.
    """
    loaded = codec.load(run / SUPPORTS_FILE, SupportResult)
    result = renamed(loaded, short_names([method.name for method in loaded.methods]))
    first, *others = _galleries(result) or [Lines(["The result holds no patterns (gallery=0)."])]
    sections = [
        Section("Answer", [Lines([_answer(result)]), first]),
        Section("Numbers", [methods_table(result)]),
        *_accuracy(result),
        *([Section("Patterns", others)] if others else []),
        Section("Shapes", [*_shapes(result)]),
        notes_section(result.notes),
        *further_sections(figures, loaded),
        provenance_section(run, {"command": result.command}, _costs(result.methods)),
    ]
    count, height, width = result.methods[0].support.shape
    subtitle = f"{result.path}: {count:,} patterns of {height} × {width} pixels ({result.format})"
    return write_page(run / "report.html", "Supports", subtitle, sections)


def _answer(result: SupportResult) -> str:
    """The answer in two sentences: the supports of the primary method, and what they are compared with."""
    method, structures = result.primary_method, len(np.unique(result.structure[result.structure >= 0]))
    of = f" of {structures:,} structures" if structures else ""
    if result.truth is None:
        words = f"{method.name} finds supports of {method.support.sum(axis=(1, 2)).mean():.0f} pixels on average{of}. "
        return f"{words}The file has no true densities, so supports are only compared with each other."
    missed, loose = (np.asarray(method.columns[name]) for name in (FALSE_NEGATIVES, FALSE_POSITIVES))
    area = result.truth.sum(axis=(1, 2))
    return (
        f"{100 * (missed < 2).mean():.1f} % of the supports of {method.name} miss fewer than two true pixels, and "
        f"{loose.mean():.0f} pixels lie outside on average. True supports{of} have {area.min()} to {area.max()} "
        f"pixels, {area.mean():.0f} on average."
    )


def methods_table(result: SupportResult) -> Table:
    """Table of the methods: false negatives and positives, area, overlap, centrosymmetry and time, with intervals."""
    numbers = result.metrics["methods"]
    first = next(iter(numbers.values()))
    displayed = [name for name in COLUMNS if f"test/{name}" in first]
    if result.truth is not None:
        displayed.remove("area")  # the ratio stands beside it
    rows = []
    for method in result.methods:
        values = numbers[method.name]
        rows.append([method.name, *(_cell(values, number) for number in displayed), f"{method.ms_per_pattern:.2f}"])
    truth = first.get("test/true_centrosymmetry_broken")
    known = f"; {100 * truth:.0f} % of the true supports do so" if truth is not None else ""
    groups = "structures" if (result.structure >= 0).all() else "patterns"
    count = len(np.unique(result.structure)) if groups == "structures" else len(result.structure)
    groups += f" (only {count}, so intervals are unreliable)" if count < _FEW else ""
    compared = COMPARED.format(fraction=result.fraction) if result.truth is not None else ""
    words = WORDS.format(compared=compared, groups=groups, truth=known)
    return Table(["method", *(COLUMNS[name] for name in displayed), "ms per\npattern"], rows, words)


def _cell(values: Mapping[str, Any], name: str) -> str:
    ends = [values[f"test/{name}{end}"] for end in ("", "/low", "/high")]
    digits = 2 if name in ("area_ratio", "iou", "false_negatives") else 1
    value, low, high = (None if end is None else f"{100 * end if name in PERCENT else end:.{digits}f}" for end in ends)
    return f"{value}" if low is None else f"{value}\n{low}–{high}"


def _accuracy(result: SupportResult) -> list[Section]:
    if result.truth is None:
        return []
    blocks: list[Block] = []
    if curves := result.metrics.get("trade_off"):
        words = (
            f"On {result.curve_patterns} patterns. Large marks: the supports themselves. Lines: other thresholds of "
            "the same method, of the autocorrelation for intersections, of the predicted density or score for "
            "networks. Dashed: every support dilated by one pixel. Up and to the left is better."
        )
        picture = trade_off_figure(curves)
        blocks.append(Picture(as_picture(picture), "Too small against too loose", words, wide=True))
    words = "One mark for each pattern and method; below the dotted line fewer than two true pixels are missed. "
    words += "Marks stand a little beside their whole numbers, each method on its own side."
    blocks.append(Picture(as_picture(errors_figure(result.methods)), "Errors of each pattern", words, wide=True))
    blocks.append(worst_table(result))
    return [Section("Accuracy", blocks)]


def worst_table(result: SupportResult) -> Table:
    """Table of the structures, or without their numbers the patterns, of most false negatives of the primary method."""
    columns = result.primary_method.columns
    missed = np.asarray(columns[FALSE_NEGATIVES], dtype=np.float64)
    named = bool((result.structure >= 0).all())
    group, of = np.unique(result.structure if named else result.frame, return_inverse=True)
    count = np.bincount(of)
    share = np.bincount(of, weights=missed < 2) / count
    mean = {name: np.bincount(of, weights=columns[name]) / count for name in ("false_positives", "area_ratio", "iou")}
    order = np.lexsort((-np.bincount(of, weights=missed) / count, share))[:WORST_DISPLAYED]
    most = np.zeros(len(group))
    np.maximum.at(most, of, missed)
    rows = [
        [
            result.name_of(int(group[i])) if named else str(group[i]),
            str(count[i]),
            f"{100 * share[i]:.0f}",
            f"{most[i]:.0f}",
            f"{mean[FALSE_POSITIVES][i]:.1f}",
            f"{mean['area_ratio'][i]:.2f}",
            f"{mean['iou'][i]:.2f}",
        ]
        for i in order
    ]
    what = "structure" if named else "frame"
    head = [what, "patterns", "with < 2 false\nnegatives (%)", "most false\nnegatives", "false positives\n(mean)"]
    words = f"The {what}s of most false negatives of {result.primary_method.name}."
    return Table([*head, "area over\ntrue area", "intersection\nover union"], rows, words)


def _galleries(result: SupportResult) -> list[Block]:
    """Gallery of every choice of patterns; the first one's caption tells how to read them."""
    known = result.truth is not None
    how = (
        "Intensity on a logarithmic scale over six decades, relative to its maximum; grey: not measured. Everything "
        "below is cut to the middle of the frame, each column by itself; densities and scores from 0 (white) to the "
        f"largest of each (black).{' Above each column: frame, structure, and area of the true support.' * known}"
    )
    blocks: list[Block] = []
    for title, rows in result.displayed.choices.items():
        words = " ".join(filter(None, (_gallery_words(result, title), "" if blocks else how)))
        blocks.append(Picture(as_png(supports_gallery(result, rows)), title, words, wide=True))
    return blocks


_NO_TWICE = "no structure twice, if there are enough"


def _gallery_words(result: SupportResult, choice: str) -> str:
    """Caption of a gallery by the name of its choice of patterns."""
    if choice == WORST:
        return f"Most true pixels missed by {result.primary_method.name}; {_NO_TWICE}."
    if choice == EVEN:
        return "Evenly spread over the file."
    return f"{_NO_TWICE[0].upper()}{_NO_TWICE[1:]}." if bool((result.structure >= 0).any()) else ""


def _shapes(result: SupportResult) -> Iterator[Block]:
    true = result.methods[0].columns.get(TRUE_CENTROSYMMETRY)
    words = "Share of pixels that stay inside when a support is turned around; 1: the twin has the same support."
    picture = histogram_figure(result.methods, "centrosymmetry", "share of pixels that stay inside", true)
    yield Picture(as_picture(picture), "Centrosymmetry", words)
    area = None if result.truth is None else result.truth.sum(axis=(1, 2)).astype(np.float64)
    picture = histogram_figure(result.methods, "area", "area of the support (pixels)", area)
    yield Picture(as_picture(picture), "Area", "")
    if found := result.metrics.get("agreement"):
        picture = agreement_figure(found["methods"], {"": found["iou"]}, "intersection over union")
        words = "Mean intersection over union of the supports of two methods, at the shift and twin of largest overlap."
        yield Picture(as_picture(picture), "Agreement", words)


def _costs(methods: Sequence[MethodResult]) -> Table:
    """Table of the cost of each answer, and of checkpoint, weights and threshold of networks."""
    facts = [
        {
            **method.cost.rounded,
            "ms per pattern": f"{method.ms_per_pattern:.3f}",
            **({"cached": "yes"} if method.kept else {}),
            **{name: str(value) for name, value in (method.network or {}).items()},
        }
        for method in methods
    ]
    names = list(dict.fromkeys(name for each in facts for name in each))
    rows = [[method.name, *(each.get(name, "") for name in names)] for method, each in zip(methods, facts, strict=True)]
    return Table(["method", *names], rows, numeric=False)
