"""Page of a phasing run: verdict, pattern and density, numbers, how far to trust them, and the starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from spi_lightning.codec import load
from spi_lightning.io.reading import read_metrics
from spi_lightning.metrics.prtf import LEAST_RUNS
from spi_lightning.metrics.shells import in_words, resolutions
from spi_lightning.notes import note_lines
from spi_lightning.reports.further import MakeFigure, further_sections
from spi_lightning.reports.laboratory import laboratory_sections
from spi_lightning.reports.page import Lines, Section, Table, write_page
from spi_lightning.reports.provenance import provenance_section
from spi_lightning.results.phasing import PHASING_FILE, PhasingResult

from .maps import result_pictures, starts_picture
from .trust import trust_pictures

_FREE: Final = 0.1  # share of free pixels from which the errors are too low
_FEW: Final = 4  # starts; PRTF of as many unrelated ones: 0.45, above 1/e
_OVERFITTED: Final = 0.2  # relative Fourier error on held-out pixels up to which a run is not called overfitted
_FAR: Final = 3.0  # times the error on fitted pixels, and that of photon noise
_POOR: Final = 0.2  # relative Fourier error beyond photon noise of a density that does not explain its pattern


def verdict(result: PhasingResult, metrics: dict[str, Any]) -> str:
    """Summary of a run: agreement of the starts, errors, resolution, and reasons to doubt them.

    Args:
        result: Result of the phasing run.
        metrics: Numbers of the run, as in metrics.json.
    """
    kept, total, best = int(result.kept.sum()), len(result.kept), result.best
    error, held, noise = result.final_error[best], result.held_out_error[best], result.about.counting_error
    poor, element = result.misfit > _POOR, result.element
    agree = f"{kept} of {total} starts agree" + (" with one another but do not fit the pattern" if poor else "")
    if kept == 1:
        others = "the other start does not agree" if total == 2 else f"none of the other {total - 1} starts agrees"
        agree = "one start, which nothing confirms" if total == 1 else f"{others} with the best"
    text = f"{agree[0].upper()}{agree[1:]}; the best{' of them' if 1 < kept < total else ''} leaves a relative Fourier "
    overfit = is_overfitted(result)
    if overfit:
        text = f"WARNING: {text}error of {held:.3g} on held-out {element}s, {error:.3g} on those it was fitted to"
    else:
        text += f"error of {error:.3g}" + (f", on held-out {element}s {held:.3g}" if np.isfinite(held) else "")
    text += f" (photon noise alone: about {noise:.2g})." if noise else "."
    if overfit:
        text += (
            " It is overfitted: take a tighter support, a recipe with shrink-wrap, "
            "fewer steps of polish, or more photons."
        )
        left_out = np.where(result.kept, np.inf, result.held_out_error).min()
        if left_out < held / 2:
            text += f" A start that was left out leaves {left_out:.3g} on held-out {element}s."
    if result.final_error.min() < 0.95 * error:
        text += f" A start that agrees with no other leaves {result.final_error.min():.3g} and was left out."
    if poor:
        text += f" That is a poor fit: {_suspects(result)}."
    if (free := result.about.free) > _FREE:
        text += (
            f" These errors are of the {1 - free:.0%} of the {element}s that were measured; the others are free, so "
        )
        text += "they are smaller than those of a pattern without free ones, and no sign of a better density."
    if kept > 1:
        edge = result.pixel if result.known and kept >= _FEW else None
        fall = _fall(metrics, "prtf", "1/e", element, edge) if kept >= LEAST_RUNS else "names no resolution"
        text += f" The PRTF (of phases) of those kept, less chance, {fall}"
        if chance := _chance(result):
            text += f"; phases of {kept} unrelated starts agree to {chance:.2f}"
            text += f", so {kept} starts are too few: take 5 or more" if kept < _FEW else ""
        text += "."
    if len(result.fsc):
        name = "FSC" if result.density.ndim == 3 else "FRC"
        fall = _fall(metrics, "fsc_half_bit", "half a bit", element, result.pixel if result.known else None)
        text += f" The {name} of two halves of the photons {fall}."
    if result.about.identical_starts:
        text += " All starts began from the same density, so the PRTF is 1 by construction and has no meaning."
    elif result.about.converged_starts:
        text += " The starts began apart and ended at one density."
    return text


def is_overfitted(result: PhasingResult) -> bool:
    """Whether the best kept start leaves far more on held-out pixels than on fitted ones and than photon noise does."""
    best, noise = result.best, result.about.counting_error or 0.0
    held, fitted = float(result.held_out_error[best]), float(result.final_error[best])
    return held > max(_OVERFITTED, _FAR * fitted, _FAR * noise)  # never of NaN: nothing is held out


def _suspects(result: PhasingResult) -> str:
    """Probable causes of a poor fit."""
    if result.about.sampled_beside:
        return "the beam lies beside the centre of a pixel, see the notes; check mask and support too"
    return f"check mask,{'' if result.element == 'voxel' else ' beam centre,'} support and constraint"


def _chance(result: PhasingResult) -> float:
    """PRTF of unrelated phases; 0 where it has no meaning."""
    return 0.0 if result.about.identical_starts else result.about.chance or 0.0


def _fall(metrics: dict[str, Any], name: str, threshold: str, element: str, edges: ArrayLike | None) -> str:
    """Frequency at which a curve falls below its threshold, in words; per pixel or voxel if the geometry is unknown.

    A curve that stays above it ends with the data, at a period of two edges of a pixel.

    Args:
        metrics: Numbers of the run, as in metrics.json.
        name: Name of the curve in metrics.json.
        threshold: Threshold of the curve in words.
        element: Word for an element, ``pixel`` or ``voxel``.
        edges: Edges of a pixel along each axis, m; None: the end of the data has no length.
    """
    if words := in_words(metrics, name):
        return f"falls below {threshold} at {words}"
    if metrics.get(f"{name}/crossing") is not None:
        return f"falls below {threshold} at {metrics[f'{name}/crossing']:.3g} per {element}"
    ends = "" if edges is None else f", {in_words({**resolutions(name, 0.5, edges)}, name)}"
    return f"stays above {threshold} up to the edge of the data{ends}"


_WORDS = {
    "starts": "starts",
    "kept": "kept starts, which make the mean",
    "fourier_error/best": "relative Fourier error of the best kept start",
    "fourier_error/lowest_of_all_starts": "lowest relative Fourier error of all starts, kept or not",
    "fourier_error/median": "median relative Fourier error of all starts",
    "fourier_error/of_mean": "relative Fourier error of the mean of the kept starts",
    "fourier_error/of_counting": "relative Fourier error of photon noise alone",
    "held_out_pixels": "held-out {element}s",
    "held_out_error/best": "relative Fourier error of the best kept start on held-out {element}s",
    "r_factor/best": "R-factor of the best kept start",
    "support/pixels": "support of the best kept start ({element}s)",
    "support/oversampling": "oversampling per axis",
    "iterations": "iterations",
    "seconds": "time of the iterations (s)",
    "ms_per_iteration_and_start": "time per iteration and start (ms)",
    "polish_steps": "steps of the polish (L-BFGS) after the iterations",
    "polish_seconds": "time of the polish (s)",
    "point_spread/z": "blur by partial coherence along z, root mean square (pixels of the pattern)",
    "point_spread/y": "blur by partial coherence along y, root mean square (pixels of the pattern)",
    "point_spread/x": "blur by partial coherence along x, root mean square (pixels of the pattern)",
    "prtf/chance": "PRTF of as many unrelated starts",
    "prtf/crossing": "q at which the PRTF, less chance, falls below 1/e (1/{element})",
    "prtf/resolution_nm": "resolution by the PRTF, full period (nm)",
    **{f"prtf/resolution_nm/{axis}": f"resolution by the PRTF along {axis} (nm)" for axis in "zyx"},
    "fsc_half_bit/crossing": "q at which the correlation of two halves falls below half a bit (1/{element})",
    "fsc_half_bit/resolution_nm": "resolution by two halves, full period (nm)",
    **{f"fsc_half_bit/resolution_nm/{axis}": f"resolution by two halves along {axis} (nm)" for axis in "zyx"},
    "laboratory/voxel_nm": "cubic voxel in the laboratory frame (nm)",
    "laboratory/volume_nm3": "volume of the crystal (nm³)",
    "laboratory/firm_share": "share of the crystal inside its surface and not weak, base of the next three",
    "laboratory/displacement_rms_pm": "displacement along Q, root mean square (pm)",
    "laboratory/strain_rms": "strain along Q, root mean square",
    "laboratory/strain_p95": "magnitude of the strain along Q, 95th percentile",
    "truth/correlation": "overlap with the true density, 0 to 1",
    "truth/error": "relative error against the true density, at its best scale",
}


def numbers_table(metrics: Mapping[str, Any], element: str) -> Table:
    """Table of all numbers of a run, with names in words where there are any.

    Args:
        metrics: Numbers of metrics.json by name; entries that are no numbers are left out.
        element: Word for an element, ``pixel`` or ``voxel``.
    """
    words = {name: words.format(element=element) for name, words in _WORDS.items()}
    rows = [
        [words.get(name, name), f"{value:.4g}" if isinstance(value, float) else str(value)]
        for name, value in metrics.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    return Table(["", "value"], rows)


def write_phasing_report(run: Path, figures: Mapping[str, MakeFigure] | None = None) -> Path:
    """Write report.html of a phasing run from its phasing.h5 and metrics.json.

    Args:
        run: Folder of the phasing run.
        figures: Further figures by title, see reports.further.
    """
    result = load(run / PHASING_FILE, PhasingResult)
    metrics: dict[str, Any] = read_metrics(run / "metrics.json")
    sections = [
        Section("Result", [Lines([verdict(result, metrics)]), *result_pictures(result)]),
        *laboratory_sections([run / "laboratory.npz"]),
        Section("Numbers", [numbers_table(metrics, result.element)]),
        Section("Reliability", [*trust_pictures(result)]),
        Section("Starts", [starts_picture(result)]),
        Section("Notes", [Lines(note_lines(result.notes) or ["Nothing to note."])]),
        *further_sections(figures, result),
        provenance_section(run),
    ]
    return write_page(run / "report.html", "Phasing", "/".join(run.resolve().parts[-2:]), sections)
