"""Section of a page of hits on the reliability of the answers."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import FLUENCE, FRAME_PHOTONS, IS_HIT
from spi_lightning.reports.page import Lines, Panels, Picture, Section, Table
from spi_lightning.reports.style import as_picture, as_png
from spi_lightning.results.hits import HitResult

from .panels import occlusion_panels
from .transfer import (
    errors_by_fluence,
    errors_by_fluence_figure,
    errors_by_fluence_table,
    layer_gallery_figure,
)
from .trust import abstention_figure, likeness_figures, purity_table

Block = Picture | Panels | Table | Lines


def trust_sections(result: HitResult) -> list[Section]:
    """Section on the reliability of the answers; none if there is nothing to display."""
    label, blocks = result.label, list[Block]()
    for picture, name in likeness_figures(result.answers, label, result.columns.get(IS_HIT)):
        title = f"Likeness to the training patterns, {name}"
        blocks.append(Picture(as_picture(picture), title, _verdict(result, name)))
    if result.occlusion is not None:
        words = (
            f"{result.occlusion.name}: decrease of the log odds of a single hit when a pixel and its surroundings are "
            "masked. Orange: photons that raise the probability; purple: photons that lower it. Grey: not measured."
        )
        blocks.append(occlusion_panels(result.occlusion, "Occlusion maps", words))
    if result.layers is not None:
        maps = result.layers
        picture = layer_gallery_figure(maps.photons, maps.maps)
        words = f"Frame {maps.frame} in the convolutions of {maps.name}, the channels that vary most."
        blocks.append(Picture(as_png(picture), "Activations of one frame", words, wide=True))
    if label is not None:
        use = label >= 0
        answers = result.scored(use)
        words = "Error among the decided frames against their share; the others are left to a person."
        blocks.append(
            Picture(as_picture(abstention_figure(answers, label[use], result.rule.threshold)), "Abstention", words)
        )
        blocks.append(purity_table(answers, label[use]))
        blocks += _errors_by_brightness(result, label)
    return [Section("Reliability", blocks)] if blocks else []


def _verdict(result: HitResult, name: str) -> str:
    found = result.metrics.get("domain", {}).get(name, {})
    if not found:
        return f"Distances of the frames from the training patterns of {name}."
    what = f"{'frames with a hit' if 'blanks' in found else 'frames'} lie outside the training patterns of {name}"
    words = f"{found['frames_outside']} of {found['frames']} {what}"
    if found["alike"]:
        return f"{words}, which is as many as chance makes or little more."
    if found.get("right"):
        return f"{words}, but {100 * found['accuracy']:.1f} % of its answers agree with the labels."
    return f"{words}: its answers to these are guesses."


def _errors_by_brightness(result: HitResult, label: NDArray[np.int64]) -> Iterator[Block]:
    """Figure and table of errors by fluence where it is known, as in simulated sets, else by counted photons."""
    if FLUENCE in result.labels:
        brightness, words = result.labels[FLUENCE], "fluence (photons/m²)"
    elif FRAME_PHOTONS in result.columns:
        brightness, words = result.columns[FRAME_PHOTONS], "photons in the measured pixels"
    else:
        return
    bins = 8 if len(label) > 200 else 4
    errors = errors_by_fluence(label, result.primary.decision, brightness.astype(np.float64), bins)
    if errors is not None:
        yield Picture(as_picture(errors_by_fluence_figure(errors, words)), "Errors by brightness", result.primary.name)
        yield errors_by_fluence_table(errors, words)
