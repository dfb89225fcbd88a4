"""Page of a comparison of methods of 3D phasing: errors, convergence, densities and their resolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spi_lightning import codec
from spi_lightning.io.reading import read_metrics
from spi_lightning.reports.further import MakeFigure, further_sections
from spi_lightning.reports.heat_map import agreement_figure
from spi_lightning.reports.laboratory import laboratory_sections, laboratory_surfaces
from spi_lightning.reports.page import Lines, Picture, Section, Surface, Table, notes_section, warnings_of, write_page
from spi_lightning.reports.provenance import provenance_section, source_line
from spi_lightning.reports.short_names import renamed, short_names
from spi_lightning.reports.style import as_svg, as_tiles
from spi_lightning.reports.surfaces import PAGE_VERTICES, diffraction_surface, object_surface, surface_level
from spi_lightning.results.volumes import VOLUMES_FILE, DisplayedPattern, VolumeFacts, VolumeResult

from .figures import (
    course_figure,
    held_out_figure,
    histogram_figure,
    spectrum_figure,
    times_figure,
    transfer_figure,
    truth_figure,
)
from .slices import pattern_figure, slices_figure, uncertainty_figure
from .tables import numbers_tables, success_table


def write_volumes_report(run: Path, figures: Mapping[str, MakeFigure] | None = None) -> Path:
    """Write report.html of a comparison from its volumes.h5 and metrics.json.

    Args:
        run: Folder of the evaluation.
        figures: Further figures by title, see reports.further.
    """
    loaded = codec.load(run / VOLUMES_FILE, VolumeResult)
    names = short_names(loaded.names)
    result = renamed(loaded, names)
    metrics: dict[str, Any] = renamed(read_metrics(run / "metrics.json"), names)
    crystals = sorted((run / "densities").glob("*/*_laboratory.npz"))
    most = PAGE_VERTICES // max(1, _surfaces_of(result) + len(crystals))
    first, *others = result.patterns
    sections = [
        Section(
            "Result",
            [Lines([verdict(result, metrics)]), *warnings_of(result.notes), *densities(result, first, most, crystals)],
        ),
        Section("Errors", [*numbers_tables(metrics["methods"]), *errors(result, metrics)]),
        *laboratory_sections(crystals, most, in_3d=False),
        *_of_pattern(result, first, most),
        *(section for pattern in others for section in of_pattern(result, pattern, most)),
        Section("Convergence", convergence(result, metrics)),
        notes_section(result.notes, question_table(result.about)),
        *further_sections(figures, result),
        provenance_section(run, costs(result, list(names))),
    ]
    return write_page(run / "report.html", "3D phasing compared", source_line(str(result.about.path), run), sections)


def _surfaces_of(result: VolumeResult) -> int:
    """Number of surfaces on the page besides those in the laboratory frame."""
    return sum(1 + (pattern.truth is not None) + 2 * len(pattern.methods) for pattern in result.patterns)


def verdict(result: VolumeResult, metrics: Mapping[str, Any]) -> str:
    """Method of least error and its resolution, and the agreement of the methods, in two or three sentences."""
    methods: Mapping[str, Mapping[str, Any]] = metrics["methods"]
    number = "held_out_chi_square" if all("held_out_chi_square" in one for one in methods.values()) else "chi_square"
    order = sorted(methods, key=lambda name: methods[name][number])
    where = "held-out" if number != "chi_square" else "fitted"
    text = f"Least median χ² on the {where} voxels: {order[0]}, {methods[order[0]][number]:.3g}"
    if len(order) > 1:
        text += f"; next {order[1]}, {methods[order[1]][number]:.3g}"
    draws, patterns = result.about.settings.masks, len(result.about.patterns)
    text += f" ({result.about.settings.starts} starts, {draws} draw{'s' if draws > 1 else ''} of held-out voxels, "
    text += f"{patterns} pattern{'s' if patterns > 1 else ''})."
    kept, runs = methods[order[0]].get("kept", 0), methods[order[0]].get("runs", 0)
    if 2 * kept <= runs:
        text += f" Only {kept} of the {runs} runs of {order[0]} agree, so its density is uncertain."
    if _alike(methods, order, number):
        text += " The quartiles of the two overlap, so neither is shown to be better."
    if agreement := metrics.get("agreement"):
        best, mean = (
            min(rows[i][j] for i in range(len(rows)) for j in range(i))
            for rows in (agreement["overlap"], agreement["mean_overlap"])
        )
        text += f" Of any two methods the best runs correlate by {best:.3f} or more, "
        text += f"the means of the runs that agree by {mean:.3f} or more."
    return text


def _alike(methods: Mapping[str, Mapping[str, Any]], order: list[str], judge: str) -> bool:
    """Whether the quartiles of the two methods of least error overlap."""
    if len(order) < 2:
        return False
    upper, lower = (methods[name].get(f"{judge}/{end}") for name, end in zip(order, ("q3", "q1"), strict=False))
    return upper is not None and lower is not None and bool(upper >= lower)


def errors(result: VolumeResult, metrics: Mapping[str, Any]) -> list[Picture]:
    """Figures of the errors: histograms, held-out against fitted voxels, agreement, and errors against the truth."""
    held = all("held_out_chi_square" in method.numbers for method in result.methods)
    blocks = [
        Picture(
            as_svg(histogram_figure(result, f"{prefix}{name}", f"{label}, {where}")), f"{title}, {where}", _HISTOGRAM
        )
        for prefix, where in (("", "fitted voxels"), ("held_out_", "held-out voxels"))[: 1 + held]
        for name, label, title in (("chi_square", "χ²", "χ² of all runs"), ("correlation", "$r_p$", "r_p of all runs"))
    ]
    if held:
        caption = "Each mark is a run. Above the dotted line: larger errors on held-out voxels than on fitted ones."
        blocks.append(Picture(as_svg(held_out_figure(result)), "Held-out against fitted voxels", caption))
    if agreement := metrics.get("agreement"):
        wide = len(agreement["methods"]) > _SMALL
        for name, title, caption in _AGREEMENT:
            least = min(0.5, *(value for row in agreement[name] for value in row))
            drawn = agreement_figure(agreement["methods"], {"": agreement[name]}, "aligned correlation", least, ".3f")
            blocks.append(Picture(as_svg(drawn), title, caption, wide))
    if "density_error" in result.methods[0].numbers:
        blocks += [
            Picture(
                as_svg(truth_figure(metrics["patterns"], name, label)), f"Against the truth: {label}", _AGAINST_TRUTH
            )
            for name, label in _TRUE_ERRORS
        ]
    return blocks


_HISTOGRAM = "Of the runs in the tables above, as Figs 5 and S3 of Wu et al. (2021)."
_SMALL = 6  # methods whose matrix fits half the width of the page
_AGREEMENT = (
    (
        "overlap",
        "Agreement of the best runs",
        "Runs of least χ² on fitted voxels, aligned; mean over patterns.",
    ),
    ("mean_overlap", "Agreement of the means", "Means of the runs that agree with the best of their method, likewise."),
)
_AGAINST_TRUTH = "Medians over draws and seeds, after shift, twin, phase and scale. They can be large at small χ²."
_TRUE_ERRORS = (
    ("phase_rms", "phase RMS error (rad)"),
    ("amplitude_correlation", "amplitude correlation"),
    ("density_error", "density error"),
)


def convergence(result: VolumeResult, metrics: Mapping[str, Any]) -> list[Picture | Table]:
    """Figures and table of convergence: χ² against steps and time, times to levels of χ², success rates."""
    levels = result.about.settings.levels
    methods: Mapping[str, Mapping[str, Any]] = metrics["methods"]
    caption = (
        "Median and range over the seeds, first pattern and draw, of the least χ² so far. Iterative: square of the "
        "relative Fourier error of the iterate. The last point of a method with a polish is after the polish."
    )
    return [
        Picture(as_svg(course_figure(result, "steps")), "χ² against steps", caption),
        Picture(as_svg(course_figure(result, "seconds")), "χ² against time", caption),
        Picture(
            as_svg(times_figure(methods, levels)),
            "Time to reach a level of χ²",
            "Larger marks: more of the runs end there.",
        ),
        success_table(methods, levels),
    ]


def densities(
    result: VolumeResult, pattern: DisplayedPattern, most: int, crystals: Sequence[Path] = ()
) -> list[Picture | Surface]:
    """Planes and surfaces of the densities that the methods found.

    Args:
        result: Comparison whose densities are drawn.
        pattern: Pattern of the densities.
        most: Largest number of vertices of a surface.
        crystals: Files of the crystals in the laboratory frame, whose surfaces have the true shape; empty: none.
    """
    scale = "The geometry is not known: lengths in voxels."
    if result.known:
        scale = "Voxel edges along the measured directions, not perpendicular: see Laboratory frame for the true shape."
    caption = f"Runs of least fitted χ², aligned; phase where the amplitude exceeds 10 %. {scale}"
    views = [
        object_surface(method.best, result.voxel, f"{name}: density in 3D", most)
        for name, method in zip(result.names, pattern.methods, strict=True)
    ]
    if pattern.truth is not None:
        views.insert(0, object_surface(pattern.truth, result.voxel, "Truth in 3D", most))
    if crystals:
        views = laboratory_surfaces(crystals, most)
    planes = Picture(as_tiles(slices_figure(result, pattern)), f"Densities of {pattern.name}", caption, wide=True)
    return [planes, *views]


def of_pattern(result: VolumeResult, pattern: DisplayedPattern, most: int) -> list[Section]:
    """Sections of a pattern that is not the first: its densities, and the rest as for the first."""
    return [Section(pattern.name, densities(result, pattern, most)), *_of_pattern(result, pattern, most)]


def _of_pattern(result: VolumeResult, pattern: DisplayedPattern, most: int) -> list[Section]:
    """Sections of one pattern: resolution and ensembles of its densities; the pattern, spectra and diffraction."""
    ensembles = Picture(as_tiles(uncertainty_figure(result, pattern)), "Ensembles", _ENSEMBLE, len(pattern.methods) > 2)
    diffraction: list[Picture | Surface] = [
        Picture(
            as_tiles(pattern_figure(result, pattern)), "Measured", "Central planes; grey: not measured.", wide=True
        ),
        Picture(as_svg(spectrum_figure(result, pattern)), "Fourier spectral weight", _SPECTRUM),
        *diffraction_surfaces(result, pattern, most),
    ]
    return [
        Section(f"{pattern.name}: resolution", [*resolution(result, pattern), ensembles]),
        Section(f"{pattern.name}: diffraction", diffraction),
    ]


def resolution(result: VolumeResult, pattern: DisplayedPattern) -> list[Picture | Lines]:
    """PRTF and FSC curves, and the names of methods without a PRTF, which a single run does not have."""
    alone = [name for name, method in zip(result.names, pattern.methods, strict=True) if not len(method.prtf)]
    blocks: list[Picture | Lines] = []
    if len(alone) < len(result.names):
        blocks.append(Picture(as_svg(transfer_figure(result, pattern, "prtf")), "Reproducibility (PRTF)", _RESOLUTION))
    if any(len(method.fsc) for method in pattern.methods):
        blocks.append(Picture(as_svg(transfer_figure(result, pattern, "fsc")), "Two halves of the photons", _HALVES))
    if alone:
        why = f"No PRTF of {', '.join(alone)}: no other run agrees with the best, or only one was made."
        blocks.append(Lines([why]))
    return blocks


_SPECTRUM = "Best run of each method: amplitudes summed over shells of constant |q|, measured voxels only."
_RESOLUTION = (
    "Of the runs that agree, less chance; two or three agree by chance in many shells. Reproducible is not the same as "
    "right: runs that share a wrong support agree too."
)
_HALVES = "Independent of the agreement of runs on the same photons."
_ENSEMBLE = "Mean of the runs that agree with the best, and their root mean square deviation in every voxel."


def diffraction_surfaces(result: VolumeResult, pattern: DisplayedPattern, most: int) -> list[Surface]:
    """Surfaces of the measured pattern and of those of the methods."""
    level = surface_level(pattern.fourier_amplitude, pattern.mask)
    patterns = {"Measured diffraction": pattern.fourier_amplitude} | {
        f"{name}: diffraction": method.predicted for name, method in zip(result.names, pattern.methods, strict=True)
    }
    return [diffraction_surface(values, result.voxel, title, level, most) for title, values in patterns.items()]


def question_table(about: VolumeFacts) -> Table:
    """Table of the data and the settings of the comparison."""
    held = [held for draws in about.held_out_voxels for held in draws]
    rows = [
        ["data", str(about.path)],
        ["patterns", f"{len(about.patterns)} of {' x '.join(str(n) for n in about.shape)} voxels"],
        ["measured voxels", ", ".join(f"{n:,}" for n in about.measured_voxels)],
        ["held-out voxels", f"{min(held):,} to {max(held):,} in each draw, {about.settings.masks} drawn"],
        ["starts", str(about.settings.starts)],
        ["starts on each half of the photons", str(about.settings.halves)],
    ]
    return Table(["", "value"], rows, numeric=False)


def costs(result: VolumeResult, names: Sequence[str]) -> dict[str, Any]:
    """Device, time, memory and cached answers of each method, and the command, by name.

    Args:
        result: Comparison under short names of its methods.
        names: Full names of the methods, which are given where they differ.
    """
    methods = {
        one.name: ({} if one.name == name else {"name": name})
        | {"unit": one.unit}
        | one.cost.rounded
        | {"cached": f"{one.kept} of {one.answers}"}
        for one, name in zip(result.methods, names, strict=True)
    }
    about = result.about
    return {"device": about.device, "threads": about.threads, **methods, "command": about.command}
