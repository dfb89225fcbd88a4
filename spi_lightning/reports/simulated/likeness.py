"""Page of a simulation beside the file that it is to resemble: patterns, radial profiles, photons and sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.data.survey.sample import HitSample, compared, distance, samples
from spi_lightning.data.survey.survey import Survey
from spi_lightning.physics.frames.frame_scale import SPECKLE_CELLS
from spi_lightning.reports.hits.gallery import Caption
from spi_lightning.reports.hits.panels import gallery_panels
from spi_lightning.reports.page import (
    Fold,
    Lines,
    Panel,
    Panels,
    Picture,
    Section,
    Table,
    notes_section,
    warnings_of,
    write_page,
)
from spi_lightning.reports.style import OTHER, SINGLE, as_svg, figure
from spi_lightning.results.hit_pictures import Gallery
from spi_lightning.simulate.canonical.file_parts import RING

_PAIRS: Final = 14
_DIFFERS: Final = 0.3  # Kolmogorov-Smirnov distance from which two distributions are called different


def likeness_sections(survey: Survey, measured: HitSample, simulated: HitSample) -> list[Section]:
    """Sections of the comparison."""
    return [
        Section("Patterns side by side", [_pairs(survey, measured, simulated)]),
        Section("Distributions", [*_pictures(survey, measured, simulated), _table(measured, simulated)]),
    ]


def verdict(measured: HitSample, simulated: HitSample) -> str:
    """Whether the simulation resembles the file, in one sentence that names what does not."""
    far = [name for name, one, other in compared(measured, simulated) if distance(one, other) > _DIFFERS]
    if not far:
        return "Photons, sizes and fall-off of the simulated hits are like those of the measured ones."
    return f"The simulated hits differ from the measured ones in {' and '.join(far)}: edit the recipe."


def write_likeness_page(
    path: Path, survey: Survey, simulated: dict[str, Tensor], recipe: str, first: Sequence[Section] = ()
) -> str:
    """Write the page of a comparison; returns its verdict.

    Args:
        path: HTML file to write.
        survey: What the file is like.
        simulated: Block of a simulator of the canonical frame.
        recipe: Text of the recipe.
        first: Sections above the comparison.
    """
    measured, drawn = samples(survey, simulated)
    words = verdict(measured, drawn)
    sections = [
        *first,
        Section("Resemblance", [Lines([words]), *warnings_of(survey.notes)]),
        *likeness_sections(survey, measured, drawn),
        Section("Recipe", [Fold("Settings of the simulation, with the source of each", recipe)]),
        notes_section(survey.notes),
    ]
    write_page(path, "Measured and simulated", survey.path, sections)
    return words


def _pairs(survey: Survey, measured: HitSample, simulated: HitSample) -> Panels:
    """Measured hits from faint to bright, and beside each the simulated one of the nearest number of photons."""
    order = np.argsort(measured.photons)
    chosen = order[np.linspace(0, len(order) - 1, min(_PAIRS, len(order))).round().astype(int)]
    free = list(range(len(simulated.photons)))
    cells, masks, captions = [], [], []
    for one in chosen:
        near = min(free, key=lambda i: abs(np.log(max(simulated.photons[i], 1) / max(measured.photons[one], 1))))
        free.remove(near)
        cells += [measured.cells[one], simulated.cells[near]]
        masks += [measured.mask[one], simulated.mask[near]]
        captions.append(f"frame {survey.cells_frame[one]}: {measured.photons[one]:,.0f} photons")
        captions.append(f"simulated: {simulated.photons[near]:,.0f}")
    number = np.arange(len(cells))
    centres = np.full((len(cells), 2), np.nan, dtype=np.float32)
    gallery = Gallery({}, number, torch.stack(cells).numpy(), torch.stack(masks).numpy(), centres, 1)
    words = "All on one scale, photons per cell of a sixth of a speckle; grey was not measured."
    title = "Hits from faint to bright: measured above, simulated below"
    single = gallery_panels(gallery, list(number), [Caption(text) for text in captions], title, words)
    pairs = zip(single.panels[::2], single.panels[1::2], strict=True)
    panels = [Panel([*one.sources, *other.sources], f"{one.text}; {other.text}") for one, other in pairs]
    return replace(single, panels=panels, scales=[replace(single.scales[0], label="photons per cell")])


def _pictures(survey: Survey, measured: HitSample, simulated: HitSample) -> list[Picture]:
    sizes = "diameter over that of the usual particle"
    return [
        Picture(as_svg(_profiles(survey, measured, simulated)), "Radial profile", _PROFILE_WORDS),
        Picture(as_svg(_histogram(measured.photons, simulated.photons, "photons of a hit", log=True)), "Photons"),
        Picture(as_svg(_histogram(measured.size, simulated.size, sizes, log=False)), "Sizes", _SIZE_WORDS),
    ]


_PROFILE_WORDS: Final = "Median over hits, and the range of the middle half. Dotted: background of the recipe."
_SIZE_WORDS: Final = "Spheres fitted to the hits that show rings, whatever they are."


def _profiles(survey: Survey, measured: HitSample, simulated: HitSample) -> Figure:
    with figure() as picture:
        axes = picture.subplots()
        radius = np.arange(measured.profile.shape[1]) / SPECKLE_CELLS
        for sample, colour, name in ((measured, SINGLE, "measured"), (simulated, OTHER, "simulated")):
            there = np.isfinite(sample.profile).any(0)
            low, middle, high = np.nanquantile(sample.profile[:, there], (0.25, 0.5, 0.75), axis=0)
            axes.plot(radius[there], middle, color=colour, label=name)
            axes.fill_between(radius[there], low, high, color=colour, alpha=0.2, linewidth=0)
        level = np.array(survey.level) * survey.scale.cell**2
        axes.plot(RING * np.arange(len(level)), level, ":", color="#5c6773")
        axes.set(
            yscale="log", xlabel="distance from the beam (speckles)", ylabel="photons per cell", xlim=(0, radius[-1])
        )
        axes.legend()
    return picture


def _histogram(one: NDArray[np.float64], other: NDArray[np.float64], label: str, log: bool) -> Figure:
    """Shares of hits in bins of a quantity, measured and simulated."""
    with figure() as picture:
        axes = picture.subplots()
        every = np.maximum(np.concatenate([one, other]), 1e-3) if len(one) + len(other) else np.ones(1)
        low, high = np.log10(np.quantile(every, (0.002, 0.998)))
        bins = [float(edge) for edge in np.logspace(low - 0.05, high + 0.05, 31)]
        for values, colour, name in ((one, SINGLE, "measured"), (other, OTHER, "simulated")):
            weights = np.full(len(values), 1 / max(1, len(values)))
            axes.hist(
                values,
                bins,
                weights=weights,
                histtype="step",
                linewidth=1.6,
                color=colour,
                label=f"{name} ({len(values)})",
            )
        axes.set(xscale="log", xlabel=label, ylabel="share of hits")
        if not log:
            axes.set_xticks([t for t in (0.25, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0) if bins[0] <= t <= bins[-1]])
            axes.xaxis.set_major_formatter("{x:g}")
            axes.minorticks_off()
        axes.legend()
    return picture


def _number(value: float) -> str:
    """Three digits, whole numbers from 100."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _table(measured: HitSample, simulated: HitSample) -> Table:
    rows = []
    for name, one, other in compared(measured, simulated):
        ranges = [
            " – ".join(_number(v) for v in np.quantile(x, (0.1, 0.5, 0.9))) if len(x) else "none" for x in (one, other)
        ]
        rows.append((name, *ranges, f"{distance(one, other):.2f}"))
    head = ("of hits", "measured", "simulated", "distance")
    words = (
        "10, 50 and 90 %. Distance of Kolmogorov and Smirnov: 0 alike, 1 apart. Fall-off: 1 to 2 over 2 to 4 speckles."
    )
    return Table(head, rows, words)
