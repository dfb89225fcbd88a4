"""The page of an evaluation, from the files of its run folder."""

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
from spi_lightning.results.hits import EvaluationFiles, drawn_answers, known_labels, read_evaluation

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


def write_evaluation_report(run: Path, embedding: str = "pca", figures: Mapping[str, MakeFigure] | None = None) -> Path:
    """Make report.html of an evaluation's run folder, from its files alone.

    Args:
        run: Folder written by evaluate.py.
        embedding: ``pca`` or ``tsne``.
        figures: Further figures, see reports.further; they are called with EvaluationFiles.

    Raises:
        UserError: The folder is no finished evaluation, or the embedding is unknown.
    """
    require_embedding(embedding)
    files = read_evaluation(run)
    sections = [
        Section("Summary", [*_summary(files)]),
        *_comparison(files),
        Section("Patterns", [*_galleries(files)]),
        Section("Decision", [*_decision(files)]),
        *trust_sections(files),
        Section("Frames", [*_frames(files, embedding)]),
        Section("Notes", [Lines(note_lines(files.notes) or ["Nothing was announced by the reader."])]),
        *further_sections(figures, files),
        provenance_section(run, {"command": files.about["command"]}, methods_table(files.about)),
    ]
    subtitle = f"{files.headline.name} on {files.about['path']}"
    return write_page(run / "report.html", "Single-hit classification", subtitle, sections)


def _summary(files: EvaluationFiles) -> Iterator[Block]:
    count, height, width = files.about["shape"]
    taken, unsure = int(files.headline.decision.sum()), int(files.headline.abstain.sum())
    label = known_labels(files)
    selection, name = files.about["selection"], files.headline.name
    lines = [
        f"{count} patterns of {height} × {width} pixels ({files.about['format']}).",
        f"{taken} are taken as single hits by {name}, {count - taken} are not; of all these, {unsure} are uncertain "
        f"(probability within {files.abstain_within:g} of the threshold {files.threshold:g}).",
        f"{selection['frames']} frames are selected by {name} (selection.method): {', '.join(selection['files'])}"
        f"{left_out_of(selection['frames'], taken)}{selection.get('why', '')}.",
    ]
    if label is None:
        lines.append("The file has no labels, so there are no metrics.")
    else:
        lines.append(
            f"Labels: {(label == 1).sum()} single hits, {(label == 0).sum()} others, {(label < 0).sum()} unknown"
            f"{f' or given to a method ({files.given.sum()})' if files.given.any() else ''}."
        )
    yield Lines([*lines, *note_lines(files.notes, Level.HINT)])
    excluded = _listed(files.frame[files.excluded])
    yield from numbers_tables(files.metrics, excluded)


def _comparison(files: EvaluationFiles) -> list[Section]:
    """Side by side, if there are several methods."""
    comparison = files.metrics.get("comparison")
    if not comparison:
        return []
    blocks: list[Block] = [*comparison_blocks(comparison), methods_table(files.about)]
    if (label := known_labels(files)) is not None:
        blocks.append(confusion_table(label, {answer.name: answer.decision for answer in files.answers}))
    return [Section("Methods compared", blocks)]


def _galleries(files: EvaluationFiles) -> Iterator[Block]:
    if files.gallery is None:
        yield Lines(["No patterns were stored for this page."])
        return
    yield Lines(
        [
            "Photons on a logarithmic scale shared by all panels of a gallery; 0 is drawn as 0.5. Grey: not "
            "measured. Green cross: beam centre, where known. p: probability of a single hit by "
            f"{files.headline.name}; a question mark: uncertain. Frame colour: blue, the label is single hit; orange, "
            "the label is other; black, unknown."
        ]
    )
    for title, frames in files.gallery.choices.items():
        if len(frames):
            votes = title == DISPUTED
            captions = [_caption(files, frame, votes) for frame in frames]
            picture = gallery_figure(files.gallery, frames.tolist(), captions)
            yield Picture(as_png(picture), title, wide=True)


def _caption(files: EvaluationFiles, frame: int, votes: bool = False) -> Caption:
    place = int(np.searchsorted(files.frame, frame))
    label = files.labels[IS_SINGLE_HIT][place] if IS_SINGLE_HIT in files.labels else -1
    name, colour = {1: (" · single", SINGLE), 0: (" · other", OTHER)}.get(int(label), ("", INK))
    if votes:
        taken = sum(int(answer.decision[place]) for answer in files.answers)
        return Caption(f"#{frame} · {taken} of {len(files.answers)} take it{name}", colour)
    unsure = " ?" if files.headline.abstain[place] else ""
    return Caption(f"#{frame} · p {files.headline.probability[place]:.2f}{unsure}{name}", colour)


def _decision(files: EvaluationFiles) -> Iterator[Block]:
    label, headline = known_labels(files), files.headline
    if label is not None:
        yield from _labelled_curves(files, label[label >= 0], label >= 0)
    histogram = histogram_figure(headline, label, files.threshold, files.abstain_within)
    yield Picture(as_svg(histogram), "Probabilities", f"Of {headline.name}, stacked.")
    if (kinds := kinds_table(files)) is not None:
        yield kinds


def _labelled_curves(files: EvaluationFiles, label: NDArray[np.int64], use: NDArray[np.bool_]) -> Iterator[Block]:
    answers = drawn_answers(files, use)
    headline = answers[-1]
    if 0 < (label == 1).sum() < len(label):
        replicates = int(np.clip(2e7 / len(label), 50, 500))
        bands = curve_bands(headline.probability.astype(np.float64), label, replicates)
        words = f"Shaded: pointwise 95 % bootstrap band of {headline.name}. Numbers: "
        dot = f"area under the curve. Dot: {headline.name} at the threshold {files.threshold:g}."
        yield Picture(as_svg(roc_figure(answers, label, bands)), "ROC curve", f"{words}{dot}")
        picture = precision_recall_figure(answers, label, bands)
        yield Picture(as_svg(picture), "Precision and recall", f"{words}average precision.")
    else:
        yield Lines(["All labelled frames are of one class, so there are no ROC and precision-recall curves."])
    words = "On the dashed line, of the frames given probability p a fraction p are single hits."
    yield Picture(as_svg(reliability_figure(headline, label)), "Reliability", f"{headline.name}. {words}")
    words = f"{headline.name} at the threshold {files.threshold:g}."
    yield Picture(as_svg(confusion_figure(headline, label)), "Confusion", words)


def _frames(files: EvaluationFiles, embedding: str) -> Iterator[Block]:
    label = known_labels(files)
    if files.features is not None and len(files.frame) > 1:
        picture = embedding_figure(files.features, files.headline.probability, label, embedding, files.threshold)
        words = f"Penultimate features of {files.features_of}; frames that lie near each other look alike to it."
        yield Picture(_sized(picture, files), "Features", words)
    for picture, title, words in column_figures(files, label):
        yield Picture(_sized(picture, files), title, words)
    yield frames_table(files)


def _sized(picture: Figure, files: EvaluationFiles) -> str:
    """SVG for few points, PNG for many."""
    return as_svg(picture) if len(files.frame) <= 2000 else as_png(picture)


def _listed(frames: Any, most: int = 20) -> str:
    text = ", ".join(map(str, frames[:most]))
    return text if len(frames) <= most else f"{text}, …"
