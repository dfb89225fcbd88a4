"""A measured planar pattern phased from five supports: do independent starts agree, and how far?

python -m benchmarks.planar_pattern [--network RUN] [--bins 2 1] [--starts 20 3] [--supports NAME ...]

Data: coecxs_planar.h5 (../shared/data/README.md), 1024 x 1024 counts, two crossed streaks; nothing is known of the
object but what the pattern says. The beam is found by symmetry. Binned by 2 to 512 x 512, and whole. Supports: the
region where the autocorrelation exceeds 0.004 of its maximum; the triple intersection of its copies; a network's; 400
updates each, and all of them with 1,200 updates and shrink-wrap (sigma 3 to 1.5 pixels, threshold 0.12, every 20: the
recipe of conf/phasing/planar.yaml; with thresholds of 0.06 to 0.1 the support stays too loose, with 0.15 it collapses
more often). The network (64 x 64 pixels) sees the middle 64 x 64 pixels of the pattern, the same field of view, and its
support is interpolated onto the finer pixels; it was trained on macromolecules, so that this lies outside its domain.

error: relative Fourier error of the best start among those that agree, and median of all; a looser support always fits
better. agree: starts of mean overlap above 0.9, see phasing.average. overlap: median over pairs of starts. PRTF:
frequency where that of all starts, failed ones too, falls below 1/e, cycles per pixel (0.5: nowhere; not said of fewer
than 7 starts). FRC: where two halves of the photons, phased apart from 12 starts and averaged, fall below half a bit.

Pictures of the object are not written: numbers only.
"""

import argparse
import warnings
from dataclasses import dataclass
from os import environ
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from torch import Tensor

from benchmarks.record import read_result, write_result
from benchmarks.trusted import add_trust
from spi_lightning.data import measure_frame
from spi_lightning.data.measurement import Measurement
from spi_lightning.metrics.fsc import fsc
from spi_lightning.metrics.prtf import prtf
from spi_lightning.phasing import Averaged, align, average, phase
from spi_lightning.physics.agreement import fourier_error
from spi_lightning.physics.photons import photon_halves
from spi_lightning.reconstruction import ReconstructionSettings
from spi_lightning.reconstruction.support import starting_support

THRESHOLD = 0.004  # of the largest autocorrelation
HALF_STARTS = 12
FEWEST = 7  # starts from which random phases have a PRTF below 1/e: sqrt(pi / (4 starts))
CYCLE = "(40*HIO(0.9) + 10*ER)"
SHRINKWRAP = " + shrinkwrap(3.0, 0.12, decay=0.97, last_sigma=1.5)/20"


@dataclass(frozen=True)
class Case:
    """A pattern, how it is phased, and from how many starts."""

    measured: Measurement
    recipe: str
    constraint: str
    starts: int
    support: Tensor

    def average(self, intensity: Tensor, starts: int) -> tuple[Averaged, Tensor, Tensor]:
        """Phase some counts of this pattern: what the starts agree on, their errors (B,), their supports."""
        amplitude, mask = intensity.sqrt()[None], self.measured.mask[None]
        found = phase(
            amplitude,
            mask,
            self.recipe,
            self.constraint,
            support=self.support,
            starts=starts,
            least_oversampling=1.0,
        )
        error = fourier_error(found.density, amplitude, mask)
        return average(found.density, error, subpixel="shrinkwrap" in self.recipe), error, found.support


def main() -> None:
    """Print a row for every support and size; write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", help="run or checkpoint of a support network")
    parser.add_argument("--bins", type=int, nargs="+", default=[2, 1])
    parser.add_argument("--starts", type=int, nargs="+", default=[20, 3], help="one number for each bin")
    parser.add_argument("--supports", nargs="+", help="of those below; all")
    parser.add_argument("--constraint", default="complex", choices=("complex", "positive", "real"))
    add_trust(parser)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", UserWarning)
    path = Path(environ.get("SPI_DATA", "../shared/data")) / "cdi2d" / "coecxs_planar.h5"
    result: dict[str, Any] = {"constraint": options.constraint, "rows": []}
    for bin, starts in zip(options.bins, options.starts, strict=True):
        measured = measure_frame(str(path), bin=bin)
        print(f"\n{measured.mask.shape[0]} pixels, {starts} starts, {options.constraint}", *measured.notes, sep="\n  ")
        print(f"{'support':32s} {'first':>7s} {'last px':>8s} {'error':>6s} {'median':>7s} {'agree':>6s}", end=" ")
        print(f"{'overlap':>8s} {'PRTF':>6s} {'FRC':>6s}")
        for name, region, shrinks in supports(measured, options.network):
            if options.supports and name not in options.supports:
                continue
            recipe = f"24*{CYCLE} + 50*ER{SHRINKWRAP}" if shrinks else f"8*{CYCLE} + 50*ER"
            row = judge(Case(measured, recipe, options.constraint, starts, region))
            result["rows"].append({"bin": bin, "starts": starts, "support": name, **row})
            show(name, row)
    name = f"planar_pattern_{options.constraint}"
    made = {(row["bin"], row["support"]) for row in result["rows"]}
    result["rows"] += [row for row in read_result(name).get("rows", []) if (row["bin"], row["support"]) not in made]
    print(write_result(name, result))


def supports(measured: Measurement, network: str | None) -> list[tuple[str, Tensor, bool]]:
    """Name, first support and whether it shrinks."""
    names = ["autocorrelation", "triple_intersection", *([network] if network else [])]
    made = []
    for name in names:
        settings = ReconstructionSettings(support=name, support_threshold=THRESHOLD, least_oversampling=1.0)
        region, _ = starting_support(measured, settings, instantiate)
        displayed = "network" if name == network else name
        made += [(displayed, region, False), (f"{displayed} + shrink-wrap", region, True)]
    return made


def judge(case: Case) -> dict[str, Any]:
    """Phase the pattern and its two halves; numbers only."""
    counts = case.measured.fourier_amplitude.square()
    averaged, error, last = case.average(counts, case.starts)
    curves = prtf(averaged.aligned, case.measured.mask, aligned=True)
    pairs = averaged.correlation[*torch.triu_indices(case.starts, case.starts, 1)]
    kept = torch.where(averaged.kept, error, torch.inf)
    pixels = int(last[int(kept.argmin())].sum())
    return {
        "first_pixels": int(case.support.sum()),
        "last_pixels": pixels,
        "error_best": float(kept.min()),
        "error_median": float(error.median()),
        "agree": int(averaged.kept.sum()),
        "overlap": float(pairs.median()),
        "prtf_crossing": float(curves.resolution) if case.starts >= FEWEST else float("nan"),
        "frc_crossing": frc_of_halves(case, counts, pixels),
    }


def frc_of_halves(case: Case, counts: Tensor, pixels: int) -> float:
    """Half-bit crossing of two binomial halves of the photons, cycles per pixel."""
    halves = photon_halves(counts.sqrt(), seed=0)
    one, other = (case.average(half.square(), min(case.starts, HALF_STARTS))[0].density for half in halves)
    other = align(other[None], one, subpixel=True)[0]
    return float(fsc(one, other, 2, oversampling=(counts.numel() / max(pixels, 1)) ** 0.5).half_bit_crossing)


def show(name: str, row: dict[str, Any]) -> None:
    """Print one row."""
    print(f"{name:32s} {row['first_pixels']:7d} {row['last_pixels']:8d} {row['error_best']:6.3f}", end=" ")
    print(f"{row['error_median']:7.3f} {row['agree']:6d} {row['overlap']:8.3f}", end=" ")
    print(f"{row['prtf_crossing']:6.3f} {row['frc_crossing']:6.3f}", flush=True)


if __name__ == "__main__":
    main()
