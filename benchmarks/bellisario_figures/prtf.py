"""PRTF from four starting supports (Bellisario & Ekeberg 2024, Fig. 5), noise-free and with 1,000 photons per speckle.

The autocorrelation's support, a circle of the particle's maximum elongation, the network's support (grown by nothing),
and the circle with shrink-wrap of sigma 1 and threshold 0.10. 10,000 iterations of HIO with 5 of ER at every 5th on a
copy, of which only the support comes back: where the support is fixed this is HIO alone and ER at the very end. HIO's
beta is not given in the paper: 0.9. Resolutions are where the mean PRTF of the structures crosses 1/e; "truth" is the
same of the mean cosine of the phase difference to the truth, which no experiment can see.
"""

import argparse
import time
import warnings
from math import e
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.bellisario_figures.networks import network
from benchmarks.bellisario_figures.patterns import answer, draw_patterns
from benchmarks.network_start_seeds import CUT, circles
from benchmarks.record import write_result
from spi_lightning.fields import DENSITY, FRAME, INTENSITY, MASK, STRUCTURE, Batch
from spi_lightning.metrics.prtf import prtf
from spi_lightning.metrics.shells import crossing, shells
from spi_lightning.phasing import align, alignment, phase
from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.support import autocorrelation_support, ideal_support
from spi_lightning.reports.style import METHOD_COLOURS, UNKNOWN, figure

ITERATIONS, STARTS, SUCCESS = 10_000, 10, 0.95
FIXED = f"{ITERATIONS}*HIO(0.9) + refine(5*ER)"
WRAPPED = f"{ITERATIONS // 5}*(5*HIO(0.9) + refine(5*ER)) + shrinkwrap(1.0, 0.1)/10"
CONDITIONS: dict[str, dict[str, Any]] = {"noise-free": {}, "1,000 photons": {"photons_per_speckle": (1e3, 1e3)}}
Curves = dict[str, tuple[Tensor, Tensor]]


def different(count: int, **measurement: Any) -> Batch:
    """Patterns of as many different test structures, each at one orientation; those of medium size."""
    drawn = draw_patterns(64, **measurement)
    kept: dict[int, int] = {}
    for row, structure in enumerate(drawn[STRUCTURE].tolist()):
        kept.setdefault(structure, row)
    area = ideal_support(drawn[DENSITY][:, 0]).sum((1, 2))
    order = sorted(kept.values(), key=lambda row: int(area[row]))
    first = max(0, len(order) // 2 - count // 2)
    rows = torch.tensor(order[first : first + count])
    return {name: values[rows] for name, values in drawn.items()} | {FRAME: torch.arange(len(rows))}


def supports(options: argparse.Namespace, patterns: Batch) -> dict[str, tuple[Tensor, str]]:
    """Starting support and recipe of each case."""
    intensity, mask = patterns[INTENSITY][:, 0], patterns[MASK][:, 0]
    disc = circles(intensity, mask)
    return {
        "autocorrelation": (autocorrelation_support(intensity, mask, CUT)[0], FIXED),
        "circle": (disc, FIXED),
        "network": (torch.from_numpy(answer(network(options), patterns).support), FIXED),
        "circle, shrink-wrap": (disc, WRAPPED),
    }


def main(options: argparse.Namespace) -> None:
    """Phase each structure from ten random starts with each support; tables, numbers and curves."""
    warnings.simplefilter("ignore", UserWarning)  # a support that is too small makes the error stay high: seen below
    result: dict[str, Any] = {"structures": options.structures, "starts": STARTS, "recipes": [FIXED, WRAPPED]}
    panels: dict[str, Curves] = {}
    for name, condition in CONDITIONS.items():
        patterns = different(options.structures, **condition)
        head = ("pixels", "1/e", "truth", "success", "corr.", "error", "s")
        print(f"{name:22s}" + "".join(f"{word:>9s}" for word in head))
        rows, panels[name] = {}, {}
        for support, (inside, recipe) in supports(options, patterns).items():
            rows[support], panels[name][support] = measure(patterns, inside, recipe)
            cells = zip(rows[support].values(), ("9.0f", "9.3f", "9.3f", "9.2f", "9.3f", "9.1e", "9.0f"), strict=True)
            print(f"{support:22s}" + "".join(format(value, form) for value, form in cells), flush=True)
            result[name] = {"rows": rows}
            written = write_result("bellisario_prtf", result)
        print(written)
    draw(panels, Path(options.pictures) / "bellisario_prtf.png")


def measure(patterns: Batch, support: Tensor, recipe: str) -> tuple[dict[str, float], tuple[Tensor, Tensor]]:
    """Numbers of one support, and its mean PRTF and agreement with the truth over shells."""
    mask, truth = patterns[MASK][:, 0], patterns[DENSITY][:, 0]
    amplitude = patterns[INTENSITY][:, 0].clamp_min(0).sqrt()
    begun = time.process_time()
    found = phase(amplitude, mask, recipe, "positive", support, STARTS, seed=1, least_oversampling=1.0)
    seconds = time.process_time() - begun
    runs = found.density.view(len(amplitude), STARTS, *amplitude.shape[1:])
    rings = shells(amplitude.shape[1:])
    each = zip(runs, mask, truth, strict=True)
    curve = torch.stack([prtf(run, displayed).curve for run, displayed, _ in each]).mean(0)
    honest = rings.mean(
        torch.stack([agreement_with(run, true) for run, true in zip(runs, truth, strict=True)]).mean(0)
    ).float()
    both = zip(runs, truth, strict=True)
    overlap = torch.cat([alignment(run, true.expand_as(run)).overlap for run, true in both])
    numbers = {
        "pixels": float(support.sum((1, 2)).float().mean()),
        "resolution": float(crossing(rings.frequency, curve, 1 / e).nan_to_num(0.5)),
        "resolution_with_truth": float(crossing(rings.frequency, honest, 1 / e).nan_to_num(0.5)),
        "success": float((overlap > SUCCESS).float().mean()),
        "correlation": float(overlap.median()),
        "error": float(found.error[-1].median()),
        "seconds": seconds,
    }
    return numbers, (curve, honest)


def agreement_with(runs: Tensor, truth: Tensor, subpixel: bool = False) -> Tensor:
    """Cosine of the phase difference to the truth, mean over runs aligned to it; (B, H, W) and (H, W) -> (H, W)."""
    spectra = fourier(align(runs, truth, subpixel), 2).sgn()
    return (spectra * fourier(truth, 2).sgn().conj()).real.mean(0)


def draw(panels: dict[str, Curves], path: Path) -> None:
    """PRTF of each support, dashed the agreement with the truth; one panel for each condition."""
    with figure(8.6, 3.7) as picture:
        for axes, (name, curves) in zip(picture.subplots(1, len(panels), sharey=True), panels.items(), strict=True):
            for colour, (support, each) in zip(METHOD_COLOURS, curves.items(), strict=False):
                frequency = torch.linspace(0, 0.5, len(each[0]))
                axes.plot(frequency, each[0], color=colour, label=support)
                axes.plot(frequency, each[1], "--", color=colour, linewidth=1.1)
            axes.axhline(1 / e, color=UNKNOWN, linestyle=":", linewidth=1)
            axes.annotate("1/e", (0, 1 / e), (4, 3), textcoords="offset points", fontsize=8)
            axes.plot([], [], "--", color="black", label="agreement with the truth")
            axes.set(title=name, xlabel="spatial frequency (cycles per pixel of 4.66 Å)", xlim=(0, 0.5), ylim=(0, 1.03))
        picture.axes[0].set_ylabel("PRTF")
        picture.legend(*picture.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=5, fontsize=8)
        picture.savefig(path, dpi=80)
    print(path)
