"""Scores of a method of 3D phasing: medians and spread of its errors, success rates, times and resolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from spi_lightning.metrics.prtf import LEAST_RUNS
from spi_lightning.metrics.shells import resolutions
from spi_lightning.results.volume_answer import VolumeRuns

from .ensemble import Ensemble, ScoredMethod, ScoredRuns, Values


def scores_of(
    method: ScoredMethod,
    ensembles: Sequence[Ensemble],
    levels: Sequence[float],
    voxel: Sequence[float] | None = None,
) -> dict[str, Any]:
    """Numbers of one method as metrics.json holds them.

    Args:
        method: Runs of the method and their errors.
        ensembles: Ensemble of each pattern.
        levels: Values of chi square for success rates and times.
        voxel: Edges of a voxel of the density along z, y, x, m, for resolutions; None where unknown.
    """
    numbers: dict[str, Any] = {"runs": int(method.numbers["chi_square"].size)}
    for name, values in method.numbers.items():
        numbers |= spread_of(name, values)
    numbers |= successes(method.all_draws, levels) | point_spread_of(method.all_draws)
    numbers["seconds_per_run"] = method.seconds_per_run
    numbers["kept"] = int(sum(one.kept for one in ensembles))
    numbers["kept/share"] = numbers["kept"] / max(1, sum(one.runs for one in ensembles))
    curves = [one.prtf for one in ensembles if one.prtf is not None and not one.prtf.identical]
    if curves:
        numbers["prtf/chance"] = float(np.median([one.chance for one in curves]))
    crossings = {
        "prtf/crossing": [one.resolution for one in curves if one.runs >= LEAST_RUNS],  # fewer agree by chance
        "fsc/half_bit": [float(one.fsc.half_bit_crossing) for one in ensembles if one.fsc is not None],
        "fsc/one_over_e": [float(one.fsc.one_over_e_crossing) for one in ensembles if one.fsc is not None],
    }
    for name, found in crossings.items():
        if found:
            middle = float(np.median(np.nan_to_num(found, nan=np.inf)))
            numbers[name] = middle if np.isfinite(middle) else None  # most curves never cross
            if voxel is not None and np.isfinite(middle):
                numbers |= resolutions(name, max(middle, 1e-9), voxel)
    return numbers


def spread_of(name: str, values: Values) -> dict[str, float]:
    """Median, quartiles and range of all runs (P, M, S), and the median over P, M of the deviation over starts."""
    low, middle, high = (float(each) for each in np.quantile(values, [0.25, 0.5, 0.75]))
    found = {name: middle, f"{name}/q1": low, f"{name}/q3": high}
    found |= {f"{name}/min": float(values.min()), f"{name}/max": float(values.max())}
    if values.shape[-1] > 1:
        found[f"{name}/over_seeds"] = float(np.median(values.std(axis=-1, ddof=1)))
    return found


def point_spread_of(draws: Sequence[ScoredRuns]) -> dict[str, float]:
    """Median widths of the blur by partial coherence along z, y and x, and their root mean square, pixels; or none."""
    widths = np.concatenate([draw.runs.point_spread for draw in draws])
    if not widths.any():
        return {}
    median = np.median(widths, axis=0)
    found = {f"point_spread/{axis}": float(width) for axis, width in zip("zyx", median, strict=True)}
    return found | {"point_spread": float(np.sqrt(np.square(median).mean()))}


def successes(draws: Sequence[ScoredRuns], levels: Sequence[float]) -> dict[str, float | None]:
    """Success rates and times.

    Args:
        draws: Runs of all patterns and draws.
        levels: Values of chi square over the fitted voxels.

    Returns:
        For each level ``success/LEVEL``, share of the runs that end at or below it, and ``seconds_to/LEVEL``, median
        seconds of one such run until it was first there; None where there is none.
    """
    found: dict[str, float | None] = {}
    final = np.concatenate([draw.numbers["chi_square"] for draw in draws])
    for level in levels:
        found[f"success/{level:g}"] = float((final <= level).mean())
        times = np.concatenate([times_to(draw.runs, level) for draw in draws])
        reached = times[np.isfinite(times) & (final <= level)]
        found[f"seconds_to/{level:g}"] = float(np.median(reached)) if len(reached) else None
    return found


def times_to(runs: VolumeRuns, level: float) -> Values:
    """(S,) seconds of one run until its chi square was first at or below a level; NaN where it never was."""
    count = len(runs.density)
    if not len(runs.chi_square):
        return np.full(count, np.nan)
    below = runs.chi_square <= level
    times: Values = np.where(below.any(0), runs.seconds[below.argmax(0)], np.nan) / count
    return times


def by_pattern(method: ScoredMethod, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Median errors of each pattern over draws and starts, by the name of the pattern."""
    medians = {name: np.median(values, axis=(1, 2)) for name, values in method.numbers.items()}
    return {each: {name: float(values[p]) for name, values in medians.items()} for p, each in enumerate(names)}
