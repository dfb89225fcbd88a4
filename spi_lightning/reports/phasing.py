"""The page of a phasing run: pattern and density, how the starts agree, and how far to trust them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from spi_lightning.reports.laboratory import laboratory_sections
from spi_lightning.reports.page import Lines, Picture, Section, write_page
from spi_lightning.reports.phasing_files import PhasingFiles
from spi_lightning.reports.phasing_numbers import numbers_table
from spi_lightning.reports.provenance import provenance_section
from spi_lightning.reports.style import (
    INK,
    MASKED,
    METHOD_COLOURS,
    OTHER,
    PHASE_COLOURS,
    SINGLE,
    as_png,
    as_svg,
    figure,
    phase_bar,
)

Array = NDArray[Any]
_PLANES = ("normal to z", "normal to y", "normal to x")
_POOR = 0.2  # relative Fourier error beyond photon noise of a density that does not explain its pattern
_SHOWN = 10  # starts in the gallery
_MARGIN = 1.3  # of the window around the support


def write_phasing_report(run: Path) -> Path:
    """Make report.html of a phasing run from its phasing.h5 and metrics.json."""
    files = PhasingFiles.read(run)
    metrics: dict[str, Any] = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    sections = [
        Section("Result", [Lines([verdict(files, metrics)]), *_result(files)]),
        *laboratory_sections([run / "laboratory.npz"]),
        Section("Numbers", [numbers_table(metrics, element_of(files))]),
        Section("How far to trust it", [*_trust(files)]),
        Section("Starts", [Picture(as_png(starts_figure(files)), "The starts", _starts_caption(files), wide=True)]),
        Section("Notes", [Lines(files.notes or ["Nothing to note."])]),
        provenance_section(run),
    ]
    return write_page(run / "report.html", "Phasing", "/".join(run.resolve().parts[-2:]), sections)


def best_kept(files: PhasingFiles) -> int:
    """The start of least relative Fourier error among those that make the mean; the one that is shown."""
    return int(np.where(files.kept, files.final_error, np.inf).argmin())


def misfit(files: PhasingFiles) -> float:
    """Relative Fourier error of the best kept start beyond what photon noise explains."""
    error, noise = float(files.final_error[best_kept(files)]), float(files.about.get("counting_error", 0))
    return float(max(0.0, error**2 - noise**2) ** 0.5)


def verdict(files: PhasingFiles, metrics: dict[str, Any]) -> str:
    """A few sentences on what was found."""
    kept, total, best = int(files.kept.sum()), len(files.kept), best_kept(files)
    error, held, noise = files.final_error[best], files.held_out_error[best], files.about.get("counting_error", 0)
    poor, element = misfit(files) > _POOR, element_of(files)
    agree = f"{kept} of {total} starts agree" + (" with one another but do not fit the pattern" if poor else "")
    if kept == 1:
        others = "the other start does not agree" if total == 2 else f"none of the other {total - 1} starts agrees"
        agree = "one start, which nothing confirms" if total == 1 else f"{others} with the best"
    text = f"{agree[0].upper()}{agree[1:]}; the best{' of them' if 1 < kept < total else ''} leaves a relative Fourier "
    text += f"error of {error:.3g}"
    if np.isfinite(held):
        text += f", on held-out {element}s {held:.3g}"
    text += f" (photon noise alone: about {noise:.2g})." if noise else "."
    if files.final_error.min() < 0.95 * error:
        text += f" A start that agrees with no other leaves {files.final_error.min():.3g} and was left out."
    if poor:
        text += " That is a poor fit: check mask, beam centre, support and constraint."
    if kept > 1:
        text += f" The PRTF (of phases) of those kept {_fall(metrics, 'prtf', '1/e', element)}."
    if len(files.fsc):
        name = "FSC" if files.density.ndim == 3 else "FRC"
        text += f" The {name} of two halves of the photons {_fall(metrics, 'fsc_half_bit', 'half a bit', element)}."
    if files.about.get("identical_starts"):
        text += " All starts began from the same density, so the PRTF is 1 by construction and says nothing."
    elif files.about.get("converged_starts"):
        text += " The starts began apart and ended at one density."
    return text


def _fall(metrics: dict[str, Any], name: str, threshold: str, element: str) -> str:
    """Where a curve crosses its threshold, in words; per pixel or voxel where the geometry is not known."""
    if f"{name}/resolution_nm" in metrics:
        return f"falls below {threshold} at {metrics[f'{name}/resolution_nm']:.3g} nm (full period)"
    if f"{name}/crossing" in metrics:
        return f"falls below {threshold} at {metrics[f'{name}/crossing']:.3g} per {element}"
    return f"stays above {threshold} up to the edge of the data"


def element_of(files: PhasingFiles) -> str:
    """What a picture of this many axes is made of."""
    return "voxel" if files.density.ndim == 3 else "pixel"


def _result(files: PhasingFiles) -> list[Picture]:
    volume = files.intensity.ndim == 3
    caption = (
        "Central planes through q = 0. " if volume else ""
    ) + f"{_unit_of(files).capitalize()} on a logarithmic scale; grey: not measured."
    if files.known:
        caption += " q = 2 sin(theta) / wavelength = 1 / d, d the full period, without a factor 2 pi."
    shown = [Picture(as_png(pattern_figure(files)), "Pattern", caption, wide=volume)]
    caption = "Mean of the kept starts; the line is the support." + (" Central planes." if volume else "")
    if np.iscomplexobj(files.density):
        caption += " Phase only where the amplitude exceeds 5 % of its maximum."
    if "frame" in files.about:
        caption += f" Frame of the {files.about['frame']}."
    shown.append(Picture(as_png(density_figure(files)), "Density", caption, wide=volume))
    if files.truth is not None:
        shown.append(
            Picture(as_png(density_figure(files, files.truth)), "Truth", "The density that was simulated.", wide=volume)
        )
    return shown


def _unit_of(files: PhasingFiles) -> str:
    """What a pattern's values are."""
    return f"photons per {element_of(files)}" if files.about.get("counted", True) else "intensity (relative)"


def planes(values: Array) -> list[Array]:
    """A picture as it is; of a volume the three central planes, normal to z, y and x."""
    if values.ndim == 2:
        return [values]
    return [values.take(values.shape[axis] // 2, axis) for axis in range(3)]


def pattern_figure(files: PhasingFiles) -> Figure:
    """Photons on a logarithmic scale against frequency."""
    shown, masks = planes(files.intensity), planes(files.mask)
    top = float(files.intensity.max())
    low = max(1.0 if top > 30 else 0.1, top * 1e-6) if files.about.get("counted", True) else top * 1e-6
    with figure(3.9 * len(shown) + 0.9, 3.9) as picture:
        panels = np.atleast_1d(picture.subplots(1, len(shown)))
        for number, (axes, plane, mask) in enumerate(zip(panels, shown, masks, strict=True)):
            extent, label = _frequency_extent(files, number)
            axes.set_facecolor(MASKED)
            filled = np.where(mask, np.maximum(plane, low), np.nan)
            drawn = axes.imshow(filled, norm=LogNorm(low, top), cmap="magma", extent=extent, interpolation="nearest")
            _dress(axes, files.intensity.ndim, number, "q_{} (" + label + ")")
        picture.colorbar(drawn, ax=list(panels), shrink=0.85, pad=0.02).set_label(_unit_of(files))
    return picture


def _frequency_extent(files: PhasingFiles, number: int) -> tuple[tuple[float, float, float, float], str]:
    """Edges of a plane's picture in frequency (left, right, bottom, top) and the unit."""
    rows, columns = _axes_of(files.intensity.ndim, number)
    steps = [1 / (n * p) for n, p in zip(files.intensity.shape, files.pixel, strict=True)]
    factor, unit = (1e-9, "1/nm") if files.known else (1.0, f"1/{element_of(files)}")
    edges = []
    for axis in (columns, rows):
        n, step = files.intensity.shape[axis], steps[axis] * factor
        edges += [(-(n // 2) - 0.5) * step, (n - n // 2 - 0.5) * step]
    return (edges[0], edges[1], edges[3], edges[2]), unit


def _axes_of(ndim: int, number: int) -> tuple[int, int]:
    """Axes shown downwards and to the right in plane ``number``."""
    rows, columns = [axis for axis in range(ndim) if ndim == 2 or axis != number]
    return rows, columns


def density_figure(files: PhasingFiles, density: Array | None = None) -> Figure:
    """Density (or amplitude and phase) around the support, with its outline."""
    density = files.density if density is None else density
    whole = np.iscomplexobj(density)
    amplitude, supports = planes(np.abs(density) if whole else density), planes(files.support)
    phases = (
        planes(np.where(np.abs(density) > 0.05 * np.abs(density).max(), np.angle(density), np.nan)) if whole else []
    )
    rows = 2 if whole else 1
    with figure(3.9 * len(amplitude) + 1.4, 3.9 * rows) as picture:
        panels = picture.subplots(rows, len(amplitude), squeeze=False)
        top = max(float(np.max(np.abs(density))), 1e-30)
        low = min(0.0, float(np.min(density))) if not whole else 0.0
        for number, plane in enumerate(amplitude):
            drawn = _panel(files, panels[0, number], plane / top, supports[number], number, (low / top, 1, "viridis"))
            if whole:
                scale = (-np.pi, np.pi, PHASE_COLOURS)
                turned = _panel(files, panels[1, number], phases[number], supports[number], number, scale)
        label = "amplitude / maximum" if whole else "density / maximum"
        picture.colorbar(drawn, ax=list(panels[0]), shrink=0.85, pad=0.02).set_label(label)
        if whole:
            phase_bar(picture, turned, panels[1], shrink=0.85, pad=0.02)
    return picture


def _panel(
    files: PhasingFiles,
    axes: Axes,
    plane: Array,
    support: Array,
    number: int,
    scale: tuple[float, float, str | Colormap],
) -> Any:
    """One plane of a density, cut to the support, axes in nm or pixels."""
    cut, extent, unit = _window(files, number)
    axes.set_facecolor("#eef1f4")
    drawn = axes.imshow(plane[cut], vmin=scale[0], vmax=scale[1], cmap=scale[2], extent=extent, interpolation="nearest")
    if support[cut].any() and not support[cut].all():
        axes.contour(support[cut], levels=[0.5], colors=["#ff5a36"], linewidths=0.9, extent=extent, origin="upper")
    _dress(axes, files.support.ndim, number, "{} (" + unit + ")")
    return drawn


def _window(files: PhasingFiles, number: int) -> tuple[tuple[slice, slice], tuple[float, float, float, float], str]:
    """Where the support lies in a plane, a little wider and square, as slices and as edges of the picture."""
    factor, unit = (1e9, "nm") if files.known else (1.0, element_of(files))
    pair = _axes_of(files.support.ndim, number)
    reach = [np.abs(_offsets(files.support, axis)).max(initial=4) for axis in pair]
    half = int(np.ceil(max(reach) * _MARGIN)) + 1
    slices, edges = [], []
    for axis in pair:
        n = files.support.shape[axis]
        low, high = max(0, n // 2 - half), min(n, n // 2 + half + 1)
        slices.append(slice(low, high))
        edges.append([(place - n // 2 - 0.5) * files.pixel[axis] * factor for place in (low, high)])
    return (slices[0], slices[1]), (edges[1][0], edges[1][1], edges[0][1], edges[0][0]), unit


def _offsets(support: Array, axis: int) -> NDArray[np.int64]:
    others = tuple(other for other in range(support.ndim) if other != axis)
    found: NDArray[np.int64] = np.flatnonzero(support.any(axis=others)) - support.shape[axis] // 2
    return found


def _dress(axes: Axes, ndim: int, number: int, label: str) -> None:
    """Names of the axes that a plane shows, with few enough ticks not to run into one another."""
    rows, columns = _axes_of(ndim, number)
    names = "zyx"[-ndim:]
    axes.grid(False)
    axes.set_xlabel(label.format(names[columns]))
    axes.set_ylabel(label.format(names[rows]))
    if ndim == 3:
        axes.set_title(_PLANES[number])
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(5))


def errors_figure(files: PhasingFiles) -> Figure:
    """Relative Fourier error of every start against the iteration."""
    step = max(1, len(files.error) // 2000)
    with figure(5.4, 4.0) as picture:
        axes = picture.subplots()
        iteration = np.arange(1, len(files.error) + 1)[::step]
        for kept, colour, name in ((False, OTHER, "failed"), (True, SINGLE, "kept")):
            for number, start in enumerate(np.flatnonzero(files.kept == kept)):
                axes.semilogy(
                    iteration, files.error[::step, start], color=colour, linewidth=0.8, alpha=0.6,
                    label=f"{name} ({int((files.kept == kept).sum())})" if number == 0 else None,
                )  # fmt: skip
        axes.set(xlabel="iteration", ylabel="relative Fourier error")
        axes.legend()
    return picture


def trust_figure(files: PhasingFiles) -> Figure:
    """PRTF by both definitions and, of two halves of the photons, the correlation of shells with its threshold."""
    factor, unit = (1e-9, "1/nm") if files.known else (1.0, f"1/{element_of(files)}")
    frequency = files.frequency * factor
    with figure(5.4, 4.0) as picture:
        axes = picture.subplots()
        axes.plot(frequency, files.prtf, color=METHOD_COLOURS[0], label="PRTF, phases")
        axes.plot(frequency, files.prtf_modulus, color=METHOD_COLOURS[1], linestyle="--", label="PRTF, modulus")
        if len(files.fsc):
            name = "FSC" if files.density.ndim == 3 else "FRC"
            axes.plot(frequency, files.fsc, color=METHOD_COLOURS[2], label=f"{name} of two halves")
            axes.plot(frequency, files.half_bit, color=INK, linewidth=0.9, linestyle=":", label="half bit")
        axes.axhline(1 / np.e, color=INK, linewidth=0.9, linestyle="-.", label="1/e")
        axes.set(xlabel=f"q ({unit})", ylabel="PRTF or correlation", ylim=(-0.05, 1.05))
        axes.legend()
    return picture


def held_out_figure(files: PhasingFiles) -> Figure:
    """Each start's error on the pixels or voxels it was fitted to and on those it never saw."""
    what = f"{element_of(files)}s"
    with figure(5.4, 4.0) as picture:
        axes = picture.subplots()
        for kept, colour, name in ((True, SINGLE, "kept"), (False, OTHER, "failed")):
            chosen = files.kept == kept
            if chosen.any():
                axes.scatter(
                    files.final_error[chosen], files.held_out_error[chosen], s=26, color=colour, alpha=0.75, label=name
                )
        low = 0.8 * min(files.final_error.min(), files.held_out_error.min())
        high = 1.2 * max(files.final_error.max(), files.held_out_error.max())
        axes.plot([low, high], [low, high], color=INK, linewidth=0.8, linestyle=":")
        axes.set(xlabel=f"relative Fourier error, fitted {what}", ylabel=f"relative Fourier error, held-out {what}")
        axes.legend()
    return picture


def _trust(files: PhasingFiles) -> list[Picture]:
    shown = [Picture(as_svg(errors_figure(files)), "Convergence", _CONVERGENCE)]
    if np.isfinite(files.prtf).any() or len(files.fsc):  # one kept start has nothing to agree with
        shown.insert(0, Picture(as_svg(trust_figure(files)), "Reproducibility against frequency", _TRUST))
    if np.isfinite(files.held_out_error).any():
        what = f"{element_of(files)}s"
        caption = f"Held-out {what} float during phasing; dotted: as well as on the fitted ones."
        shown.append(Picture(as_svg(held_out_figure(files)), f"Held-out {what}", caption))
    return shown


_CONVERGENCE = (
    "Each line is one start. For real densities the amplitudes of Friedel mates are averaged first, which lowers their "
    "noise; the errors elsewhere are against the amplitudes as measured."
)
_TRUST = (
    "Phases: mean over a shell of |mean of exp(i phase)| over the kept starts. Modulus: |mean Fourier transform| over "
    "the measured amplitude. Reproducible is not the same as right: starts that share a wrong support agree too."
)


def starts_figure(files: PhasingFiles) -> Figure:
    """The starts from the smallest error up, aligned to the best, each as a share of its maximum."""
    order = np.argsort(files.final_error)[:_SHOWN]
    columns = min(5, len(order))
    rows = -(-len(order) // columns)
    cut, extent, unit = _window(files, 0)
    down, right = ("zyx"[-files.density.ndim :][axis] for axis in _axes_of(files.density.ndim, 0))
    ratio = abs((extent[3] - extent[2]) / (extent[1] - extent[0]))
    with figure(2.35 * columns + 0.9, (2.2 * min(ratio, 2.0) + 0.6) * rows) as picture:
        panels = picture.subplots(rows, columns, squeeze=False)
        for axes in panels.flat:
            axes.axis("off")
        for number, (axes, start) in enumerate(zip(panels.flat, order, strict=False)):
            axes.axis("on")
            amplitude = np.abs(files.starts[start])
            plane = planes(amplitude / max(float(amplitude.max()), 1e-30))[0][cut]
            drawn = axes.imshow(plane, cmap="viridis", vmin=0, vmax=1, extent=extent, interpolation="nearest")
            kept = bool(files.kept[start])
            axes.set_title(
                f"{files.final_error[start]:.3g}, {'kept' if kept else 'failed'}",
                color=SINGLE if kept else OTHER,
                fontsize=9,
            )
            if number % columns == 0:
                axes.set_ylabel(f"{down} ({unit})", fontsize=8)
            if number + columns >= len(order):
                axes.set_xlabel(f"{right} ({unit})", fontsize=8)
            axes.xaxis.set_major_locator(MaxNLocator(3))
            axes.yaxis.set_major_locator(MaxNLocator(4))
            axes.tick_params(labelsize=7)
            axes.grid(False)
        bar = picture.colorbar(drawn, ax=list(panels.flat), shrink=0.85, pad=0.02)
        bar.set_label("|density| / maximum", fontsize=8)
        bar.ax.tick_params(labelsize=7)
    return picture


def _starts_caption(files: PhasingFiles) -> str:
    what = "|density| in the central plane normal to z" if files.density.ndim == 3 else "|density|"
    return (
        f"{what} of the {min(_SHOWN, len(files.kept))} starts of smallest relative Fourier error, written above each; "
        "kept: it agrees with others and is in the mean, failed: it is not."
    )
