"""Page of an evaluation of hits, from the result in its run folder."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spi_lightning.fields import IS_SINGLE_HIT
from spi_lightning.metrics.hits.classification_curves import curve_bands
from spi_lightning.notes import Level, note_lines
from spi_lightning.reports.further import MakeFigure, further_sections
from spi_lightning.reports.page import Lines, Picture, Section, Table, write_page
from spi_lightning.reports.provenance import provenance_section
from spi_lightning.reports.style import INK, OTHER, SINGLE, as_png, as_svg
from spi_lightning.results.hits import HitResult

from .choice import DISPUTED, left_out_of
from .columns import column_figures
from .comparison import comparison_blocks
from .curves import (
    confusion_figure,
    histogram_figure,
    precision_recall_figure,
    reliability_figure,
    roc_figure,
)
from .embedding import embedding_figure, require_embedding
from .evaluation_trust import trust_sections
from .gallery import Caption, gallery_figure
from .tables import frames_table, kinds_table, methods_table, numbers_tables
from .transfer import (
    confusion_table,
)

Block = Picture | Table | Lines


def write_evaluation_report(run: Path, figures: Mapping[str, MakeFigure] | None = None, embedding: str = "pca") -> Path:
    """Make report.html of an evaluation's run folder, from its files alone.

    Args:
        run: Folder written by evaluate.py.
        figures: Further figures, see reports.further; they are called with HitResult.
        embedding: Embedding of features, ``pca`` or ``tsne``.

    Raises:
        UserError: The folder is no finished evaluation, or the embedding is unknown.
    """
    require_embedding(embedding)
    result = HitResult.load(run)
    sections = [
        Section("Summary", [*_summary(result)]),
        *_comparison(result),
        Section("Patterns", [*_galleries(result)]),
        Section("Decision", [*_decision(result)]),
        *trust_sections(result),
        Section("Frames", [*_frames(result, embedding)]),
        Section("Notes", [Lines(note_lines(result.notes) or ["Nothing to note."])]),
        *further_sections(figures, result),
        provenance_section(run, {"command": result.command}, methods_table(result)),
    ]
    subtitle = f"{result.primary.name} on {result.path}"
    return write_page(run / "report.html", "Single-hit classification", subtitle, sections)


def _summary(result: HitResult) -> Iterator[Block]:
    count, height, width = result.shape
    taken, unsure = int(result.primary.decision.sum()), int(result.primary.abstain.sum())
    label = result.label
    selected, name, rule = result.selected, result.primary.name, result.rule
    lines = [
        f"{count} patterns of {height} × {width} pixels ({result.format}).",
        f"{taken} are taken as single hits by {name}, {count - taken} are not; of all these, {unsure} are uncertain "
        f"(probability within {rule.abstain_within:g} of the threshold {rule.threshold:g}).",
        f"{len(selected.frame)} frames are selected by {name} (selection.method): {', '.join(selected.files)}"
        f"{left_out_of(len(selected.frame), taken)}{selected.reason}.",
    ]
    if label is None:
        lines.append("The file has no labels, so there are no metrics.")
    else:
        learnt = len(result.training_frames)
        lines.append(
            f"Labels: {(label == 1).sum()} single hits, {(label == 0).sum()} others, {(label < 0).sum()} unknown"
            f"{f' or training labels of a method ({learnt})' if learnt else ''}."
        )
    yield Lines([*lines, *note_lines(result.notes, Level.HINT)])
    excluded = _listed(result.excluded)
    yield from numbers_tables(result.metrics, excluded)


def _comparison(result: HitResult) -> list[Section]:
    """Section on the comparison of the methods; none for a single method."""
    comparison = result.metrics.get("comparison")
    if not comparison:
        return []
    blocks: list[Block] = [*comparison_blocks(comparison), methods_table(result)]
    if (label := result.label) is not None:
        blocks.append(confusion_table(label, {answer.name: answer.decision for answer in result.answers}))
    return [Section("Methods compared", blocks)]


def _galleries(result: HitResult) -> Iterator[Block]:
    if result.gallery is None:
        yield Lines(["The result holds no patterns (gallery=0)."])
        return
    yield Lines(
        [
            "Photons on a logarithmic scale shared by all panels of a gallery; 0 is drawn as 0.5. Grey: not "
            "measured. Green cross: beam centre, where known. p: probability of a single hit by "
            f"{result.primary.name}; a question mark: uncertain. Frame colour: blue, the label is single hit; orange, "
            "the label is other; black, unknown."
        ]
    )
    for title, frames in result.gallery.choices.items():
        if len(frames):
            votes = title == DISPUTED
            captions = [_caption(result, frame, votes) for frame in frames]
            picture = gallery_figure(result.gallery, frames.tolist(), captions)
            yield Picture(as_png(picture), title, wide=True)


def _caption(result: HitResult, frame: int, votes: bool = False) -> Caption:
    label = result.labels[IS_SINGLE_HIT][frame] if IS_SINGLE_HIT in result.labels else -1
    name, colour = {1: (" · single", SINGLE), 0: (" · other", OTHER)}.get(int(label), ("", INK))
    if votes:
        taken = sum(int(answer.decision[frame]) for answer in result.answers)
        return Caption(f"#{frame} · taken by {taken} of {len(result.answers)}{name}", colour)
    unsure = " ?" if result.primary.abstain[frame] else ""
    return Caption(f"#{frame} · p {result.primary.probability[frame]:.2f}{unsure}{name}", colour)


def _decision(result: HitResult) -> Iterator[Block]:
    label, primary = result.label, result.primary
    if label is not None:
        yield from _labelled_curves(result, label[label >= 0], label >= 0)
    histogram = histogram_figure(primary, label, result.rule.threshold, result.rule.abstain_within)
    yield Picture(as_svg(histogram), "Probabilities", f"Of {primary.name}, stacked.")
    if (kinds := kinds_table(result)) is not None:
        yield kinds


def _labelled_curves(result: HitResult, label: NDArray[np.int64], use: NDArray[np.bool_]) -> Iterator[Block]:
    answers = result.scored(use)
    primary = answers[-1]
    if 0 < (label == 1).sum() < len(label):
        replicates = int(np.clip(2e7 / len(label), 50, 500))
        bands = curve_bands(primary.probability.astype(np.float64), label, replicates)
        words = f"Shaded: pointwise 95 % bootstrap band of {primary.name}. Numbers: "
        dot = f"area under the curve. Dot: {primary.name} at the threshold {result.rule.threshold:g}."
        yield Picture(as_svg(roc_figure(answers, label, bands)), "ROC curve", f"{words}{dot}")
        picture = precision_recall_figure(answers, label, bands)
        yield Picture(as_svg(picture), "Precision and recall", f"{words}average precision.")
    else:
        yield Lines(["All labelled frames are of one class, so there are no ROC and precision-recall curves."])
    words = "Dashed line: a fraction p of the frames of probability p are single hits."
    yield Picture(as_svg(reliability_figure(primary, label)), "Reliability", f"{primary.name}. {words}")
    words = f"{primary.name} at the threshold {result.rule.threshold:g}."
    yield Picture(as_svg(confusion_figure(primary, label)), "Confusion", words)


def _frames(result: HitResult, embedding: str) -> Iterator[Block]:
    label = result.label
    source = next((one for one in (result.primary, *result.answers) if one.features is not None), None)
    if source is not None and source.features is not None and result.shape[0] > 1:
        threshold = result.rule.threshold
        picture = embedding_figure(source.features, result.primary.probability, label, embedding, threshold)
        words = f"Penultimate features of {source.name}; frames near each other have like features."
        yield Picture(_sized(picture, result), "Features", words)
    for picture, title, words in column_figures(result, label):
        yield Picture(_sized(picture, result), title, words)
    yield frames_table(result)


def _sized(picture: Figure, result: HitResult) -> str:
    """Data URI: SVG for few points, PNG for many."""
    return as_svg(picture) if result.shape[0] <= 2000 else as_png(picture)


def _listed(frames: Any, most: int = 20) -> str:
    text = ", ".join(map(str, frames[:most]))
    return text if len(frames) <= most else f"{text}, …"
