"""Figures of compared runs: parallel coordinates of their settings, and their learning curves in one panel each."""

from collections.abc import Sequence
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from spi_lightning.printable import cut
from spi_lightning.reports.page import Picture
from spi_lightning.reports.style import METHOD_COLOURS, UNKNOWN, as_picture, figure
from spi_lightning.results.runs import ABSENT, Column, State

from .comparison import Comparison
from .screen import titles

_AXES: Final = 5  # settings in one figure of parallel coordinates
_MOST: Final = 10  # settings in all figures
_LETTERS: Final = 12  # of a value at an axis
_TICKS: Final = 8  # values of text at an axis
_DECADES: Final = 30.0  # ratio of largest to smallest value from which an axis is logarithmic
_COLOURS: Final = mpl.colormaps["viridis"]


def parallel_coordinates(comparison: Comparison) -> list[Picture]:
    """Line of each run through its settings to the objective, few settings a figure; none without either."""
    values = comparison.values(comparison.objective)
    use = np.flatnonzero(np.isfinite(values))
    columns = [one for one in comparison.settings if len({one.values[row] for row in use} - {ABSENT}) > 1][:_MOST]
    if len(use) < 2 or not columns:
        return []
    short = titles([comparison.objective, *(column.key for column in columns)])
    pictures = []
    for part in (columns[start : start + _AXES] for start in range(0, len(columns), _AXES)):
        with figure(5.4, 3.9) as picture:
            axes = picture.subplots()
            heights = [_heights(column, use) for column in part]
            heights.append(_scaled(values[use], [f"{values[use].min():.4g}", f"{values[use].max():.4g}"]))
            _draw_lines(axes, np.array([each for each, _ in heights]).T, values[use], comparison, use)
            names = [*(short[column.key] for column in part), short[comparison.objective]]
            _draw_axes(axes, names, [ticks for _, ticks in heights])
        caption = f"One line a run, coloured by {comparison.objective}, the best in yellow; dashed: not finished."
        pictures.append(Picture(as_picture(picture), "Settings and objective", caption))
    return pictures


def _heights(column: Column, rows: NDArray[np.intp]) -> tuple[NDArray[np.float64], list[tuple[float, str]]]:
    """Height of each run at the axis of a setting, 0 to 1, and ticks; text at even steps."""
    texts = [column.values[row] for row in rows]
    try:
        numbers = np.array([float(text) for text in texts])
    except ValueError:
        numbers = np.array([np.nan])
    if np.isfinite(numbers).all():
        if numbers.min() > 0 and numbers.max() >= _DECADES * numbers.min():
            return _scaled(np.log10(numbers), [f"{numbers.min():.3g}", f"{numbers.max():.3g}"])
        return _scaled(numbers, [f"{numbers.min():.4g}", f"{numbers.max():.4g}"])
    different = sorted(set(texts))
    heights = {text: number / (len(different) - 1) for number, text in enumerate(different)}
    labelled = different[:: -(-len(different) // _TICKS)]
    return np.array([heights[text] for text in texts]), [(heights[text], cut(text, _LETTERS)) for text in labelled]


def _scaled(numbers: NDArray[np.float64], ends: Sequence[str]) -> tuple[NDArray[np.float64], list[tuple[float, str]]]:
    low, high = float(numbers.min()), float(numbers.max())
    if high == low:
        return np.full(len(numbers), 0.5), [(0.5, ends[0])]
    return (numbers - low) / (high - low), [(0.0, ends[0]), (1.0, ends[1])]


def _draw_lines(
    axes: Axes,
    heights: NDArray[np.float64],
    values: NDArray[np.float64],
    comparison: Comparison,
    rows: NDArray[np.intp],
) -> None:
    colours = _COLOURS(_merit(values, comparison.minimised))
    for number in reversed(range(len(rows))):  # the best on top
        finished = comparison.runs[rows[number]].state is State.FINISHED
        style: dict[str, Any] = {"linestyle": "-" if finished else "--", "alpha": 0.85 if finished else 0.5}
        axes.plot(heights[number], color=colours[number], linewidth=1.6, **style)


def _merit(values: NDArray[np.float64], minimised: bool) -> NDArray[np.float64]:
    """Objective from 0, the worst, to 1, the best."""
    merit = np.asarray(Normalize()(-values if minimised else values), dtype=np.float64)
    return merit if np.isfinite(merit).all() else np.ones(len(values))


def _draw_axes(axes: Axes, names: Sequence[str], ticks: Sequence[Sequence[tuple[float, str]]]) -> None:
    for position, each in enumerate(ticks):
        axes.axvline(position, color=UNKNOWN, linewidth=1)
        for height, text in each:
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.75}
            axes.text(position, height, text, ha="center", va="center", fontsize=8.5, bbox=box)
    axes.set_xticks(range(len(names)), [name.replace("_", "_\n") for name in names])
    axes.set(yticks=[], ylim=(-0.06, 1.06), xlim=(-0.3, len(names) - 0.7))
    axes.grid(False)
    axes.spines[:].set_visible(False)


def curves_pictures(comparison: Comparison) -> list[Picture]:
    """Learning curves of the trainings: the validation loss and the objective, one panel each."""
    curves = [run.curves for run in comparison.runs]
    stage, _, name = comparison.objective.partition("/")
    pictures = []
    for key in dict.fromkeys((f"val/{name}" if stage == "test" else comparison.objective, "val/loss")):
        rows = [row for row, each in enumerate(curves) if key in each]
        if not rows:
            continue
        colours = _curve_colours(comparison, rows)
        with figure() as picture:
            axes = picture.subplots()
            for row, colour in zip(rows, colours, strict=True):
                steps, values = curves[row][key]
                finished = comparison.runs[row].state is State.FINISHED
                marks = {"marker": "o", "markersize": 3} if len(steps) < 30 else {}
                label = comparison.names[row] if len(rows) <= len(METHOD_COLOURS) else None
                axes.plot(steps, values, "-" if finished else "--", color=colour, label=label, **marks)  # type: ignore[arg-type]
            axes.set(xlabel="training step (batches)", ylabel=key)
            if len(rows) <= len(METHOD_COLOURS):
                axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2, fontsize=8)
        meaning = "" if len(rows) <= len(METHOD_COLOURS) else " Coloured by the objective, the best in yellow."
        pictures.append(Picture(as_picture(picture), key, f"{len(rows)} trainings; dashed: not finished.{meaning}"))
    return pictures


def _curve_colours(comparison: Comparison, rows: Sequence[int]) -> list[Any]:
    """Colours of runs by name where they are few, else by the objective; grey without one."""
    if len(rows) <= len(METHOD_COLOURS):
        return list(METHOD_COLOURS[: len(rows)])
    values = comparison.values(comparison.objective)[list(rows)]
    known = np.isfinite(values)
    merit = np.zeros(len(values))
    merit[known] = _merit(values[known], comparison.minimised) if known.any() else 0
    return [_COLOURS(each) if ok else UNKNOWN for each, ok in zip(merit, known, strict=True)]
