"""Page of a phasing run: size and resolution, the density in 3D and in planes, reliability, starts and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spi_lightning.codec import load
from spi_lightning.io.reading import read_metrics
from spi_lightning.io.volumes.laboratory_file import read_laboratory
from spi_lightning.physics.bragg.laboratory import LaboratoryCrystal
from spi_lightning.reports.further import MakeFigure, further_sections
from spi_lightning.reports.laboratory import AMPLITUDE_PHASE, crystal_picture, crystal_surface, laboratory_section
from spi_lightning.reports.page import Lines, Picture, Section, Surface, Table, notes_section, warnings_of, write_page
from spi_lightning.reports.provenance import provenance_section, source_line
from spi_lightning.reports.surfaces import object_surface
from spi_lightning.results.phasing import PHASING_FILE, PhasingResult

from .maps import density_picture, pattern_picture, starts_picture, truth_pictures
from .trust import reproducibility_pictures, trust_pictures
from .verdict import answer, verdict

_AXES = (*"zyx", "frame", "row", "column")  # the last three of a rocking scan
_WORDS = {
    "starts": "starts",
    "kept": "kept starts, which make the mean",
    "fourier_error/best": "relative Fourier error of the best kept start",
    "fourier_error/lowest_of_all_starts": "lowest relative Fourier error of all starts, kept or not",
    "fourier_error/median": "median relative Fourier error of all starts",
    "fourier_error/of_mean": "relative Fourier error of the mean of the kept starts",
    "fourier_error/of_counting": "relative Fourier error of photon noise alone",
    "measured_pixels": "measured {element}s",
    "held_out_pixels": "held-out {element}s",
    "held_out_error/best": "relative Fourier error of the best kept start on held-out {element}s",
    "r_factor/best": "R-factor of the best kept start",
    "support/pixels": "support of most kept starts ({element}s)",
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
    "prtf/resolution_nm": "resolution by the PRTF, full period, geometric mean of the axes (nm)",
    **{f"prtf/resolution_nm/{axis}": f"resolution by the PRTF along {axis} (nm)" for axis in _AXES},
    "fsc_half_bit/crossing": "q at which the correlation of two halves falls below half a bit (1/{element})",
    "fsc_half_bit/resolution_nm": "resolution by two halves, full period, geometric mean of the axes (nm)",
    **{f"fsc_half_bit/resolution_nm/{axis}": f"resolution by two halves along {axis} (nm)" for axis in _AXES},
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
        metrics: Numbers of metrics.json by name; entries that are not numbers are left out.
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
    """Write report.html of a phasing run from its phasing.h5 and metrics.json, and laboratory.npz of a crystal.

    Args:
        run: Folder of the phasing run.
        figures: Further figures by title, see reports.further.
    """
    result = load(run / PHASING_FILE, PhasingResult)
    metrics: dict[str, Any] = read_metrics(run / "metrics.json")
    path = run / "laboratory.npz"
    crystal = read_laboratory(path)[0] if path.is_file() else None
    doubts = warnings_of(result.notes)
    sections = [
        Section("Result", [Lines([answer(result, metrics, crystal)]), *doubts, *_pictures(result, crystal)]),
        *([] if crystal is None else [laboratory_section(crystal)]),
        *_as_measured(result, crystal),
        Section("Reliability", [Lines([verdict(result, metrics)]), *trust_pictures(result)]),
        Section("Starts", [starts_picture(result)]),
        Section("Numbers", [numbers_table(metrics, result.element)]),
        notes_section(result.notes),
        *further_sections(figures, result),
        provenance_section(run),
    ]
    return write_page(run / "report.html", "Phasing", source_line(result.about.data, run), sections)


def _pictures(result: PhasingResult, crystal: LaboratoryCrystal | None) -> list[Picture | Surface]:
    """What a user came for: the density, in 3D and in planes, and its reproducibility; of a plane, the pattern too."""
    if result.density.ndim == 2:
        return [density_picture(result), pattern_picture(result), *truth_pictures(result)]
    if crystal is not None:
        return [crystal_surface(crystal), *reproducibility_pictures(result), crystal_picture(crystal, AMPLITUDE_PHASE)]
    edges = result.pixel if result.known else np.full(3, np.nan)
    frame = f"Frame of the {result.about.frame}." if result.about.frame else ""
    view = object_surface(result.density, edges, "Density in 3D", caption=frame)
    return [view, *reproducibility_pictures(result), density_picture(result), *truth_pictures(result)]


def _as_measured(result: PhasingResult, crystal: LaboratoryCrystal | None) -> list[Section]:
    """Pattern of a volume, and the density of a crystal in the frame of its scan, in which it was phased."""
    if result.density.ndim == 2:
        return []
    if crystal is None:
        return [Section("Pattern", [pattern_picture(result)])]
    return [Section("Pattern and density in the frame of the scan", [pattern_picture(result), density_picture(result)])]
