"""Page of a comparison of methods of 3D phasing: errors, convergence, densities and their resolution."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spi_lightning import codec
from spi_lightning.io.reading import read_metrics
from spi_lightning.notes import note_lines
from spi_lightning.reports.further import MakeFigure, further_sections
from spi_lightning.reports.heat_map import agreement_figure
from spi_lightning.reports.laboratory import laboratory_sections
from spi_lightning.reports.page import Lines, Picture, Section, Surface, Table, write_page
from spi_lightning.reports.provenance import provenance_section
from spi_lightning.reports.style import as_png, as_svg
from spi_lightning.reports.surfaces import diffraction_surface, object_surface, surface_level
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

_COLUMNS = {
    "chi_square": "χ²\nfitted",
    "held_out_chi_square": "χ²\nheld out",
    "correlation": "r_p\nfitted",
    "held_out_correlation": "r_p\nheld out",
    "free_voxels": "free\nvoxels",
    "point_spread": "blur\n(pixel)",
}
_MODIFIED = {
    "correlation_modified": "r_p modified\nfitted",
    "held_out_correlation_modified": "r_p modified\nheld out",
    "chi_square/over_seeds": "χ² fitted,\nσ over seeds",
    "held_out_chi_square/over_seeds": "χ² held out,\nσ over seeds",
}
_TRUTH = {
    "density_error": "density\nerror",
    "phase_rms": "phase RMS\n(rad)",
    "amplitude_correlation": "amplitude\ncorrelation",
}
_RUNS = {
    "runs": "runs",
    "kept/share": "share that\nagrees",
    "prtf/chance": "PRTF\nby chance",
    "prtf/crossing": "PRTF < 1/e\n(1/voxel)",
    "prtf/crossing/resolution_nm": "PRTF < 1/e\n(nm)",
    **{f"prtf/crossing/resolution_nm/{axis}": f"PRTF < 1/e\n(nm, {axis})" for axis in "zyx"},
    "fsc/half_bit": "FSC < half bit\n(1/voxel)",
    "fsc/half_bit/resolution_nm": "FSC < half bit\n(nm)",
    **{f"fsc/half_bit/resolution_nm/{axis}": f"FSC < half bit\n(nm, {axis})" for axis in "zyx"},
    "seconds_per_run": "seconds\nper run",
}
_ERRORS = (
    "Medians over all runs, quartiles below. χ² = Σ(c|F| − A)² / ΣA² with the scale c fitted in closed form, in "
    "float64. No method gets the held-out voxels. r_p: Pearson's correlation of the amplitudes, signed. A looser "
    "support fits better: compare errors only at like numbers of free voxels. Held-out errors can fall with a looser "
    "support, too, without a better density."
)
_BLUR = (
    " Blur: the root mean square width of partial coherence and of the pixels themselves, over the three axes, "
    "fitted along with the density; the intensity |F|² is blurred by it before it is compared."
)
_PRINTED = "r_p modified is that of Wu et al. (2021), with absolute values inside the sum: 0.75 for independent noise."
_TRUE = "After shift below a voxel, twin, constant phase and scale; phase RMS where the true amplitude exceeds 10 %."
_AGREEING = (
    "Runs agree if, as a group, they overlap with the best by 0.9 or more. Seconds: wall time of runs computed "
    "together, divided by their number. PRTF less chance, which is that of as many unrelated runs; resolutions are "
    "full periods; never: not before the edge of the pattern."
)


def write_volumes_report(run: Path, figures: Mapping[str, MakeFigure] | None = None) -> Path:
    """Write report.html of a comparison from its volumes.h5 and metrics.json.

    Args:
        run: Folder of the evaluation.
        figures: Further figures by title, see reports.further.
    """
    result = codec.load(run / VOLUMES_FILE, VolumeResult)
    metrics: dict[str, Any] = read_metrics(run / "metrics.json")
    sections = [
        Section("Result", [Lines([verdict(result, metrics)]), *numbers_tables(metrics["methods"])]),
        Section("Errors", errors(result, metrics)),
        Section("Convergence", convergence(result, metrics)),
        *(section for pattern in result.patterns for section in of_pattern(result, pattern)),
        *laboratory_sections(sorted((run / "densities").glob("*/*_laboratory.npz")), turning=True),
        Section("Notes", [Lines(note_lines(result.notes) or ["Nothing to note."]), question_table(result.about)]),
        *further_sections(figures, result),
        provenance_section(run, costs(result)),
    ]
    return write_page(run / "report.html", "3D phasing compared", "/".join(run.resolve().parts[-2:]), sections)


def verdict(result: VolumeResult, metrics: Mapping[str, Any]) -> str:
    """Method of least error in a sentence, on held-out voxels if there are any, and the agreement of the methods."""
    methods: Mapping[str, Mapping[str, Any]] = metrics["methods"]
    judge = "held_out_chi_square" if all("held_out_chi_square" in one for one in methods.values()) else "chi_square"
    order = sorted(methods, key=lambda name: methods[name][judge])
    where = "held-out" if judge != "chi_square" else "fitted"
    text = f"Least median χ² on the {where} voxels: {order[0]}, {methods[order[0]][judge]:.3g}"
    if len(order) > 1:
        text += f"; next {order[1]}, {methods[order[1]][judge]:.3g}"
    draws, patterns = result.about.settings.masks, len(result.about.patterns)
    text += f" ({result.about.settings.starts} starts, {draws} draw{'s' if draws > 1 else ''} of held-out voxels, "
    text += f"{patterns} pattern{'s' if patterns > 1 else ''})."
    if agreement := metrics.get("agreement"):
        best, mean = (
            min(rows[i][j] for i in range(len(rows)) for j in range(i))
            for rows in (agreement["overlap"], agreement["mean_overlap"])
        )
        text += f" Of any two methods the best runs correlate by {best:.3f} or more, "
        text += f"the means of the runs that agree by {mean:.3f} or more."
    return text


def numbers_tables(methods: Mapping[str, Mapping[str, Any]]) -> list[Table]:
    """Tables of errors with quartiles, of errors against the truth, and of resolutions, agreement and times."""
    blurred = any("point_spread" in numbers for numbers in methods.values())
    tables = [
        _table(methods, _COLUMNS, _ERRORS + _BLUR * blurred, _with_quartiles),
        _table(methods, _MODIFIED, _PRINTED, _with_quartiles),
    ]
    if "density_error" in next(iter(methods.values())):
        tables.append(_table(methods, _TRUTH, _TRUE, _with_quartiles))
    return [*tables, _table(methods, _RUNS, _AGREEING, _plain)]


def _table(
    methods: Mapping[str, Mapping[str, Any]],
    columns: Mapping[str, str],
    caption: str,
    cell: Callable[[Mapping[str, Any], str], str],
) -> Table:
    """Table with a row for each method, without columns that no method has."""
    names = [name for name in columns if any(name in numbers for numbers in methods.values())]
    rows = [[method, *(cell(numbers, name) for name in names)] for method, numbers in methods.items()]
    return Table(["method", *(columns[name] for name in names)], rows, caption)


def _plain(numbers: Mapping[str, Any], name: str) -> str:
    """Number as text; "never" for a curve that does not cross before the edge of the pattern."""
    if name in ("prtf/crossing", "fsc/half_bit") and name in numbers and numbers[name] is None:
        return "never"
    if name == "kept/share" and numbers.get(name) is not None:
        return f"{100 * numbers[name]:.0f} %"
    return number(numbers.get(name))


def _with_quartiles(numbers: Mapping[str, Any], name: str) -> str:
    if numbers.get(name) is None:
        return "-"
    if name == "free_voxels":
        return f"{numbers[name]:,.0f}"
    if f"{name}/q1" not in numbers:
        return number(numbers[name])
    return f"{number(numbers[name])}\n{number(numbers[f'{name}/q1'])} – {number(numbers[f'{name}/q3'])}"


def number(value: Any) -> str:
    """Number with three digits, five decimals just below 1, powers of ten if it is small."""
    if value is None:
        return "-"
    if isinstance(value, int):
        return str(value)
    if 0.99 <= abs(value) <= 1:
        return f"{value:.5f}"
    if 0 < abs(value) < 1e-4:
        return f"{value:.2e}"
    return f"{value:#.3g}".rstrip(".") if abs(value) < 1000 else f"{value:,.0f}"


def errors(result: VolumeResult, metrics: Mapping[str, Any]) -> list[Picture | Lines]:
    """Figures of the errors: histograms, held-out against fitted voxels, agreement, and errors against the truth."""
    caption = "As Figs 5 and S3 of Wu et al. (2021), of the runs in the last table above."
    blocks: list[Picture | Lines] = [
        Picture(as_svg(histogram_figure(result)), "Errors of all runs", caption, wide=True)
    ]
    if all("held_out_chi_square" in method.numbers for method in result.methods):
        caption = "Each mark is a run. Above the dotted line: larger errors on held-out voxels than on fitted ones."
        blocks.append(Picture(as_png(held_out_figure(result)), "Held-out against fitted voxels", caption))
    if agreement := metrics.get("agreement"):
        caption = (
            "Overlap after shift, twin and constant phase, mean over patterns. Left: runs of least fitted χ². Right: "
            "means of all runs that agree with them, which average over differences between runs."
        )
        panels = {"best runs": agreement["overlap"], "means of the runs that agree": agreement["mean_overlap"]}
        least = min(0.5, *(value for matrix in panels.values() for row in matrix for value in row))
        drawn = agreement_figure(agreement["methods"], panels, "aligned correlation", least, ".3f")
        blocks.append(Picture(as_svg(drawn), "Agreement of the methods", caption, wide=True))
    if "density_error" in result.methods[0].numbers:
        caption = "Medians over draws and seeds, after shift, twin, phase and scale. They can be large at small χ²."
        blocks.append(Picture(as_svg(truth_figure(metrics["patterns"])), "Against the truth", caption, wide=True))
    return blocks


def convergence(result: VolumeResult, metrics: Mapping[str, Any]) -> list[Picture | Table]:
    """Figures and table of convergence: χ² against steps and time, times to levels of χ², success rates."""
    levels = result.about.settings.levels
    methods: Mapping[str, Mapping[str, Any]] = metrics["methods"]
    caption = (
        "Median and range over the seeds, first pattern and draw, of the least χ² so far. Iterative: square of the "
        "relative Fourier error of the iterate. The last point of a method with a polish is after the polish."
    )
    rows = [
        [name, *(_reached(numbers[f"success/{level:g}"], numbers[f"seconds_to/{level:g}"]) for level in levels)]
        for name, numbers in methods.items()
    ]
    ends = "Share of the runs that end at or below each χ² on the fitted voxels; median seconds until then."
    return [
        Picture(as_svg(course_figure(result)), "χ² during the runs", caption, wide=True),
        Picture(
            as_svg(times_figure(methods, levels)),
            "Time to reach a level of χ²",
            "Larger marks: more of the runs end there.",
        ),
        Table(["method", *(f"χ² ≤ {level:g}" for level in levels)], rows, ends),
    ]


def _reached(share: float, seconds: float | None) -> str:
    return f"{100 * share:.0f} %\n{'-' if seconds is None else f'{seconds:.3g} s'}"


def of_pattern(result: VolumeResult, pattern: DisplayedPattern) -> list[Section]:
    """Sections of one pattern and its densities: planes, spectra, resolution, ensembles, and surfaces."""
    scale = "The geometry is not known: lengths in voxels."
    if result.known:
        scale = "Voxel edges along the measured directions, not perpendicular: see Laboratory frame for the true shape."
    caption = f"Runs of least fitted χ², aligned; phase where the amplitude exceeds 10 %. {scale}"
    blocks: list[Picture | Lines] = [
        Picture(as_png(pattern_figure(result, pattern)), "Measured", "Central planes; grey: not measured.", wide=True),
        Picture(as_png(slices_figure(result, pattern)), "Central slices", caption, wide=True),
        *resolution(result, pattern),
        Picture(as_svg(spectrum_figure(result, pattern)), "Fourier spectral weight", _SPECTRUM),
        Picture(as_png(uncertainty_figure(result, pattern)), "Ensembles", _ENSEMBLE, wide=len(pattern.methods) > 2),
    ]
    return [Section(pattern.name, blocks), Section(f"{pattern.name}: surfaces", surfaces(result, pattern))]


def resolution(result: VolumeResult, pattern: DisplayedPattern) -> list[Picture | Lines]:
    """PRTF and FSC curves, and the names of methods without a PRTF, which a single run does not have."""
    alone = [name for name, method in zip(result.names, pattern.methods, strict=True) if not len(method.prtf)]
    why = f"No PRTF of {', '.join(alone)}: no other run agrees with the best, or only one was made." if alone else ""
    if any(len(method.prtf) or len(method.fsc) for method in pattern.methods):
        drawn = transfer_figure(result, pattern)
        return [Picture(as_svg(drawn), "Resolution", f"{_RESOLUTION} {why}".strip(), wide=len(drawn.axes) > 1)]
    return [Lines([why])]


_SPECTRUM = "Best run of each method: amplitudes summed over shells of constant |q|, measured voxels only."
_RESOLUTION = "Reproducible is not the same as right: runs that share a wrong support agree too."
_ENSEMBLE = "Mean of the runs that agree with the best, and their root mean square deviation in every voxel."


def surfaces(result: VolumeResult, pattern: DisplayedPattern) -> list[Surface]:
    """Surfaces of the measured pattern, and of the pattern and density of each method."""
    level = surface_level(pattern.fourier_amplitude, pattern.mask)
    views = [diffraction_surface(pattern.fourier_amplitude, result.voxel, "Measured diffraction", level)]
    if pattern.truth is not None:
        views.append(object_surface(pattern.truth, result.voxel, "Truth"))
    for name, method in zip(result.names, pattern.methods, strict=True):
        views.append(diffraction_surface(method.predicted, result.voxel, f"{name}: diffraction", level))
        views.append(object_surface(method.best, result.voxel, f"{name}: density"))
    return views


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


def costs(result: VolumeResult) -> dict[str, Any]:
    """Device, time, memory and cached answers of each method, and the command, by name."""
    methods = {
        one.name: {"unit": one.unit}
        | one.cost.rounded
        | {"seconds_per_run": f"{one.seconds_per_run:.3g}", "cached": f"{one.kept} of {one.answers}"}
        for one in result.methods
    }
    about = result.about
    return {"device": about.device, "threads": about.threads, **methods, "command": about.command}
