"""Numbers of 3D phasing: medians and spread over patterns, held-out draws and seeds, successes, and times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spi_lightning.metrics.resolution import resolutions

from .ensemble import Ensemble
from .runner import AskedVolumes, Judged

Values = NDArray[np.float64]


def scores_of(
    asked: AskedVolumes,
    ensembles: Sequence[Ensemble],
    levels: Sequence[float],
    voxel: Sequence[float] | None = None,
) -> dict[str, Any]:
    """Everything that metrics.json says of one method.

    Args:
        asked: Its answers.
        ensembles: One for each pattern.
        levels: Of chi square, for success rates and times.
        voxel: Edges of a voxel of the density along z, y, x, m, for resolutions; None where unknown.
    """
    numbers: dict[str, Any] = {"runs": int(asked.column("chi_square").size)}
    for name in asked.judged[0][0].numbers:
        numbers |= spread_of(name, asked.column(name))
    numbers |= successes(asked, levels) | point_spread_of(asked)
    numbers["seconds_per_run"] = float(np.median(asked_seconds(asked)))
    numbers["kept"] = int(sum(one.kept for one in ensembles))
    numbers["kept/share"] = numbers["kept"] / max(1, sum(one.runs for one in ensembles))
    compared = [one.prtf for one in ensembles if one.prtf is not None and not one.prtf.identical]
    if compared:
        numbers["prtf/chance"] = float(np.median([one.chance for one in compared]))
    crossings = {
        "prtf/crossing": [one.resolution for one in compared],
        "fsc/half_bit": [float(one.fsc.half_bit_crossing) for one in ensembles if one.fsc is not None],
        "fsc/one_over_e": [float(one.fsc.one_over_e_crossing) for one in ensembles if one.fsc is not None],
    }
    for name, values in crossings.items():
        if values:
            middle = float(np.median(np.nan_to_num(values, nan=np.inf)))
            numbers[name] = middle if np.isfinite(middle) else None  # most curves never cross
            if voxel is not None and np.isfinite(middle):
                numbers |= resolutions(name, max(middle, 1e-9), voxel)
    return numbers


def spread_of(name: str, values: Values) -> dict[str, float]:
    """Median, quartiles and range of all runs (P, M, S), and the median over P, M of the deviation over seeds."""
    low, middle, high = (float(each) for each in np.quantile(values, [0.25, 0.5, 0.75]))
    found = {name: middle, f"{name}/q1": low, f"{name}/q3": high}
    found |= {f"{name}/min": float(values.min()), f"{name}/max": float(values.max())}
    if values.shape[-1] > 1:
        found[f"{name}/over_seeds"] = float(np.median(values.std(axis=-1, ddof=1)))
    return found


def point_spread_of(asked: AskedVolumes) -> dict[str, float]:
    """Median widths of the blur by partial coherence along z, y and x, and their root mean square, pixels; or none."""
    widths = np.concatenate([draw.runs.point_spread for pattern in asked.judged for draw in pattern])
    if not widths.any():
        return {}
    median = np.median(widths, axis=0)
    found = {f"point_spread/{axis}": float(width) for axis, width in zip("zyx", median, strict=True)}
    return found | {"point_spread": float(np.sqrt(np.square(median).mean()))}


def successes(asked: AskedVolumes, levels: Sequence[float]) -> dict[str, float | None]:
    """Share of the runs whose final fitted chi square is at most each level, and median seconds until these were there.

    Seconds are those of one run: runs are computed together, and their wall time is divided by their number.
    """
    found: dict[str, float | None] = {}
    final = asked.column("chi_square")
    for level in levels:
        found[f"success/{level:g}"] = float((final <= level).mean())
        times = np.concatenate([times_to(draw, level) for pattern in asked.judged for draw in pattern])
        reached = times[np.isfinite(times) & (final.ravel() <= level)]
        found[f"seconds_to/{level:g}"] = float(np.median(reached)) if len(reached) else None
    return found


def times_to(judged: Judged, level: float) -> Values:
    """(S,) seconds of one run until its chi square was first at or below a level; NaN where it never was."""
    course = judged.runs.chi_square
    count = len(judged.numbers["chi_square"])
    if not len(course):
        return np.full(count, np.nan)
    below = course <= level
    row = np.where(below.any(0), below.argmax(0), 0)
    times: Values = np.where(below.any(0), judged.runs.seconds[row], np.nan) / count
    return times


def asked_seconds(asked: AskedVolumes) -> Values:
    """Wall seconds of one run, (P, M)."""
    return np.asarray(
        [[draw.seconds / len(draw.numbers["chi_square"]) for draw in pattern] for pattern in asked.judged]
    )


def by_pattern(asked: AskedVolumes, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Medians over draws and seeds of each pattern by name."""
    columns = {name: np.median(asked.column(name), axis=(1, 2)) for name in asked.judged[0][0].numbers}
    return {each: {name: float(column[row]) for name, column in columns.items()} for row, each in enumerate(names)}
