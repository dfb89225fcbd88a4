"""Figures on the reliability of a phasing run: convergence, reproducibility and held-out pixels."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spi_lightning.reports.page import Picture
from spi_lightning.reports.style import INK, METHOD_COLOURS, OTHER, SINGLE, as_svg, figure
from spi_lightning.results.phasing import PhasingResult

_CONVERGENCE: Final = (
    "Each line is the iterates of one start. They differ from the final errors in the table: those are of the density "
    "after the last projection, against the amplitudes as measured. Here, for real densities, the amplitudes of "
    "Friedel mates are averaged, which lowers their noise."
)
_POLISHED: Final = " A dot on the right is a start after the polish, as in the table."
_BLURRED: Final = " The patterns of polished densities are blurred by the fitted point spread."
_TRUST: Final = (
    "PRTF: phase retrieval transfer function. Phases: mean over a shell of |mean of exp(i phase)| over the kept "
    "starts. Modulus: |mean Fourier transform| over the measured amplitude. Reproducible is not the same as right: "
    "starts that share a wrong support agree too."
)


def reproducibility_pictures(result: PhasingResult) -> list[Picture]:
    """Captioned picture of the PRTF and the correlation of two halves; none of one kept start without halves."""
    if not np.isfinite(result.prtf).any() and not len(result.fsc):
        return []
    return [Picture(as_svg(trust_figure(result)), "Reproducibility against frequency", _trust(result))]


def trust_pictures(result: PhasingResult) -> list[Picture]:
    """Captioned pictures of convergence and held-out pixels, and of the reproducibility of a plane."""
    pictures = [Picture(as_svg(errors_figure(result)), "Convergence", _convergence(result))]
    if result.density.ndim == 2:  # that of a volume stands beside its surface
        pictures = reproducibility_pictures(result) + pictures
    if np.isfinite(result.held_out_error).any():
        what = f"{result.element}s"
        caption = f"Held-out {what} are free during phasing. Dotted line: equal errors on held-out and fitted {what}."
        pictures.append(Picture(as_svg(held_out_figure(result)), f"Held-out {what}", caption))
    return pictures


def _convergence(result: PhasingResult) -> str:
    if not _is_polished(result):
        return _CONVERGENCE
    return "Each line is the iterates of one start." + _POLISHED + ("" if result.point_spread is None else _BLURRED)


def _trust(result: PhasingResult) -> str:
    text = _TRUST
    if result.about.chance:
        text += f" Chance: phases of {int(result.kept.sum())} unrelated starts, {result.about.chance:.2f}."
    if result.known and not result.even:
        edges = ", ".join(f"{0.5e-9 / edge:.3g}" for edge in result.pixel)
        text += f" At 0.5 per {result.element}, q is {edges} 1/nm along {', '.join(result.axis_names)}."
    if result.point_spread is None:
        return text
    return text.replace("|mean Fourier transform|", "|mean Fourier transform|, blurred as the pattern is,")


def _is_polished(result: PhasingResult) -> bool:
    return bool(result.about.polish_steps)


def errors_figure(result: PhasingResult) -> Figure:
    """Relative Fourier error of every start against the iteration, on a logarithmic scale."""
    step = max(1, len(result.error) // 2000)
    with figure(5.4, 4.0) as picture:
        axes = picture.subplots()
        iteration = np.arange(1, len(result.error) + 1)[::step]
        for kept, colour, name in ((False, OTHER, "failed"), (True, SINGLE, "kept")):
            for number, start in enumerate(np.flatnonzero(result.kept == kept)):
                axes.semilogy(
                    iteration, result.error[::step, start], color=colour, linewidth=0.8, alpha=0.6,
                    label=f"{name} ({int((result.kept == kept).sum())})" if number == 0 else None,
                )  # fmt: skip
        if _is_polished(result):
            colours = [SINGLE if kept else OTHER for kept in result.kept]
            at = np.full(len(result.kept), 1.04 * len(result.error))
            axes.scatter(at, result.final_error, s=14, c=colours, zorder=3, label="after the polish")
        axes.set(xlabel="iteration", ylabel="relative Fourier error")
        axes.legend()
    return picture


def trust_figure(result: PhasingResult) -> Figure:
    """PRTF by both definitions, and the correlation of two halves of the photons with its threshold, over frequency."""
    factor, unit = (1e-9, "1/nm") if result.even else (1.0, f"1/{result.element}")
    frequency = result.frequency * factor
    with figure(5.4, 4.0) as picture:
        axes = picture.subplots()
        axes.plot(frequency, result.prtf, color=METHOD_COLOURS[0], label="PRTF, phases")
        axes.plot(frequency, result.prtf_corrected, color=METHOD_COLOURS[3], label="PRTF, phases, less chance")
        axes.plot(frequency, result.prtf_modulus, color=METHOD_COLOURS[1], linestyle="--", label="PRTF, modulus")
        if len(result.fsc):
            name = "FSC" if result.density.ndim == 3 else "FRC"
            axes.plot(frequency, result.fsc, color=METHOD_COLOURS[2], label=f"{name} of two halves")
            axes.plot(frequency, result.half_bit, color=INK, linewidth=0.9, linestyle=":", label="half bit")
        if result.about.chance:
            axes.axhline(result.about.chance, color=OTHER, linewidth=0.9, linestyle=":", label="chance")
        axes.axhline(1 / np.e, color=INK, linewidth=0.9, linestyle="-.", label="1/e")
        axes.set(xlabel=f"q ({unit})", ylabel="PRTF or correlation", ylim=(-0.05, _top_of(result.prtf_modulus)))
        axes.legend()
    return picture


def _top_of(values: NDArray[Any]) -> float:
    """Upper limit of an axis for ratios (K,) that can exceed 1: 1.05, or more, up to 1.5."""
    return float(np.clip(1.05 * np.nanmax(values, initial=1.0), 1.05, 1.5))


def held_out_figure(result: PhasingResult) -> Figure:
    """Relative Fourier error of each start on held-out pixels or voxels against that on fitted ones."""
    what = f"{result.element}s"
    with figure(5.4, 4.0) as picture:
        axes = picture.subplots()
        for kept, colour, name in ((True, SINGLE, "kept"), (False, OTHER, "failed")):
            chosen = result.kept == kept
            if chosen.any():
                axes.scatter(
                    result.final_error[chosen],
                    result.held_out_error[chosen],
                    s=26,
                    color=colour,
                    alpha=0.75,
                    label=name,
                )
        low = 0.8 * min(result.final_error.min(), result.held_out_error.min())
        high = 1.2 * max(result.final_error.max(), result.held_out_error.max())
        axes.plot([low, high], [low, high], color=INK, linewidth=0.8, linestyle=":")
        axes.set(xlabel=f"relative Fourier error, fitted {what}", ylabel=f"relative Fourier error, held-out {what}")
        axes.legend()
    return picture
