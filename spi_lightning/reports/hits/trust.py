"""Figures and tables on the reliability of answers: abstention, purity, and likeness to the training patterns."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from numpy.typing import NDArray

from spi_lightning.metrics.hits.classification_curves import at_purity, risk_and_coverage
from spi_lightning.reports.page import Table
from spi_lightning.reports.style import EMPTY, OTHER, SINGLE, UNKNOWN, figure
from spi_lightning.results.hits import DecidedAnswer

from .curves import method_colours, method_lines

PURITIES = (0.8, 0.9, 0.95, 0.99)
Labels = NDArray[np.int64]


def abstention_figure(answers: Sequence[DecidedAnswer], label: Labels, threshold: float) -> Figure:
    """Error among the frames that are decided against the share of frames decided, surest first."""
    with figure() as picture:
        axes = picture.subplots()
        highest = 0.05
        for answer, colour, line in zip(answers, method_colours(answers), method_lines(answers), strict=True):
            coverage, risk = risk_and_coverage(
                answer.probability.astype(np.float64), label, threshold, answer.undecided
            )
            axes.plot(coverage, risk, color=colour, label=answer.name, **line)
            highest = max(highest, float(risk.max()))
        axes.set(xlabel="share of frames decided, surest first", ylabel="share of these decided wrongly")
        axes.set(xlim=(0, 1.02), ylim=(-0.01, min(1.02, 1.1 * highest)))
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    return picture


def purity_table(answers: Sequence[DecidedAnswer], label: Labels) -> Table:
    """Table of recall and false-positive rate of each method at thresholds that reach a purity on the same frames."""
    rows = []
    for answer in answers:
        for purity in PURITIES:
            found = at_purity(answer.ranking, label, purity)
            if found is None:
                rows.append([answer.name, f"{purity:.0%}", "not reached", "–", "–", "–"])
                continue
            numbers = (f"{found.recall:.3f}", f"{found.false_positive_rate:.4f}", str(found.frames))
            rows.append([answer.name, f"{purity:.0%}", f"{found.threshold:.3f}", *numbers])
    head = ["method", "least purity", "threshold", "recall", "false-positive rate", "frames taken"]
    words = "Threshold of the most frames of which at least this share are single hits, set and measured"
    return Table(head, rows, f"{words} on the same frames, so an upper bound.")


def likeness_figures(
    answers: Sequence[DecidedAnswer], label: Labels | None = None, is_hit: NDArray[np.bool_] | None = None
) -> Iterator[tuple[Figure, str]]:
    """Histograms of the distances from the training patterns, of each network that stores them, with its name.

    Args:
        answers: Answers of every method, (N,).
        label: (N,) 1, 0 or -1, by which the bars are divided; None: by each network's decision.
        is_hit: (N,) decision of the hit finder; frames without a hit are drawn apart, as nearly empty.
    """
    for answer in answers:
        distance = answer.distance_from_training
        if distance is None or answer.usual_distance is None:
            continue
        with figure() as picture:
            axes = picture.subplots()
            clipped = np.clip(distance, 1e-2, 1e3)
            edges = np.geomspace(min(0.2, clipped.min()), max(3.0, clipped.max()) * 1.05, 40)
            groups = _groups(answer, label, is_hit)
            axes.hist(
                [clipped[use] for use, _ in groups.values()],
                bins=edges.tolist(),
                stacked=True,
                color=[colour for _, colour in groups.values()],
                label=[f"{name} ({use.sum()})" for name, (use, _) in groups.items()],
            )
            axes.axvline(
                answer.usual_distance, color="black", linestyle=":", label="90 % of training-like patterns below"
            )
            axes.axvline(1.0, color="black", label="99 % below")
            axes.set(
                xscale="log",
                xlabel="distance from the training patterns (1: their 99 % level)",
                ylabel="frames (stacked)",
            )
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
        yield picture, answer.name


def _groups(
    answer: DecidedAnswer, label: Labels | None, is_hit: NDArray[np.bool_] | None
) -> dict[str, tuple[NDArray[np.bool_], str]]:
    """Frames (N,) bool and colour of each group of a histogram, without empty groups."""
    hit = np.ones(len(answer.decision), dtype=bool) if is_hit is None else np.asarray(is_hit, dtype=bool)
    if label is None:
        groups = {"taken": (answer.decision == 1, SINGLE), "not taken": (answer.decision == 0, OTHER)}
    else:
        groups = {"single hit": (label == 1, SINGLE), "other": (label == 0, OTHER), "unknown": (label < 0, UNKNOWN)}
    groups = {name: (use & hit, colour) for name, (use, colour) in groups.items()}
    groups["nearly empty: no hit"] = (~hit, EMPTY)
    return {name: (use, colour) for name, (use, colour) in groups.items() if use.any()}
