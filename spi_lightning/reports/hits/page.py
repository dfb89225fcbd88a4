"""Page of an evaluation of hits, from the result in its run folder."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import IS_SINGLE_HIT
from spi_lightning.metrics.hits.classification_curves import curve_bands
from spi_lightning.notes import Level
from spi_lightning.printable import listed
from spi_lightning.reports.further import MakeFigure, further_sections
from spi_lightning.reports.page import (
    Fold,
    FrameTable,
    Lines,
    Panels,
    Picture,
    Section,
    Table,
    notes_section,
    warnings_of,
    write_page,
)
from spi_lightning.reports.provenance import provenance_section
from spi_lightning.reports.short_names import renamed, short_names
from spi_lightning.reports.style import INK, OTHER, SINGLE, as_picture
from spi_lightning.results.hit_columns import meanings_of
from spi_lightning.results.hits import SECOND_LOOK, HitResult

from .choice import (
    CONTRADICTED,
    DISPUTED,
    FALSE_ALARMS,
    MISSED,
    NEAREST,
    REJECTED,
    SELECTED,
    STEPS,
    UNCERTAIN,
    hits_found,
    left_out_of,
)
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
from .frame_table import frame_table
from .gallery import Caption
from .panels import gallery_panels
from .tables import kinds_table, methods_table, numbers_tables
from .transfer import confusion_table

Block = Picture | Panels | Table | FrameTable | Lines | Fold
_WORDS = (
    "Photons on a logarithmic scale shared by the panels of a gallery; 0 is drawn as 0.5. Grey: not measured. Green "
    "cross: beam centre, where known. p: probability of a single hit; a question mark: uncertain. Blue: the label is "
    "single hit; orange: the label is other; black: unknown."
)


def write_evaluation_report(run: Path, figures: Mapping[str, MakeFigure] | None = None, embedding: str = "pca") -> Path:
    """Make report.html of an evaluation's run folder, from its files alone.

    Args:
        run: Folder written by spi evaluate.
        figures: Further figures, see reports.further; they are called with HitResult.
        embedding: Embedding of features, ``pca`` or ``tsne``.

    Raises:
        UserError: The folder is not a finished evaluation, or the embedding is unknown.
    """
    require_embedding(embedding)
    loaded = HitResult.load(run)
    result = renamed(loaded, short_names([one.name for one in (*loaded.answers, loaded.ensemble) if one is not None]))
    count, height, width = result.shape
    galleries = _galleries(result)
    errors = [galleries[title] for title in (MISSED, FALSE_ALARMS) if title in galleries]
    others = [galleries[title] for title in (DISPUTED, REJECTED, STEPS) if title in galleries]
    sections = [
        Section("Answer", [*_answer(result), *(galleries[title] for title in (SELECTED,) if title in galleries)]),
        *_section("Uncertain frames", [galleries[title] for title in (UNCERTAIN, NEAREST) if title in galleries]),
        *_section("Errors", errors),
        *_section("Second look", [*_second_look(result), *(galleries[t] for t in (CONTRADICTED,) if t in galleries)]),
        Section("Numbers", [*_numbers(result)]),
        *_comparison(result),
        *_section("Other frames", others),
        Section("Decision", [*_decision(result)]),
        *trust_sections(result),
        Section("All frames", [*_frames(result, embedding)]),
        notes_section(result.notes),
        *further_sections(figures, loaded),
        provenance_section(run, {"command": result.command}, methods_table(result)),
    ]
    subtitle = f"{result.path}: {count:,} patterns of {height} × {width} pixels ({result.format})"
    return write_page(run / "report.html", "Single hits", subtitle, sections)


def _section(title: str, blocks: Sequence[Block]) -> list[Section]:
    """A section; none without blocks."""
    return [Section(title, blocks)] if blocks else []


def _answer(result: HitResult) -> Iterator[Block]:
    """Result in two sentences, and warnings."""
    count, chosen = result.shape[0], len(result.selected.frame)
    unsure, name, rule = int(result.primary.abstain.sum()), result.primary.name, result.rule
    undecided = "" if result.primary.undecided is None else ", or the method does not decide them"
    words = (
        f"{chosen:,} of {count:,} frames are selected as single hits by {name}, and {unsure:,} "
        f"are uncertain: their probability lies within {rule.abstain_within:g} of the threshold {rule.threshold:g}"
        f"{undecided}{hits_found(result)}. "
    )
    accuracy = result.metrics.get("test/accuracy")
    if result.label is None or accuracy is None:
        words += "The file has no labels, so how many of these are right is not known."
    else:
        low, high = (result.metrics.get(f"test/accuracy/{end}") for end in ("low", "high"))
        interval = ""
        if low is not None and high is not None:
            interval = f" (95 % interval {100 * low:.0f} to {100 * high:.0f} %)"
        frames = result.metrics.get("test/frames", 0)
        words += f"{100 * accuracy:.0f} %{interval} of its answers to the {frames:,} labelled frames are right."
    yield Lines([words])
    yield from warnings_of(result.notes)
    if result.gallery is None:
        yield Lines(["The result holds no patterns (gallery=0)."])


def _numbers(result: HitResult) -> Iterator[Block]:
    taken, label = int(result.primary.decision.sum()), result.label
    left_out = left_out_of(len(result.selected.frame), taken)
    files = ", ".join(result.selected.files)
    lines = [
        f"{taken:,} frames are taken as single hits{left_out}{result.selected.reason}. Lists of the selected: {files}."
    ]
    if label is None:
        lines.append("Without labels there are no metrics.")
    else:
        learnt = len(result.training_frames)
        lines.append(
            f"Labels: {(label == 1).sum()} single hits, {(label == 0).sum()} others, {(label < 0).sum()} unknown"
            f"{f' or training labels of a method ({learnt})' if learnt else ''}."
        )
    yield Lines([*lines, *(str(note) for note in result.notes if note.level is Level.HINT)])
    yield from numbers_tables(result.metrics, listed(result.excluded.tolist(), 20))


def _second_look(result: HitResult) -> Iterator[Block]:
    """Sentence on the labels that every method contradicts; none where there are none."""
    if (label := result.label) is not None and (count := len(result.contradicted)):
        text = f"{count} of {int((label >= 0).sum())} labels are contradicted by all {len(result.answers)} methods"
        look = f"{SECOND_LOOK} lists the frames; spi label FILE only={SECOND_LOOK} shows them once more."
        yield Lines([f"{text}, none of them uncertain: perhaps the label is wrong. {look}"])


def _comparison(result: HitResult) -> list[Section]:
    """Section on the comparison of the methods; none for a single method."""
    comparison = result.metrics.get("comparison")
    if not comparison:
        return []
    blocks: list[Block] = [*comparison_blocks(comparison), methods_table(result)]
    if (label := result.label) is not None:
        blocks.append(confusion_table(label, {answer.name: answer.decision for answer in result.answers}))
    return [Section("Methods compared", blocks)]


def _galleries(result: HitResult) -> dict[str, Panels]:
    """Panels of every gallery by its title; none without patterns."""
    panels: dict[str, Panels] = {}
    for title, frames in () if result.gallery is None else result.gallery.choices.items():
        if result.gallery is not None and len(frames):
            captions = [_caption(result, frame, votes=title in (DISPUTED, CONTRADICTED)) for frame in frames]
            words = _WORDS if not panels else ""
            panels[title] = gallery_panels(result.gallery, frames.tolist(), captions, title, words)
    return panels


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
    yield Picture(as_picture(histogram), "Probabilities", f"Of {primary.name}, stacked.")
    if (kinds := kinds_table(result)) is not None:
        yield kinds


def _labelled_curves(result: HitResult, label: NDArray[np.int64], use: NDArray[np.bool_]) -> Iterator[Block]:
    answers = result.scored(use)
    primary = answers[-1]
    if 0 < (label == 1).sum() < len(label):
        replicates = int(np.clip(2e7 / len(label), 50, 500))
        bands = curve_bands(primary.ranking, label, replicates)
        words = f"Shaded: pointwise 95 % bootstrap band of {primary.name}. Numbers: "
        dot = f"area under the curve. Dot: {primary.name} at the threshold {result.rule.threshold:g}."
        yield Picture(as_picture(roc_figure(answers, label, bands)), "ROC curve", f"{words}{dot}")
        picture = precision_recall_figure(answers, label, bands)
        yield Picture(as_picture(picture), "Precision and recall", f"{words}average precision.")
    else:
        yield Lines(["All labelled frames are of one class, so there are no ROC and precision-recall curves."])
    words = "Dashed line: a fraction p of the frames of probability p are single hits."
    yield Picture(as_picture(reliability_figure(primary, label)), "Reliability", f"{primary.name}. {words}")
    words = f"{primary.name} at the threshold {result.rule.threshold:g}."
    yield Picture(as_picture(confusion_figure(primary, label)), "Confusion", words)


def _frames(result: HitResult, embedding: str) -> Iterator[Block]:
    label = result.label
    source = next((one for one in (result.primary, *result.answers) if one.features is not None), None)
    if source is not None and source.features is not None and result.shape[0] > 1:
        primary = result.primary
        picture = embedding_figure(source.features, primary.probability, label, embedding, primary.decision)
        words = f"Penultimate features of {source.name}; frames near each other have like features."
        yield Picture(as_picture(picture), "Features", words)
    for picture, title, words in column_figures(result, label):
        yield Picture(as_picture(picture), title, words)
    yield frame_table(result)
    columns = meanings_of(result.table())
    yield Fold("Columns of predictions.csv", "\n".join(f"{name}: {meaning}" for name, meaning in columns))
