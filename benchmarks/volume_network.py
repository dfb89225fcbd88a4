"""Network and polish against the iterative recipe of Wu et al. (2021), on the same arrays and held-out voxels.

``python -m benchmarks.volume_network real`` takes the two measured crystals in $SPI_DATA, ``simulated`` noise-free
particles that no network has seen, ``speed`` times the epochs; sizes may follow (32). Everything is judged in float64
after the closed-form scale, fitted and held-out voxels apart.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import torch
from omegaconf import OmegaConf
from torch import Tensor

from benchmarks.record import read_result, write_result
from spi_lightning.losses import FourierLoss
from spi_lightning.metrics import aligned_density_error, fourier_errors, held_out_chi_square
from spi_lightning.networks import ComplexEncoderDecoder, Members
from spi_lightning.phasing import hold_out, phase
from spi_lightning.phasing.polish import polish
from spi_lightning.physics.bragg_preparation import prepare
from spi_lightning.physics.oversampling import estimate_oversampling
from spi_lightning.simulate.phase_field import PhaseRecipe
from spi_lightning.simulate.volumes import VolumeSimulator, embed, pattern_of
from spi_lightning.tasks.refiner import AXES, Refiner

CONF = Path(__file__).parents[1] / "conf"
STEPS, RATE, POLISH = 300, 3e-3, 200
SEEDS, MASKS = 5, 3


def iterative_recipe() -> Any:
    """The recipe of the paper, from conf/phasing."""
    return OmegaConf.load(CONF / "phasing" / "wu_iterative.yaml")["recipe"]


def box_of(pattern: Tensor, margin: float = 1.25) -> tuple[int, ...]:
    """Box of the particle, as the task of the refinement takes it."""
    extent = estimate_oversampling(pattern.square()).extent
    return tuple(min(n, int(-(-side * margin // 1))) for side, n in zip(extent, pattern.shape, strict=True))


def refine(
    pattern: Tensor,
    mask: Tensor,
    box: Sequence[int],
    seeds: int,
    steps: int = STEPS,
    polish_steps: int = POLISH,
    float64: bool = False,
) -> tuple[dict[str, Tensor], float, float]:
    """Densities (members, z, y, x) of ``seeds`` starts on each pattern, before and after the polish; seconds."""
    network = ComplexEncoderDecoder(width=16, levels=3, box=box, heads="bounded", norm="none", source="latent")
    patterns, masks = pattern.repeat_interleave(seeds, 0)[:, None].float(), mask.repeat_interleave(seeds, 0)[:, None]
    members = Members(network, len(patterns))
    optimizer = torch.optim.Adam(members.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, total_steps=steps + 1, pct_start=0.1, cycle_momentum=False
    )
    refiner = Refiner(members, FourierLoss(log_chi_square=1.0), optimizer, schedule, patterns, masks, steps)
    began = time.process_time()
    refiner.advance(steps)
    middle = time.process_time()
    assert refiner.best is not None
    start, exact = refiner.best, pattern.repeat_interleave(seeds, 0)
    if float64:
        start, exact = start.to(torch.complex128), exact.double()
    polished = polish(start, exact, masks[:, 0], polish_steps).density
    found = {"network": refiner.best, "network_polished": polished}
    return found, middle - began, time.process_time() - middle


def judged(density: Tensor, pattern: Tensor, fitted: Tensor, held_out: Tensor) -> dict[str, list[float]]:
    """Chi square and r_p over fitted and held-out voxels, one number per density."""
    spectrum = torch.fft.fftn(density.to(torch.complex128), s=pattern.shape[-3:], dim=AXES, norm="ortho").abs()
    predicted = torch.fft.fftshift(spectrum, dim=AXES)
    measured, fitted, held_out = (values.expand(predicted.shape) for values in (pattern, fitted, held_out))
    numbers = {name: value.tolist() for name, value in fourier_errors(predicted, measured, fitted).items()}
    numbers["held_out_chi_square"] = held_out_chi_square(predicted, measured, fitted, held_out).tolist()
    numbers["held_out_correlation"] = fourier_errors(predicted, measured, held_out)["correlation"].tolist()
    return numbers


def crystals(size: int) -> dict[str, tuple[Tensor, Tensor]]:
    """Fourier amplitudes and masks of the measured crystals; S0054 corrected, threshold 2, binned by 2."""
    folder = Path(os.environ.get("SPI_DATA", "../shared/data")) / "bragg"
    with h5py.File(folder / "aps34idc_S0054_128.h5") as file:
        parts = {name: torch.from_numpy(file[name][()].astype("f8")) for name in ("counts", "whitefield", "bad_pixels")}
    scan = prepare(**parts, size=size, bins=2, threshold=2.0)
    with h5py.File(folder / "anl_au_crystal_64.h5") as file:
        gold = prepare(torch.from_numpy(file["counts"][()].astype("f4")), size=size, threshold=0.0)
    for name, one in (("S0054", scan), ("gold", gold)):
        print(name, one.notes, estimate_oversampling(one.photons))
    return {name: (one.fourier_amplitude, one.mask) for name, one in (("S0054", scan), ("gold", gold))}


def real(size: int = 32, seeds: int = SEEDS, masks: int = MASKS) -> dict[str, Any]:
    """All methods on the crystals; the numbers of every seed and mask."""
    results: dict[str, Any] = {}
    for name, (pattern, mask) in crystals(size).items():
        box = box_of(pattern)
        runs: dict[str, list[dict[str, Any]]] = {}
        for draw in range(masks):
            fitted, held_out = hold_out(mask, 0.05, draw, ndim=3, pairs=False)
            began = time.process_time()
            half = torch.zeros_like(fitted)
            half[tuple(slice(n // 4, n // 4 + n // 2) for n in fitted.shape)] = True
            phased = phase(
                pattern[None], fitted[None], iterative_recipe(), "complex", support=half, starts=seeds, seed=draw
            )
            seconds = (time.process_time() - began) / seeds
            voxels = phased.support.flatten(1).sum(1).tolist()
            density = phased.density * phased.support
            record = judged(density, pattern[None], fitted[None], held_out[None])
            runs.setdefault("iterative", []).append(record | {"seconds": seconds, "voxels": voxels})
            found, learning, polishing = refine(pattern[None], fitted[None], box, seeds)
            for method, density in found.items():
                record = judged(density, pattern[None], fitted[None], held_out[None])
                spent = (learning + polishing * (method != "network")) / seeds
                runs.setdefault(method, []).append(record | {"seconds": spent, "voxels": [density[0].numel()] * seeds})
            on_support = polish(
                phased.density,
                pattern.expand(seeds, *pattern.shape),
                fitted.expand(phased.support.shape),
                POLISH,
                support=phased.support,
            ).density
            record = judged(on_support, pattern[None], fitted[None], held_out[None])
            runs.setdefault("iterative_polished", []).append(record | {"seconds": seconds, "voxels": voxels})
            results[name] = {"box": list(box), "methods": {method: summary(rows) for method, rows in runs.items()}}
            table(f"{name} {size}^3, box {box}, {seeds} seeds x {draw + 1} masks", results[name]["methods"])
            store(f"real_{size}", results)
    return results


def simulated(size: int = 32, particles: int = 4, seeds: int = 3, span: float = 1.0) -> dict[str, Any]:
    """Noise-free particles: how often chi square gets below 2e-6 and 1e-6, and how good the density is then."""
    phase_recipe = PhaseRecipe(phase_range=(span, span))
    simulator = VolumeSimulator(phase=phase_recipe, size=size, object_size=size // 2, block_size=particles)
    amplitude, angle = simulator.particles(0, seed=2026)
    pattern = pattern_of(amplitude.double(), angle.double(), size)
    truth = embed(torch.polar(amplitude.double(), angle.double()), size)
    mask = torch.ones_like(pattern, dtype=torch.bool)
    box = tuple(max(parts) for parts in zip(*(box_of(one.float()) for one in pattern), strict=True))
    found, learning, polishing = refine(pattern, mask, box, seeds, polish_steps=1500, float64=True)
    results: dict[str, Any] = {"box": list(box), "particles": particles, "seeds": seeds, "span": span}
    count = particles * seeds
    for method, density in found.items():
        numbers = judged(density, pattern.repeat_interleave(seeds, 0), mask[:1], ~mask[:1])
        whole = torch.zeros(count, size, size, size, dtype=torch.complex128)
        whole[:, : box[0], : box[1], : box[2]] = density
        errors = aligned_density_error(whole, truth.repeat_interleave(seeds, 0)).tolist()
        results[method] = outcome(numbers["chi_square"], errors, (learning + polishing) / count)
    began = time.process_time()
    half = torch.zeros_like(mask[0])
    half[tuple(slice(n // 4, n // 4 + n // 2) for n in half.shape)] = True
    phased = phase(pattern, mask, iterative_recipe(), "complex", support=half, starts=seeds)
    spent = (time.process_time() - began) / count
    density = phased.density * phased.support
    numbers = judged(density, pattern.repeat_interleave(seeds, 0), mask[:1], ~mask[:1])
    errors = aligned_density_error(density.to(torch.complex128), truth.repeat_interleave(seeds, 0)).tolist()
    results["iterative"] = outcome(numbers["chi_square"], errors, spent)
    return results


def speed(size: int = 32, members: Sequence[int] = (1, 2, 4, 8), steps: int = 10) -> dict[str, Any]:
    """CPU milliseconds per epoch and member: of the whole refinement, the network's passes, and one FFT pair."""
    rows: dict[str, Any] = {}
    box = tuple(side // 2 for side in (size, size, size))
    pattern = torch.rand(1, size, size, size) + 0.1
    for count in members:
        _, learning, polishing = refine(pattern, pattern > 0, box, count, steps, polish_steps=steps)
        network = Members(ComplexEncoderDecoder(16, 3, box, "bounded", norm="none", source="latent"), count)
        density = torch.randn(count, *box, dtype=torch.complex64, requires_grad=True)

        def passes(network: Members = network, count: int = count) -> None:
            amplitude, angle = network(pattern[:, None].expand(count, 1, *pattern.shape[1:]))
            (amplitude.sum() + angle.sum()).backward()

        def transforms(density: Tensor = density) -> None:
            torch.fft.fftn(density, s=(size,) * 3, dim=AXES).real.sum().backward()

        row = {"epoch": learning, "polish_step": polishing, "network": spent(passes, steps)}
        row["fft_pair"] = spent(transforms, steps)
        rows[str(count)] = {name: 1e3 * value / steps / count for name, value in row.items()}
        print(count, {name: round(value, 1) for name, value in rows[str(count)].items()}, flush=True)
    return {"ms_per_member": rows, "size": size, "box": list(box), "threads": torch.get_num_threads()}


def spent(work: Callable[[], None], times: int) -> float:
    """CPU seconds of some calls, after one to warm up."""
    work()
    began = time.process_time()
    for _ in range(times):
        work()
    return time.process_time() - began


def outcome(chi_square: list[float], density_error: list[float], seconds: float) -> dict[str, Any]:
    """Shares of successes and medians."""
    return {
        "success_2e-6": statistics.mean(value <= 2e-6 for value in chi_square),
        "success_1e-5": statistics.mean(value <= 1e-5 for value in chi_square),
        "success_1e-3": statistics.mean(value <= 1e-3 for value in chi_square),
        "median_chi_square": statistics.median(chi_square),
        "median_density_error": statistics.median(density_error),
        "chi_square": chi_square,
        "density_error": density_error,
        "seconds_per_run": seconds,
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Median, least and largest over seeds and masks."""
    together: dict[str, Any] = {}
    for name in rows[0]:
        values = [value for row in rows for value in (row[name] if isinstance(row[name], list) else [row[name]])]
        together[name] = {"median": statistics.median(values), "range": [min(values), max(values)]}
    return together


def table(title: str, methods: dict[str, Any]) -> None:
    """Medians, and the range of chi square."""
    print(f"\n{title}")
    print(f"{'method':20s} {'fitted chi2':>24s} {'held-out chi2':>24s} {'r_p':>8s} {'voxels':>7s} {'CPU s':>6s}")
    for method, numbers in methods.items():
        cells = []
        for name in ("chi_square", "held_out_chi_square"):
            low, high = numbers[name]["range"]
            cells.append(f"{numbers[name]['median']:.5f} ({low:.4f}-{high:.4f})")
        rest = [numbers[name]["median"] for name in ("correlation", "voxels", "seconds")]
        print(f"{method:20s} {cells[0]:>24s} {cells[1]:>24s} {rest[0]:8.4f} {rest[1]:7.0f} {rest[2]:6.1f}", flush=True)


def store(name: str, numbers: dict[str, Any]) -> None:
    """Keep the other parts of the result file."""
    write_result("volume_network", {**read_result("volume_network"), name: numbers})


def main() -> None:
    """Run the parts named on the command line."""
    torch.set_num_threads(1)
    sizes = [int(word) for word in sys.argv[2:]] or [32]
    for size in sizes:
        if "real" in sys.argv[1]:
            real(size)
        if "speed" in sys.argv[1]:
            store(f"speed_{size}", speed(size))
        if "simulated" in sys.argv[1]:
            store(f"simulated_{size}", results := simulated(size))
            for method in ("network", "network_polished", "iterative"):
                print(method, {name: value for name, value in results[method].items() if not isinstance(value, list)})


if __name__ == "__main__":
    main()
