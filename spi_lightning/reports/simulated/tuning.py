"""Page of a tuned network: what changed on the file, and measured and simulated patterns side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from spi_lightning.data.survey.survey import Survey
from spi_lightning.reports.page import Lines, Section, Table

from .likeness import write_likeness_page

_LISTED = 12  # frames


def write_tuning_page(
    path: Path, survey: Survey, simulated: dict[str, Tensor], recipe: str, numbers: Mapping[str, Any]
) -> None:
    """Write the page of a tuned network.

    Args:
        path: HTML file to write.
        survey: What the file is like.
        simulated: Block of a simulator of the canonical frame.
        recipe: Text of the recipe.
        numbers: What changed, see evaluation.hits.tuned.changes.
    """
    changed = Section("What changed", [Lines(change_lines(numbers)), _table(numbers)])
    write_likeness_page(path, survey, simulated, recipe, [changed])


def change_lines(numbers: Mapping[str, Any]) -> list[str]:
    """What tuning changed, in sentences."""
    taken, lost = numbers["now_taken"], numbers["no_longer_taken"]
    lines = [
        f"{len(taken) + len(lost)} of {numbers['frames']} frames changed sides: {len(taken)} are taken now"
        f"{_listed(taken)}, {len(lost)} no longer{_listed(lost)}."
    ]
    before, after = (numbers[name] for name in ("before", "tuned"))
    words = f"{before['taken']} frames were taken before, {after['taken']} are now"
    if "mean_photons" in before and "mean_photons" in after:
        words += f"; their mean is {before['mean_photons']:,.0f} and {after['mean_photons']:,.0f} photons"
    lines.append(f"{words}.")
    if learned := numbers.get("labels_learned"):
        lines.append(f"{len(learned)} labelled frames were learned from; the numbers are of the others.")
    if shift := numbers.get("shift"):
        words = "the answers to the hits fall apart into two groups"
        lines.append(f"Its probability of one half was moved by {shift:+.2f} logits to where {words}.")
    return lines


def _listed(frames: list[int]) -> str:
    """Frame numbers in brackets, the first of many."""
    if not frames:
        return ""
    more = ", …" if len(frames) > _LISTED else ""
    return f" ({', '.join(map(str, frames[:_LISTED]))}{more})"


def _table(numbers: Mapping[str, Any]) -> Table:
    """Numbers before and after, on the file by its labels and on simulated patterns like its own."""
    rows = []
    for key, word in (("taken", "frames taken"), ("uncertain", "uncertain frames"), ("mean_photons", "mean photons")):
        rows.append((word, *(_number(numbers[name].get(key)) for name in ("before", "tuned"))))
    for key, word in (("auroc", "area under ROC"), ("accuracy", "accuracy")):
        if key in numbers["tuned"]:
            rows.append(
                (f"{word}, by labels of the file", *(_number(numbers[n].get(key)) for n in ("before", "tuned")))
            )
    simulated = (_number(numbers["simulated"][name]["auroc"]) for name in ("before", "tuned"))
    rows.append(("area under ROC, on 256 simulated patterns", *simulated))
    return Table(("", "before", "tuned"), rows)


def _number(value: Any) -> str:
    """Whole numbers in full, others to three digits; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value == int(value) or value >= 100 else f"{value:.3f}"
