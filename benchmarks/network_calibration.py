"""Does the PRTF of an ensemble of seeds tell the truth? What Bellisario & Ekeberg (2024), Sect. 6, leave open.

python -m benchmarks.network_calibration --network RUN [--patterns 100] [--size 64] [--starts 10] [--updates 400]

A network's density begins every run of a pattern alike, and the PRTF is 1 whatever is right. Here the seeds of an
ensemble differ by Gaussian noise in their Fourier phases, of 0, 0.7, 1.4 and 2 rad; random phases and the answers of
the network's checkpoints (--network RUN RUN ...) stand beside. All are phased from the circle of the paper's Fig. 7
with shrink-wrap, without noise and at 100 photons per speckle, on structures that the network has not seen.

PRTF(q): |mean over runs of exp(i phi)|, the runs aligned to the first. Truth(q): mean over runs of cos(phi - true phi),
each run aligned to the truth. Both are means over a shell. Were phases true ones plus independent errors, they would
agree, but for the 1/runs that chance adds to the square of the PRTF; that is taken off (unbiased). Overconfident:
PRTF - truth, mean over shells and patterns. Correlation: over all shells of all patterns. Resolution: 1/e of each.
"""

import argparse
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.bellisario_figures.prtf import agreement_with
from benchmarks.network_start import PICTURES
from benchmarks.network_start_data import Patterns, draw_patterns
from benchmarks.network_start_seeds import circles, network_density
from benchmarks.record import write_result
from benchmarks.trusted import add_trust
from spi_lightning.metrics.prtf import prtf
from spi_lightning.metrics.shells import crossing, shells
from spi_lightning.phasing import alignment, phase, with_phase_noise
from spi_lightning.reports.style import METHOD_COLOURS, figure

SPREADS = (0.0, 0.7, 1.4, 2.0)  # rad
KINDS = ("real, noise-free", "100 photons per speckle")
RECIPE = "{cycles}*(5*HIO(0.9) + 5*ER) + shrinkwrap(1.0, 0.15)/10"


@dataclass(frozen=True)
class Curves:
    """prtf, truth: (P, S) over the shells of every pattern; frequency: (S,) cycles per pixel; correlation: (P,)."""

    prtf: Tensor
    truth: Tensor
    frequency: Tensor
    correlation: Tensor


def main() -> None:
    """Print a table for each kind of data; write the numbers and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", nargs="+", required=True, help="runs or checkpoints of density networks")
    parser.add_argument("--patterns", type=int, default=100)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--updates", type=int, default=400)
    add_trust(parser)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", UserWarning)
    recipe = RECIPE.format(cycles=options.updates // 10)
    result: dict[str, Any] = {name: getattr(options, name) for name in ("patterns", "size", "starts")}
    result |= {"recipe": recipe, "kinds": {}}
    found: dict[str, dict[str, Curves]] = {}
    for kind in KINDS:
        patterns = draw_patterns(kind, options.patterns, options.size)
        result["structures"] = len(set(patterns.structure.tolist()))
        found[kind] = {name: curves_of(patterns, seeds, recipe) for name, seeds in ensembles(patterns, options).items()}
        result["kinds"][kind] = {name: summary(each) for name, each in found[kind].items()}
        show(kind, result["kinds"][kind])
    print(write_result("network_calibration", result))
    draw(found, PICTURES / "network_calibration.png")


def ensembles(patterns: Patterns, options: argparse.Namespace) -> dict[str, Tensor | int]:
    """Seeds (P, starts, H, W) by name; a number: that many starts from random phases."""
    answers = torch.stack([network_density(run, patterns) for run in options.network], 1)
    made: dict[str, Tensor | int] = {}
    for spread in SPREADS:
        made[f"network, {spread:g} rad"] = with_phase_noise(answers[:, 0], 2, spread, options.starts, 0)
    if len(options.network) > 1:
        made["checkpoints"] = answers
    return {**made, "random phases": options.starts}


def curves_of(patterns: Patterns, seeds: Tensor | int, recipe: str) -> Curves:
    """Phase every pattern from every seed, and compare the runs with each other and with the truth."""
    starts = seeds if isinstance(seeds, int) else seeds.shape[1]
    density = phase(
        patterns.fourier_amplitude,
        patterns.mask,
        recipe,
        support=circles(patterns.fourier_amplitude.square(), patterns.mask),
        starts=starts,
        start=None if isinstance(seeds, int) else seeds.flatten(0, 1),
        least_oversampling=1.0,
    ).density
    count, size = len(patterns.mask), density.shape[1:]
    truth, rings = patterns.density.repeat_interleave(starts, 0), shells(size)
    pairs = list(zip(density.view(count, starts, *size), patterns.density, strict=True))
    agreement = torch.stack([agreement_with(runs, true, subpixel=True) for runs, true in pairs])
    return Curves(
        torch.stack([prtf(runs, patterns.mask[0], subpixel=True).corrected for runs, _ in pairs]),
        rings.mean(agreement, patterns.mask[0]),
        rings.frequency,
        alignment(density, truth, subpixel=True).overlap.view(count, starts).mean(1),
    )


def summary(curves: Curves) -> dict[str, Any]:
    """How far the PRTF is from the truth, over shells beyond q = 0."""
    prtf, truth = curves.prtf[:, 1:].double(), curves.truth[:, 1:].double()
    off = prtf - truth
    ends = [crossing(curves.frequency, each, 1 / torch.e).nan_to_num(0.5) for each in (curves.prtf, curves.truth)]
    varied = bool(prtf.std() > 1e-6)
    return {
        "overconfidence": float(off.mean()),
        "root_mean_square": float(off.square().mean().sqrt()),
        "shell_correlation": float(torch.corrcoef(torch.stack([prtf.flatten(), truth.flatten()]))[0, 1])
        if varied
        else None,
        "resolution_prtf": float(ends[0].median()),
        "resolution_truth": float(ends[1].median()),
        "density_correlation": float(curves.correlation.median()),
    }


def show(kind: str, table: dict[str, Any]) -> None:
    """Print one table; resolutions in cycles per pixel, 0.5 at the edge of the pattern."""
    print(
        f"\n{kind}\n{'seeds':18s} {'overconf.':>9s} {'rms':>6s} {'corr.':>6s} {'1/e PRTF':>9s} {'1/e truth':>9s}",
        end="",
    )
    print(f" {'density corr.':>14s}")
    for name, row in table.items():
        shell = "-" if row["shell_correlation"] is None else f"{row['shell_correlation']:.3f}"
        print(
            f"{name:18s} {row['overconfidence']:+9.3f} {row['root_mean_square']:6.3f} {shell:>6s} "
            f"{row['resolution_prtf']:9.3f} {row['resolution_truth']:9.3f} {row['density_correlation']:14.3f}",
            flush=True,
        )


def draw(found: dict[str, dict[str, Curves]], path: Path) -> None:
    """Mean PRTF against frequency, dashed the truth; and PRTF against truth for every shell, in bins."""
    with figure(4.2 * len(found), 6.6) as picture:
        axes = picture.subplots(2, len(found), squeeze=False, sharey="row")
        for (shell, scatter), (kind, table) in zip(axes.T, found.items(), strict=True):
            for colour, (name, curves) in zip(METHOD_COLOURS, table.items(), strict=False):
                shell.plot(curves.frequency, curves.prtf.mean(0), color=colour, label=name, linewidth=1.3)
                shell.plot(curves.frequency, curves.truth.mean(0), "--", color=colour, linewidth=1.0)
                scatter.plot(*reliability(curves), ".-", color=colour, linewidth=1.2)
            scatter.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
            shell.set(title=kind, xlabel="frequency (cycles per pixel)", ylim=(-0.05, 1.03))
            scatter.set(xlabel="PRTF of a shell", xlim=(0, 1.02))
        axes[0, 0].set_ylabel("PRTF; dashed: truth")
        axes[1, 0].set_ylabel("agreement with the true phases")
        axes[0, 0].legend(fontsize=8)
        picture.savefig(path, dpi=80)
    print(path)


def reliability(curves: Curves, bins: int = 10, least: int = 20) -> tuple[list[float], list[float]]:
    """Mean PRTF and mean truth of the shells in equal bins of PRTF, where there are enough of them."""
    prtf, truth = curves.prtf[:, 1:].flatten(), curves.truth[:, 1:].flatten()
    position = (prtf * bins).long().clamp(0, bins - 1)
    filled = [position == number for number in range(bins) if int((position == number).sum()) >= least]
    return [float(prtf[part].mean()) for part in filled], [float(truth[part].mean()) for part in filled]


if __name__ == "__main__":
    main()
