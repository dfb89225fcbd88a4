"""Figures of open files and results, as their method ``plot`` gives them in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.figure import Figure

from spi_lightning.errors import UserError
from spi_lightning.fields import IS_SINGLE_HIT
from spi_lightning.io.patterns.assembly import sample_indices
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.metrics.hits.classification_curves import curve_bands
from spi_lightning.physics.bragg.laboratory import LaboratoryCrystal
from spi_lightning.results import (
    DensityComparison,
    HitResult,
    OrientationResult,
    PhasingResult,
    SupportResult,
    TrainingResult,
    VolumeResult,
)

from .densities.figures import correlation_figure
from .hits.curves import histogram_figure, roc_figure
from .hits.gallery import Caption, collect_gallery, gallery_figure
from .laboratory import crystal_figure
from .orientation.maps import circles_figure
from .phasing.maps import density_figure
from .style import OTHER, SINGLE
from .supports.gallery import supports_gallery
from .training import training_pictures
from .volumes.slices import slices_figure

_EXAMPLES: Final = 12
_REPLICATES: Final = 200  # of the bootstrap


def patterns(file: PatternFile, frames: Sequence[int] | None = None) -> Figure:
    """Some patterns on one logarithmic scale, masked pixels in grey, with their number, photons and label.

    Args:
        file: Open file of patterns.
        frames: Indices of the patterns; None: twelve, evenly spread.

    Raises:
        UserError: There is no such frame, or the file does not hold photons.
    """
    index = sample_indices(len(file), _EXAMPLES) if frames is None else file.check_indices(frames)
    label = file.labels.get(IS_SINGLE_HIT, np.full(len(file), -1))[index]
    totals = file.read(index).sum(axis=(1, 2))
    word = {1: ", single hit", 0: ", other"}
    captions = [
        Caption(f"#{frame}, {total:,.0f} photons{word.get(int(one), '')}", SINGLE if one == 1 else OTHER)
        for frame, total, one in zip(index, totals, label, strict=True)
    ]
    return gallery_figure(collect_gallery(file, {"examples": np.unique(index)}), list(index), captions)


def hits(result: HitResult) -> Figure:
    """ROC curves of all methods where there are labels; else the histogram of the primary method's probabilities."""
    label = result.label
    if label is not None and len(np.unique(label[label >= 0])) == 2:
        use = label >= 0
        answers, label = result.scored(use), label[use]
        bands = curve_bands(answers[-1].ranking, label, _REPLICATES)
        return roc_figure(answers, label, bands)
    rule = result.rule
    return histogram_figure(result.primary, label, rule.threshold, rule.abstain_within)


def supports(result: SupportResult, title: str | None = None) -> Figure:
    """A gallery of supports: a column a pattern, a row a method.

    Args:
        result: Result of an evaluation of supports.
        title: Title of the gallery, a key of ``result.displayed.choices``; None: the first.
    """
    choices = result.displayed.choices
    if not choices or (title is not None and title not in choices):
        raise UserError(f"title={title}: the result has {', '.join(choices) or 'no galleries'}")
    return supports_gallery(result, choices[title] if title is not None else next(iter(choices.values())))


def phasing(result: PhasingResult) -> Figure:
    """Amplitude, and phase of complex densities, of the mean of the starts that agree."""
    return density_figure(result)


def crystal(result: LaboratoryCrystal, maps: Sequence[str] = ("amplitude", "displacement", "strain")) -> Figure:
    """Maps of a crystal in three planes through its centre of mass.

    Args:
        result: Crystal in the laboratory frame.
        maps: Rows of the figure: ``amplitude``, ``phase``, ``displacement``, ``strain``.
    """
    return crystal_figure(result, maps)


def volumes(result: VolumeResult, pattern: int = 0) -> Figure:
    """Central slices of every method's density of one pattern."""
    if not 0 <= pattern < len(result.patterns):
        raise UserError(f"pattern={pattern}: the result holds {len(result.patterns)} displayed patterns, from 0")
    return slices_figure(result, result.patterns[pattern])


def densities(result: DensityComparison) -> Figure:
    """Correlation of every two densities over frequency, with its thresholds."""
    return correlation_figure(result)


def orientation(result: OrientationResult) -> Figure:
    """Most probable orientations on the sphere."""
    return circles_figure(result)


def training(result: TrainingResult, name: str | None = None) -> Figure:
    """Learning curves of one kind, such as ``loss`` or ``ranking``; None: the first that the run has."""
    pictures = training_pictures(result.curves)
    if not pictures or (name is not None and name not in pictures):
        raise UserError(f"name={name}: the run has {', '.join(pictures) or 'no learning curves'}")
    return pictures[name] if name is not None else next(iter(pictures.values()))
