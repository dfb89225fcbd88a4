"""Figures of a comparison of 3D phasing: errors, convergence, spectra, resolution, agreement and times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from spi_lightning.metrics.shells import alike, common_edge
from spi_lightning.reports.style import INK, METHOD_COLOURS, figure
from spi_lightning.results.volumes import DisplayedPattern, VolumeResult

Array = NDArray[Any]
_MARKERS = "os^Dvp*X"
_LEGEND_ROW, _LEGEND_LETTERS = 0.2, 66  # inches; letters beside one another in a figure of half the width of a page


def colour_of(number: int) -> str:
    """Colour of the method of this index."""
    return METHOD_COLOURS[number % len(METHOD_COLOURS)]


def histogram_figure(result: VolumeResult, name: str, label: str) -> Figure:
    """Histogram of one error of all runs: Wu et al. (2021), Figs 5 and S3.

    Args:
        result: Comparison whose runs are counted.
        name: Name of the error in MethodResult.numbers; chi squares have a logarithmic axis.
        label: Label of the axis.
    """
    drawn = [method.numbers[name].ravel() for method in result.methods]
    low, high = min(float(each.min()) for each in drawn), max(float(each.max()) for each in drawn)
    with figure(5.4, 3.6 + _LEGEND_ROW * len(drawn) / 3) as picture:
        axes = picture.subplots()
        if name.endswith("chi_square"):
            low = max(low, 1e-16)
            bins = np.geomspace(low / 1.1, max(high, low) * 1.1, 36)
            axes.set_xscale("log")
            _plain_log(axes.xaxis, low, high)
        else:
            pad = 0.03 * max(high - low, 1e-9)
            bins = np.linspace(low - pad, high + pad, 36)
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.ticklabel_format(axis="x", useOffset=False)
        for number, values in enumerate(drawn):
            style: dict[str, Any] = {"bins": bins.tolist(), "color": colour_of(number), "linewidth": 1.4}
            values = np.clip(values, bins[0], bins[-1])
            axes.hist(values, histtype="stepfilled", alpha=0.18, **style)
            axes.hist(values, histtype="step", label=result.names[number], **style)
        axes.set(xlabel=label, ylabel="runs")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        _legend(picture, axes)
    return picture


def _legend(picture: Figure, axes: Axes) -> None:
    """Names of the methods above the axes, as many in a row as their length allows."""
    handles, labels = axes.get_legend_handles_labels()
    longest = max(map(len, labels), default=0)
    picture.legend(handles, labels, loc="outside upper center", ncols=max(1, min(3, _LEGEND_LETTERS // (longest + 6))))


def _plain_log(axis: Axis, low: float, high: float) -> None:
    """Label a logarithmic axis of little more than a decade with few plain numbers."""
    if high >= 30 * low:
        return
    axis.set_major_locator(MaxNLocator(4) if high < 4 * low else LogLocator(10, subs=(1, 2, 5)))
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_formatter(NullFormatter())


def held_out_figure(result: VolumeResult) -> Figure:
    """Chi square of each run on held-out voxels against fitted ones; the legend has the number of free voxels."""
    with figure(5.4, 4.2) as picture:
        axes = picture.subplots()
        ends: list[float] = []
        for number, numbers in enumerate(one.numbers for one in result.methods):
            x, y = numbers["chi_square"].ravel(), numbers["held_out_chi_square"].ravel()
            ends += [float(each) for values in (x, y) for each in (values.min(), values.max())]
            name = f"{result.names[number]}, {np.median(numbers['free_voxels']):,.0f} free voxels"
            axes.scatter(
                x, y, s=24, alpha=0.7, linewidths=0, color=colour_of(number), marker=_MARKERS[number % 8], label=name
            )
        limits = [max(min(ends), 1e-16) * 0.8, max(ends) * 1.25]
        axes.plot(limits, limits, color=INK, linewidth=0.8, linestyle=":")
        axes.set(xscale="log", yscale="log", xlabel="χ², fitted voxels", ylabel="χ², held-out voxels")
        for axis in (axes.xaxis, axes.yaxis):
            _plain_log(axis, *limits)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=1, borderaxespad=0.2)
    return picture


def course_figure(result: VolumeResult, against: str) -> Figure:
    """Least chi square so far of the fitted voxels in the course of one run: Wu et al. (2021), Fig. 3f.

    Args:
        result: Comparison whose runs are drawn: their median and range over the seeds.
        against: Horizontal axis, ``steps`` of the run or wall time in ``seconds``.
    """
    with figure(5.4, 4.0 + _LEGEND_ROW * len(result.methods) / 2) as picture:
        axes = picture.subplots()
        for number, method in enumerate(result.methods):
            course = np.minimum.accumulate(method.chi_square, axis=0)
            if len(course) < 2:
                continue
            x = method.step if against == "steps" else method.seconds / course.shape[1]
            style: dict[str, Any] = {"color": colour_of(number)}
            axes.plot(x, np.median(course, axis=1), linewidth=1.4, label=method.name, **style)
            if course.shape[1] > 1:
                axes.fill_between(x, course.min(1), course.max(1), alpha=0.15, linewidth=0, **style)
        units = sorted({f"{method.unit}s" for method in result.methods})
        drawn = any(len(method.chi_square) > 1 for method in result.methods)
        axes.set(yscale="log" if drawn else "linear", ylabel="least χ² so far, fitted voxels")
        if against == "steps":
            axes.set(xscale="symlog", xlabel=" or ".join(units))
            axes.set_xlim(left=0)
        else:
            axes.set(xscale="log" if drawn else "linear", xlabel="seconds of one run")
        _legend(picture, axes)
    return picture


def spectrum_figure(result: VolumeResult, pattern: DisplayedPattern) -> Figure:
    """Amplitude summed over shells of constant |q|, measured and of each method: Wu et al. (2021), Fig. 3i."""
    frequency, unit = frequency_of(result)
    with figure(5.4, 4.8) as picture:
        above, below = picture.subplots(2, 1, sharex=True, height_ratios=(2.2, 1))
        reach = 0.05
        above.plot(frequency, pattern.weight, color=INK, linewidth=2.4, alpha=0.35, label="measured")
        for number, method in enumerate(pattern.methods):
            weight, style = method.weight, {"color": colour_of(number), "linewidth": 1.2}
            above.plot(frequency, weight, label=result.names[number], **style)
            ratio = weight / np.maximum(pattern.weight, 1e-30)
            below.plot(frequency, ratio, **style)
            reach = max(reach, 1.1 * float(np.abs(ratio - 1).max()))
        below.axhline(1, color=INK, linewidth=0.8, linestyle=":")
        above.set(yscale="log", ylabel="Σ |F| over a shell (√photons)")
        below.set(xlabel=f"|q| ({unit})", ylabel="over measured", ylim=(max(0, 1 - reach), min(2, 1 + reach)))
        _legend(picture, above)
    return picture


def transfer_figure(result: VolumeResult, pattern: DisplayedPattern, curve: str) -> Figure:
    """PRTF of each method's runs, or FSC of two halves of the photons.

    Args:
        result: Comparison with the frequencies of the shells.
        pattern: Pattern whose densities are compared.
        curve: ``prtf`` or ``fsc``; methods without it have no line.
    """
    frequency, unit = frequency_of(result)
    with figure(5.4, 4.0 + _LEGEND_ROW * len(result.names) / 2) as picture:
        axes = picture.subplots()
        for number, (name, method) in enumerate(zip(result.names, pattern.methods, strict=True)):
            if len(values := method.prtf_corrected if curve == "prtf" else method.fsc):
                label = f"{name} ({method.kept} runs)" if curve == "prtf" else name
                axes.plot(frequency, values, color=colour_of(number), linewidth=1.4, label=label)
        axes.set_xlabel(f"|q| ({unit})")
        _legend(picture, axes)
        if curve == "prtf":
            line = axes.axhline(1 / np.e, color=INK, linewidth=0.9, linestyle="-.")
            axes.set(ylabel="PRTF of the runs that agree, less chance", ylim=(-0.05, 1.05))
            axes.legend([line], ["1/e"], loc="lower left", fontsize=8)
        else:
            _fsc_axes(axes, pattern)
    return picture


def _fsc_axes(axes: Axes, pattern: DisplayedPattern) -> None:
    for number, method in enumerate(pattern.methods):
        if len(threshold := method.half_bit):
            frequency = axes.get_lines()[0].get_xdata()
            axes.plot(frequency, threshold, color=colour_of(number), linewidth=0.8, linestyle=":")
    dotted = Line2D([], [], color=INK, linewidth=0.8, linestyle=":")
    axes.set(ylabel="FSC of two halves of the photons", ylim=(-0.2, 1.05))
    axes.legend([dotted], ["half bit, each method's own"], loc="lower left", fontsize=8)


def frequency_of(result: VolumeResult) -> tuple[Array, str]:
    """Mean |q| of the shells, (K,), and its unit, 1/nm or 1/voxel."""
    if not result.known or not alike(result.voxel):  # shells are of equal frequency in cycles per voxel
        return result.frequency, "1/voxel"
    return result.frequency / (1e9 * common_edge(result.voxel)), "1/nm"


def times_figure(methods: Mapping[str, Mapping[str, Any]], levels: Sequence[float]) -> Figure:
    """Median seconds of one run until chi square is below each level; larger marks: more runs reach it."""
    with figure(5.4, 4.2) as picture:
        axes = picture.subplots()
        for number, (name, numbers) in enumerate(methods.items()):
            points = [(level, numbers[f"seconds_to/{level:g}"], numbers[f"success/{level:g}"]) for level in levels]
            reached = [point for point in points if point[1] is not None]
            x, y = [point[0] for point in reached], [max(point[1], 1e-3) for point in reached]
            axes.plot(x, y, color=colour_of(number), linewidth=1.0, label=name)
            sizes = [12 + 90 * point[2] for point in reached]
            axes.scatter(x, y, s=sizes, color=colour_of(number), marker=_MARKERS[number % 8], alpha=0.8)
        some = any(numbers[f"seconds_to/{level:g}"] is not None for numbers in methods.values() for level in levels)
        axes.set(xscale="log", xlabel="χ² of the fitted voxels, smaller to the right", ylabel="seconds of one run")
        axes.set_yscale("log" if some else "linear")  # nothing can be drawn to a logarithmic scale without a value
        axes.set_xlim(max(levels) * 2, min(levels) / 2)
        _legend(picture, axes)
    return picture


def truth_figure(methods: Mapping[str, Mapping[str, Mapping[str, float]]], name: str, label: str) -> Figure:
    """One error against the truth for each pattern, medians over draws and seeds.

    Args:
        methods: Errors by the name of the method and of the pattern.
        name: Name of the error; correlations have a linear axis.
        label: Label of the axis.
    """
    with figure(5.4, 3.9 + _LEGEND_ROW * len(methods) / 2) as picture:
        axes = picture.subplots()
        for number, (method, patterns) in enumerate(methods.items()):
            style: dict[str, Any] = {"color": colour_of(number), "marker": _MARKERS[number % 8], "markersize": 5}
            axes.plot(range(len(patterns)), [each[name] for each in patterns.values()], label=method, **style)
        axes.set_xticks(range(len(patterns)), list(patterns), rotation=30, ha="right", rotation_mode="anchor")
        axes.set(ylabel=label, yscale="linear" if name.endswith("correlation") else "log")
        _legend(picture, axes)
    return picture
