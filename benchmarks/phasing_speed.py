"""One iteration of phasing against its pair of Fourier transforms alone, and against a plain scipy loop.

python -m benchmarks.phasing_speed

HIO with positivity at 128 x 128, ten starts in one batch, and at 64 x 64 x 64, real and complex; one thread. Iterations
are timed by the difference of a long and a short run of ``phase``. The pair is the transform and its inverse of the
same batch into given arrays, real where the density is real, nothing else. The scipy loop is the same HIO written
plainly (complex64, scipy.fft, one start). Everything takes turns; printed is the median of the turns and of their
ratios, so that other work on the machine disturbs all alike.
"""

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.fft
import torch
from torch import Tensor

from benchmarks.record import write_result
from spi_lightning.distributed import keep_freed_memory
from spi_lightning.phasing import phase
from spi_lightning.physics.fourier import fourier, fourier_into, inverse_fourier_into

PYPHASE_MS = 0.91  # per iteration at 128 x 128, measured before on such a core (scipy.fft, complex64)


def problem(shape: tuple[int, ...], real: bool) -> tuple[Tensor, Tensor]:
    """Fourier amplitude (1, spatial) and support of a ball of random density, origin at n // 2."""
    grids = torch.meshgrid(*((torch.arange(n) - n // 2) / n for n in shape), indexing="ij")
    support = sum((grid.square() for grid in grids), start=torch.zeros(shape)) < 0.22**2
    generator = torch.Generator().manual_seed(0)
    density = (0.1 + torch.rand(shape, generator=generator)) * support
    if not real:
        density = torch.polar(density, torch.rand(shape, generator=generator))
    return fourier(density, len(shape)).abs()[None], support


def pair(shape: tuple[int, ...], starts: int, real: bool) -> Callable[[], object]:
    """The transform of a batch and its inverse, into arrays that exist."""
    ndim = len(shape)
    density = torch.randn((1, starts, *shape) + (() if real else (2,)))
    half = (*shape[:-1], shape[-1] // 2 + 1) if real else shape
    spectrum = torch.empty((1, starts, *half), dtype=torch.complex64)

    def both() -> None:
        fourier_into(density, ndim, out=spectrum)
        inverse_fourier_into(spectrum, ndim, out=density)

    return both


def scipy_hio(amplitude: np.ndarray, support: np.ndarray, iterations: int, beta: float = 0.9) -> np.ndarray:
    """HIO as anyone would write it, one start, complex64, origin at index 0."""
    phases = np.random.default_rng(0).uniform(-np.pi, np.pi, amplitude.shape)
    x = scipy.fft.ifftn(amplitude * np.exp(1j * phases)).astype(np.complex64)
    for _ in range(iterations):
        spectrum = scipy.fft.fftn(x)
        rho = scipy.fft.ifftn(amplitude * np.exp(1j * np.angle(spectrum)))
        x = np.where(support & (rho.real > 0), rho, x - np.float32(beta) * rho)
    return x


def seconds(call: Callable[[], object], times: int = 1) -> float:
    """Mean processor time of some calls."""
    begin = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - begin) / times


def measure(shape: tuple[int, ...], starts: int, real: bool, long: int, turns: int) -> dict[str, Any]:
    """Milliseconds of an iteration of the whole batch, its ratios, and what shrink-wrap adds."""
    amplitude, support = problem(shape, real)
    short = long // 10
    constraint = "positive" if real else "complex"

    def run(iterations: int, tail: str = "") -> float:
        recipe = f"{iterations}*HIO(0.9){tail}"
        return seconds(lambda: phase(amplitude, None, recipe, constraint, support, starts=starts))

    def per_iteration(tail: str = "") -> float:
        return (run(long, tail) - run(short, tail)) / (long - short)

    transforms = pair(shape, starts, real)
    a, s = (np.fft.ifftshift(each) for each in (amplitude[0].numpy(), support.numpy()))
    calls: dict[str, Callable[[], float]] = {
        "FFT pair": lambda: seconds(transforms, long // 2),
        "HIO": per_iteration,
        "HIO, shrinkwrap every 10": lambda: per_iteration(" + shrinkwrap(1.0, 0.1)/10"),
        "scipy loop, one start": lambda: seconds(lambda: scipy_hio(a, s, max(1, long // 20))) / max(1, long // 20),
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(turns):
        for name, call in calls.items():
            times[name].append(1e3 * call())
    middle = {name: statistics.median(each) for name, each in times.items()}

    def ratio(above: str, below: str) -> float:
        return statistics.median(x / y for x, y in zip(times[above], times[below], strict=True))

    return {
        "starts": starts,
        "milliseconds per iteration of the batch": middle,
        "HIO, ms per iteration and start": middle["HIO"] / starts,
        "HIO / FFT pair": ratio("HIO", "FFT pair"),
        "shrinkwrap overhead": ratio("HIO, shrinkwrap every 10", "HIO") - 1,
        "scipy loop / HIO per start": ratio("scipy loop, one start", "HIO") * starts,
    }


def peak_memory(shape: tuple[int, ...], starts: int, real: bool) -> float | None:
    """MiB that a run adds at its peak to a fresh process that has phased something small; Linux only."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_growth, (shape, starts, real))


def _growth(shape: tuple[int, ...], starts: int, real: bool) -> float | None:
    torch.set_num_threads(1)
    counters = Path("/proc/self/clear_refs")
    if not counters.exists():
        return None
    for each in (tuple(8 for _ in shape), shape):  # the small one loads what every first run loads
        amplitude, support = problem(each, real)
        counters.write_text("5")  # the peak begins anew
        before = _kibibytes("VmRSS")
        phase(amplitude, None, "20*HIO", "positive" if real else "complex", support, starts=starts)
    return (_kibibytes("VmHWM") - before) / 1024


def _kibibytes(name: str) -> int:
    return int(Path("/proc/self/status").read_text().split(f"{name}:")[1].split()[0])


def main() -> None:
    """Print the table and write benchmarks/results/phasing_speed.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # as phase() does, so that the bare pair has it too
    cases = {
        "128 x 128, real": ((128, 128), 10, True, 400),
        "128 x 128, complex": ((128, 128), 10, False, 300),
        "64 x 64 x 64, real": ((64, 64, 64), 1, True, 150),
        "64 x 64 x 64, complex": ((64, 64, 64), 1, False, 100),
        "64 x 64 x 64, complex, 4 starts": ((64, 64, 64), 4, False, 30),
    }
    results: dict[str, Any] = {}
    print(
        "                                  starts  ms/iteration/start  / FFT pair  shrinkwrap  scipy / ours  peak MiB"
    )
    for name, (shape, starts, real, long) in cases.items():
        found = results[name] = measure(shape, starts, real, long, options.turns)
        found["peak memory, MiB"] = peak_memory(shape, starts, real)
        print(
            f"{name:33s} {starts:6d} {found['HIO, ms per iteration and start']:14.4f} {found['HIO / FFT pair']:14.2f}"
            f" {found['shrinkwrap overhead']:11.1%} {found['scipy loop / HIO per start']:12.1f}"
            f" {found['peak memory, MiB'] or float('nan'):9.0f}"
        )
    first = results["128 x 128, real"]
    first["0.91 ms / HIO"] = PYPHASE_MS / first["HIO, ms per iteration and start"]
    print(f"128 x 128: {first['0.91 ms / HIO']:.1f} times faster than 0.91 ms (PyPhase, measured before)")
    write_result("phasing_speed", {"threads": 1, "cases": results})


if __name__ == "__main__":
    main()
