"""Table and figure of benchmarks.network_start."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogFormatterSciNotation, LogLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

from spi_lightning.io.volumes.npz import write_npz
from spi_lightning.reports.style import METHOD_COLOURS, figure

LEVELS = (1e-2, 1e-3)
SUCCESS = 0.95  # correlation with the truth


@dataclass(frozen=True)
class Outcome:
    """Of P patterns x S starts.

    Attributes:
        iterations: To each level, (P, S), inf where never.
        updates: (T,) after how many updates the answers were looked at.
        correlation: (T, P, S) of those answers with the truth.
        error: Median relative Fourier error at the end of each cycle.
        asymmetry: Mean of the starting densities, NaN for random phases.
    """

    iterations: dict[float, NDArray[np.float32]]
    updates: NDArray[np.int64]
    correlation: NDArray[np.float32]
    error: NDArray[np.float32]
    asymmetry: float

    @property
    def success(self) -> NDArray[np.bool_]:
        """(P, S), of the last answer."""
        good: NDArray[np.bool_] = self.correlation[-1] > SUCCESS
        return good

    @property
    def counts(self) -> dict[str, NDArray[np.float32]]:
        """Updates to each level, and to an answer that resembles the truth, (P, S) each, inf where never."""
        good = self.correlation > SUCCESS
        found = np.where(good.any(0), self.updates[good.argmax(0)], np.inf)
        return {**{f"{level:g}": count for level, count in self.iterations.items()}, f"r > {SUCCESS:g}": found}


def either(known: NDArray[np.bool_], one: Outcome, other: Outcome) -> Outcome:
    """One outcome for patterns that are known (P,), another for the rest, as many starts as the other has."""

    def chosen(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
        return np.where(known[:, None], np.broadcast_to(first, second.shape), second)

    iterations = {level: chosen(count, other.iterations[level]) for level, count in one.iterations.items()}
    nowhere = np.full_like(one.error, np.nan)
    return Outcome(iterations, one.updates, chosen(one.correlation, other.correlation), nowhere, np.nan)


def write_outcome(outcome: Outcome, path: Path) -> None:
    """Keep an outcome as npz; the file is whole or absent."""
    stored: dict[str, Any] = {str(level): count for level, count in outcome.iterations.items()}
    stored |= {name: getattr(outcome, name) for name in ("updates", "correlation", "error", "asymmetry")}
    write_npz(path, stored)


def read_outcome(path: Path) -> Outcome:
    """What write_outcome wrote."""
    with np.load(path) as stored:
        levels = {level: stored[str(level)] for level in LEVELS}
        return Outcome(levels, stored["updates"], stored["correlation"], stored["error"], float(stored["asymmetry"]))


def summary(outcome: Outcome, random: Outcome) -> dict[str, Any]:
    """Medians over patterns, and how many do better, equal or worse than random starts of the same pattern."""
    notes: dict[str, Any] = {
        "success": float(outcome.success.mean()),
        "success_random_below_80": hard_success(outcome, random),
        "hard_patterns": int((random.success.mean(1) < 0.8).sum()),
        "correlation": float(np.median(outcome.correlation[-1])),
        "asymmetry": _finite(outcome.asymmetry),
        "success_after": dict(
            zip(outcome.updates.tolist(), (outcome.correlation > SUCCESS).mean((1, 2)).tolist(), strict=True)
        ),
    }
    for goal, counts in outcome.counts.items():
        own, other = np.median(counts, axis=1), np.median(random.counts[goal], axis=1)
        notes[f"reached {goal}"] = float(np.isfinite(counts).mean())
        notes[f"median {goal}"] = _finite(np.median(counts))
        notes[f"better_equal_worse {goal}"] = [int(x.sum()) for x in (own < other, own == other, own > other)]
    return notes


def hard_success(outcome: Outcome, random: Outcome) -> float | None:
    """Success on the patterns where random starts succeed in less than 80 %."""
    hard = random.success.mean(1) < 0.8
    return float(outcome.success[hard].mean()) if hard.any() else None


def _finite(value: float | np.floating[Any]) -> float | None:
    return float(value) if np.isfinite(value) else None


def show(table: dict[str, Any]) -> None:
    """Print one table; "hard" is the success on patterns where random starts succeed in less than 80 %."""
    goals = [name.removeprefix("median ") for name in table["random"] if name.startswith("median ")]
    print(f"{'start':16s} {'success':>8s} {'hard':>6s} {'corr.':>6s} {'asym.':>6s}", end=" ")
    print(*(f"{goal:>9s} {'reached':>8s} {'+/=/-':>9s}" for goal in goals))
    for name, row in table.items():
        cells = [f"{name:16s} {row['success']:8.2f} {_text(row['success_random_below_80'], '.2f'):>6s}"]
        cells.append(f"{row['correlation']:6.3f} {_text(row['asymmetry'], '.3f'):>6s}")
        for goal in goals:
            pairs = "/".join(map(str, row[f"better_equal_worse {goal}"]))
            cells.append(f"{_text(row[f'median {goal}'], '.0f', 'never'):>9s} {row[f'reached {goal}']:8.2f}")
            cells.append(f"{pairs:>9s}")
        print(*cells, flush=True)


def _text(value: float | None, form: str, absent: str = "-") -> str:
    return absent if value is None else format(value, form)


def draw(tables: dict[str, dict[str, Outcome]], path: Path) -> None:
    """For each kind of data: median error, and share of starts that found the truth, against the updates."""
    with figure(2.3 * len(tables) + 0.6, 4.8) as picture:
        axes = picture.subplots(2, len(tables), sharex=True, sharey="row", squeeze=False)
        for column, (kind, outcomes) in enumerate(tables.items()):
            error, success = axes[:, column]
            for colour, (name, each) in zip(METHOD_COLOURS, outcomes.items(), strict=False):
                cycle = each.updates[-1] // len(each.error)
                error.loglog(cycle * np.arange(1, len(each.error) + 1), each.error, color=colour, linewidth=1.2)
                share = 100 * (each.correlation > SUCCESS).mean((1, 2))
                success.semilogx(each.updates, share, ".-", color=colour, label=name, linewidth=1.2)
            error.set_title(kind, fontsize=9)
            success.set_xticks(each.updates, [str(count) for count in each.updates])
            success.xaxis.set_minor_locator(NullLocator())
            success.set_ylim(0, 103)
        _error_ticks(axes[0, 0])
        axes[0, 0].set_ylabel("relative Fourier error,\nmedian at the ends of ER")
        axes[1, 0].set_ylabel("starts with correlation\nabove 0.95 (%)")
        picture.legend(*axes[1, 0].get_legend_handles_labels(), fontsize=8, ncols=5, loc="outside upper center")
        picture.supxlabel("updates")
        picture.savefig(path, dpi=80)
    print(path)


def _error_ticks(axes: Axes) -> None:
    """Powers of ten; on an axis of less than two decades plain numbers, 1, 2 and 5 of each."""
    low, high = axes.get_ylim()
    if high > 100 * low:
        axes.yaxis.set_major_formatter(LogFormatterSciNotation())
        return
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
