"""Does a network's answer shorten phasing? Bellisario & Ekeberg (2024), Fig. 7, paired pattern by pattern.

python -m benchmarks.network_start --network RUN [--structures 30] [--size 64] [--cycles 1 4 16 64] [--shrinkwrap]

The same structures, none trained on, are phased from random phases, from the network's density (as it is; with phase
noise of 0.7 rad; the best fit of eight samples; the best of eight that form inside the first support, as spi phase
takes it; and this where its relative Fourier error is at most 0.25 beyond the noise, above which spi phase warns,
random phases elsewhere), and from two controls made of the truth: blurred by 2 pixels, and added to its twin. Data:
noise-free, complex (phases up to 1 and up to 3 rad), noisy, with a missing centre. The support is known (where the
density exceeds 1e-3 of its maximum), so that both levels can be reached. With --shrinkwrap it begins as the circle of
the paper's Fig. 7 and is drawn anew with its sigma 1 and threshold 0.15, which cuts the faint rim of the densities off:
errors then end near 0.04, and only the correlation tells how soon a start arrives.

Errors are relative Fourier errors after each update; on a known support less that at which ER ends that begins with the
truth, 2e-4, or 0.15 of noisy patterns. Success: aligned correlation with the truth above 0.95, looked at after
so many cycles of the recipe. Every update counts, those of ER on a copy too. Better, equal, worse: medians over
the starts of a pattern, against random starts of the same pattern.

Noise and positivity contradict each other, and then HIO alone has no point of rest: its iterate grows by the gap at
each update, and after some 200 the density turns over its sign and the error is 1. So with noise ER acts on the iterate
itself, which brings it back.
"""

import argparse
import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.network_start_data import KINDS, Patterns, draw_patterns
from benchmarks.network_start_quality import beyond_noise, quality, show_quality
from benchmarks.network_start_seeds import blurred_truth, circles, network_density
from benchmarks.network_start_table import LEVELS, Outcome, draw, either, read_outcome, show, summary, write_outcome
from benchmarks.record import read_result, write_result
from benchmarks.trusted import add_trust
from spi_lightning.metrics.supports.support_overlap import free_asymmetry
from spi_lightning.phasing import Phased, alignment, phase, with_phase_noise
from spi_lightning.physics.agreement import fourier_error
from spi_lightning.physics.support import ideal_support
from spi_lightning.physics.twin import twin
from spi_lightning.reconstruction.network import UNKNOWN

BLUR, NOISE = 2.0, 0.7  # pixels, rad
SAMPLES = 8  # answers of the network, of which the one that fits the amplitudes best is taken
INSIDE = f"best of {SAMPLES}, inside"
INCONSISTENT = 1e-3  # relative Fourier error of the truth above which data count as noisy
PICTURES = Path(__file__).parents[1] / "docs" / "images"


@dataclass(frozen=True)
class Problem:
    """What all starts have in common: patterns, supports (P, H, W), recipe."""

    patterns: Patterns
    support: Tensor
    shrinkwrap: bool

    def recipe(self, cycles: int) -> str:
        """HIO, now and then ER: on a copy as in the paper's code, or on the iterate where noise makes HIO drift."""
        noisy = float(self.patterns.noise.median()) > INCONSISTENT
        polish = "5*ER" if noisy else "refine(5*ER)"
        steps = 5 if self.shrinkwrap else 20
        return f"{cycles}*({steps}*HIO(0.9) + {polish})" + (" + shrinkwrap(1.0, 0.15)/10" if self.shrinkwrap else "")

    def phased(self, recipe: str, start: Tensor | None, starts: int) -> Phased:
        """All patterns at once, from densities or from random phases."""
        return phase(
            self.patterns.fourier_amplitude,
            self.patterns.mask,
            recipe,
            "complex" if self.patterns.density.is_complex() else "positive",
            support=self.support,
            starts=starts,
            start=start,
            least_oversampling=1.0,
        )

    @property
    def floor(self) -> Tensor:
        """Error (P,) at which ER ends that begins with the truth; on a support that stays."""
        return self.phased("100*ER", self.patterns.density, 1).error[-1]


def main() -> None:
    """Print one table for every kind of data; write the numbers and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", help="run or checkpoint of a density network")
    parser.add_argument("--structures", type=int, default=30)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--cycles", type=int, nargs="+", default=[1, 4, 16, 64], help="after which answers are judged")
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--shrinkwrap", action="store_true")
    parser.add_argument("--cache", type=Path, help="folder that keeps outcomes which no network takes part in")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    add_trust(parser)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", UserWarning)  # plateaus are what is counted here
    case = {name: getattr(options, name) for name in ("network", "structures", "size", "starts")}
    case["network"] = Path(options.network).name if options.network else None
    result: dict[str, Any] = {**case, "kinds": {}, "starts": {}}
    tables: dict[str, dict[str, Outcome]] = {}
    for kind in options.kinds:
        patterns = draw_patterns(kind, options.structures, options.size)
        support = (
            circles(patterns.fourier_amplitude.square(), patterns.mask)
            if options.shrinkwrap
            else ideal_support(patterns.density, 1e-3)
        )
        problem = Problem(patterns, support, options.shrinkwrap)
        starts = beginnings(patterns, support, options)
        tables[kind] = {name: outcome(problem, kind, name, start, options) for name, start in starts.items()}
        if options.network:
            known = excess(patterns, starts[INSIDE]) <= UNKNOWN
            tables[kind]["inside, where it fits"] = either(known, tables[kind][INSIDE], tables[kind]["random"])
        result["kinds"][kind] = {name: summary(each, tables[kind]["random"]) for name, each in tables[kind].items()}
        worth = {name: quality(start, patterns) for name, start in starts.items() if start is not None}
        worth["truth"] = quality(patterns.density, patterns)
        result["starts"][kind] = worth
        print(f"\n{kind}: {problem.recipe(options.cycles[-1])}")
        show(result["kinds"][kind])
        show_quality(worth)
    name = "shrink-wrap" if options.shrinkwrap else "known support"
    print(write_result("network_start", {**read_result("network_start"), name: result}))
    draw(tables, PICTURES / ("network_start_shrinkwrap.png" if options.shrinkwrap else "network_start.png"))


def beginnings(patterns: Patterns, support: Tensor, options: argparse.Namespace) -> dict[str, Tensor | None]:
    """Starting densities (P or P x starts, H, W) by name; None: random phases."""
    truth = patterns.density
    made: dict[str, Tensor | None] = {"random": None}
    if options.network:
        answer = network_density(options.network, patterns)
        noisy = with_phase_noise(answer, 2, NOISE, options.starts, 0).flatten(0, 1)
        made |= {"network": answer, f"network, {NOISE} rad": noisy}
        made[f"network, best of {SAMPLES}"] = network_density(options.network, patterns, SAMPLES)
        made[INSIDE] = network_density(options.network, patterns, SAMPLES, support)
    made["truth, blurred"] = blurred_truth(truth, BLUR)
    made["truth + twin"] = (truth + twin(truth, 2)) / 2
    return made


def excess(patterns: Patterns, density: Tensor | None) -> NDArray[np.float32]:
    """Relative Fourier error (P,) of densities (P, H, W) beyond that of the noise."""
    assert density is not None
    error = fourier_error(density, patterns.fourier_amplitude, patterns.mask)
    beyond: NDArray[np.float32] = beyond_noise(error, patterns.noise).numpy()
    return beyond


def outcome(problem: Problem, kind: str, name: str, start: Tensor | None, options: argparse.Namespace) -> Outcome:
    """What came of one kind of start, from the cache if it is there."""
    if options.cache is None or name.startswith("network"):
        return run(problem, start, options)
    case = [
        kind,
        name,
        problem.recipe(options.cycles[-1]),
        options.cycles,
        options.structures,
        options.size,
        options.starts,
    ]
    path = options.cache / (hashlib.sha256(repr(case).encode()).hexdigest()[:16] + ".npz")
    if not path.is_file():
        write_outcome(run(problem, start, options), path)
    return read_outcome(path)


def run(problem: Problem, start: Tensor | None, options: argparse.Namespace) -> Outcome:
    """Phase all patterns from one kind of start; equal starts would give equal runs, so there is one of them.

    Runs of fewer cycles are the beginning of longer ones, so that their answers show when the truth was found.
    """
    count = len(problem.patterns.mask)
    starts = options.starts if start is None else len(start) // count
    truth = problem.patterns.density.repeat_interleave(starts, 0)
    updates, correlation = [], []
    for cycles in options.cycles:
        found = problem.phased(problem.recipe(cycles), start, starts)
        updates.append(len(found.error))
        correlation.append(alignment(found.density, truth, True).overlap.view(count, starts).numpy())
    floor = torch.zeros(count) if problem.shrinkwrap else problem.floor
    errors, cycle = found.error.view(-1, count, starts), updates[-1] // options.cycles[-1]
    iterations = {level: first_below(errors, level + floor[:, None]).numpy() for level in LEVELS}
    return Outcome(
        iterations,
        np.array(updates),
        np.stack(correlation),
        errors[cycle - 1 :: cycle].flatten(1).median(1).values.numpy(),
        np.nan if start is None else float(free_asymmetry(start.abs()).mean()),
    )


def first_below(errors: Tensor, level: Tensor) -> Tensor:
    """Iterations until (T, ...) errors first reach a level; inf where they never do."""
    reached = errors <= level
    return torch.where(reached.any(0), reached.float().argmax(0) + 1.0, torch.inf)


if __name__ == "__main__":
    main()
