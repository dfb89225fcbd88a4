"""The part of an evaluation's page about how far to believe it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import FLUENCE
from spi_lightning.io.hdf5.file import opened
from spi_lightning.reports.page import Lines, Picture, Section, Table
from spi_lightning.reports.style import as_png, as_svg
from spi_lightning.results.hits import EvaluationFiles, drawn_answers, known_labels

from .occlusion import occlusion_figure
from .transfer import (
    errors_by_fluence,
    errors_by_fluence_figure,
    errors_by_fluence_table,
    layer_gallery_figure,
)
from .trust import abstention_figure, likeness_figures, purity_table

Block = Picture | Table | Lines


def trust_sections(files: EvaluationFiles) -> list[Section]:
    """How far to believe it; no section where nothing can be said."""
    label, blocks = known_labels(files), list[Block]()
    for picture, name in likeness_figures(files.answers, label, files.columns.get("is_hit")):
        words = f"To {name}, this file and its training patterns look {_verdict(files, name)}."
        blocks.append(Picture(as_svg(picture), f"Likeness to the training patterns, {name}", words))
    maps = files.folder / "occlusion.h5"
    if maps.is_file() and (drawn := occlusion_figure(maps)) is not None:
        words = (
            f"{drawn[1]}: how much less likely a single hit becomes once a pixel and what is around it are covered. "
            "Orange: what is seen there speaks for a single hit; purple: against it. Grey: not measured."
        )
        blocks.append(Picture(as_png(drawn[0]), "What the answer hangs on", words, wide=True))
    if (files.folder / "layers.h5").is_file():
        blocks.append(_layers(files.folder / "layers.h5"))
    if label is not None:
        use = label >= 0
        answers = drawn_answers(files, use)
        words = "How many frames would have to be looked at by a person, and what errors would then remain."
        blocks.append(Picture(as_svg(abstention_figure(answers, label[use], files.threshold)), "Abstention", words))
        blocks.append(purity_table(answers, label[use]))
        blocks += _errors_by_brightness(files, label)
    return [Section("Trust", blocks)] if blocks else []


def _verdict(files: EvaluationFiles, name: str) -> str:
    found = files.metrics.get("domain", {}).get(name, {})
    if found.get("alike", True):
        return "alike"
    if found.get("right"):
        return f"not alike, but {100 * found['accuracy']:.1f} % of its answers agree with the labels"
    empty = found.get("nearly_empty")
    words = f"; {empty} of the {found['frames_outside']} frames outside are nearly empty (no hit)" if empty else ""
    if found.get("hits_alike"):
        return f"not alike{words}, and the frames with a hit do look alike"
    return f"NOT alike: do not trust its answers here{words}"


def _errors_by_brightness(files: EvaluationFiles, label: NDArray[np.int64]) -> Iterator[Block]:
    """By fluence where it is known, as in simulated sets, else by the photons that were counted."""
    if FLUENCE in files.labels:
        brightness, words = files.labels[FLUENCE], "fluence (photons/m²)"
    elif "photons" in files.columns:
        brightness, words = files.columns["photons"], "photons in the measured pixels"
    else:
        return
    bins = 8 if len(label) > 200 else 4
    errors = errors_by_fluence(label, files.headline.decision, brightness.astype(np.float64), bins)
    if errors is not None:
        yield Picture(as_svg(errors_by_fluence_figure(errors, words)), "Errors by brightness", files.headline.name)
        yield errors_by_fluence_table(errors, words)


def _layers(path: Path) -> Picture:
    with opened(path) as file:
        maps = {str(name): values[()] for name, values in file["maps"].items()}
        picture = layer_gallery_figure(file["photons"][()], maps)
        words = f"Frame {file.attrs['frame']} in the convolutions of {file.attrs['name']}, the channels that vary most."
    return Picture(as_png(picture), "What the layers see", words, wide=True)
