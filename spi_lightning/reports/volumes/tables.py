"""Tables of a comparison of 3D phasing: errors with quartiles, agreement, resolutions, times and success."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from spi_lightning.reports.page import Table

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
    "full periods; never: not before the edge of the pattern; -: fewer than three runs agree."
)


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


def success_table(methods: Mapping[str, Mapping[str, Any]], levels: Sequence[float]) -> Table:
    """Table of the share of the runs that end at or below each level of χ², and the median seconds until then."""
    rows = [
        [name, *(_reached(numbers[f"success/{level:g}"], numbers[f"seconds_to/{level:g}"]) for level in levels)]
        for name, numbers in methods.items()
    ]
    ends = "Share of the runs that end at or below each χ² on the fitted voxels; median seconds until then."
    return Table(["method", *(f"χ² ≤ {level:g}" for level in levels)], rows, ends)


def _reached(share: float, seconds: float | None) -> str:
    return f"{100 * share:.0f} %\n{'-' if seconds is None else f'{seconds:.3g} s'}"
