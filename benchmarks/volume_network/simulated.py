"""Noise-free particles that no network has seen: how often the error of the paper gets below 2e-6, and how fast."""

import statistics
from dataclasses import replace

import torch
from torch import Tensor

from benchmarks.volume_network.clock import Clock, ways
from benchmarks.volume_network.judging import Row, judged, store
from benchmarks.volume_network.methods import HYBRID, MARGIN, Found, iterative, network, polished
from spi_lightning.methods.volumes.iterative import box_of
from spi_lightning.metrics import aligned_density_error
from spi_lightning.simulate.volumes import VolumeSimulator, embed, pattern_of

PARTICLES, SEEDS = 20, 5
RECIPE = 2000  # iterations of the paper's recipe
END = replace(HYBRID, recipe=None)  # the recipe has done what HYBRID's own would do
_BRIGHT = 1e5  # so that the estimate of the extent takes the patterns for noise-free, as they are


def particles_of(size: int, particles: int = PARTICLES, seed: int = 2026) -> tuple[Tensor, Tensor]:
    """Fourier amplitudes and densities, float64, of superellipsoids with a phase of 1 rad (the paper's)."""
    simulator = VolumeSimulator(size=size, object_size=size // 2, block_size=particles)
    amplitude, phase = (part.double() for part in simulator.particles(0, seed))
    return _BRIGHT * pattern_of(amplitude, phase, size), embed(torch.polar(amplitude, phase), size)


def simulated(size: int = 32, particles: int = PARTICLES, seeds: int = SEEDS, seed: int = 2026) -> Row:
    """Network and polish against the recipe, as printed and with the same polish, seed by seed."""
    patterns, truths = particles_of(size, particles, seed)
    runs: dict[str, list[Row]] = {}
    clocks: dict[str, list[Clock]] = {}
    for number, (pattern, truth) in enumerate(zip(patterns, truths, strict=True)):
        mask = torch.ones_like(pattern, dtype=torch.bool)
        for way in ("network", "iterative"):
            clock = Clock(seeds)
            start = (network if way == "network" else iterative)(pattern, mask, seeds, number, clock=clock)
            end = polished(start, pattern, mask, HYBRID if way == "network" else END, clock)
            clocks.setdefault(f"{way}_polished", []).append(clock)
            for method, one in ((way, start), (f"{way}_polished", end)):
                runs.setdefault(method, []).append(outcome(one, pattern, mask, truth))
        rows = {method: pooled(of_each) for method, of_each in runs.items()}
        for method, of_method in clocks.items():
            rows[method]["way"] = ways(of_method)
        rows["iterative"]["way"] = ways([clock.until(RECIPE) for clock in clocks["iterative_polished"]])
        name = "simulated" if seed == 2026 else "unseen"
        store(f"{name}_{size}", {"seeds": seeds, "particles": number + 1, "methods": rows})
        print(number, [f"{value:.1e}" for value in runs["network_polished"][-1]["chi_square"]], end=" ")
        print([f"{value:.1e}" for value in runs["iterative"][-1]["chi_square"]], box_of(pattern, MARGIN), flush=True)
    for method, row in rows.items():
        print(method, row, flush=True)
    return rows


def unseen(size: int = 32) -> Row:
    """The same on twenty particles that no option was chosen on."""
    return simulated(size, seed=4711)


def outcome(found: Found, pattern: Tensor, mask: Tensor, truth: Tensor) -> Row:
    """Errors of one pattern's seeds."""
    row = judged(found, pattern, mask, ~mask)
    density = found.density.to(torch.complex128)
    row["density_error"] = aligned_density_error(density, truth.expand(density.shape)).tolist()
    return row


def pooled(rows: list[Row]) -> Row:
    """Shares of successes, of single seeds and of the best of a particle's seeds; medians; runs at the true density."""
    together: Row = {}
    for limit in (2e-6, 1e-5, 1e-3):
        flags = [[value <= limit for value in row["chi_square"]] for row in rows]
        together[f"success_{limit:.0e}"] = statistics.mean(flag for flag_row in flags for flag in flag_row)
        together[f"particles_with_a_success_{limit:.0e}"] = statistics.mean(any(flag_row) for flag_row in flags)
    for name in ("chi_square", "density_error", "voxels"):
        values = [value for row in rows for value in row[name]]
        together |= {f"median_{name}": statistics.median(values), f"largest_{name}": max(values)}
    pairs = [list(zip(row["chi_square"], row["density_error"], strict=True)) for row in rows]
    good = [error for row in pairs for chi, error in row if chi <= 2e-6]
    together["median_density_error_of_successes"] = statistics.median(good) if good else None
    true = [[chi < 1e-8 and error < 0.01 for chi, error in row] for row in pairs]
    together["true_runs"] = sum(map(sum, true))
    together["true_particles"], together["particles_true_by_all_seeds"] = sum(map(any, true)), sum(map(all, true))
    together["seconds_per_seed"] = statistics.median(row["seconds"] for row in rows)
    return together
