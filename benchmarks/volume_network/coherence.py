"""Crystals of known density whose patterns partial coherence has blurred: is the blur found, and the density better?"""

import torch
from torch import Tensor

from benchmarks.volume_network.judging import Row, judged, store
from benchmarks.volume_network.matched import many, within
from benchmarks.volume_network.methods import THEN, Found, iterative, network
from spi_lightning.metrics.volumes.volume_fit import volume_truth
from spi_lightning.phasing.polishing.wrapped import Wrapping, phased_further
from spi_lightning.physics.partial_coherence import blurred_intensity, point_spread_envelope
from spi_lightning.simulate.particles.crystals import CrystalRecipe
from spi_lightning.simulate.particles.phase_field import PhaseRecipe
from spi_lightning.simulate.volumes import VolumeSimulator, embed, pattern_of

WIDTHS = ((0.0, 0.0, 0.0), (0.3, 0.6, 0.45))
PEAK = 1e6


def coherence(size: int = 32, count: int = 6, seeds: int = 3) -> Row:
    """Medians over crystals; of each the seed that fits best, all in the recipe's own voxels."""
    simulator = VolumeSimulator(
        CrystalRecipe(size=(0.5, 0.9)), PhaseRecipe((0.25, 0.5), (0.5, 2.0)), size=size, object_size=size // 2
    )
    amplitude, phase = (part[:count] for part in simulator.particles(0, seed=99))
    results: Row = {}
    for widths in WIDTHS:
        rows: dict[str, list[Row]] = {}
        for number in range(count):
            truth = torch.polar(embed(amplitude[number], size), embed(phase[number], size))
            pattern = counted(pattern_of(amplitude[number], phase[number], size) ** 2, widths, number)
            for name, found in answers(pattern, seeds).items():
                rows.setdefault(name, []).append(against(found, pattern, truth))
        kind = "blur " + ", ".join(f"{width:g}" for width in widths)
        results[kind] = {name: medians(each) for name, each in rows.items()}
        for name, row in results[kind].items():
            print(kind, f"{name:28s}", {key: round(value, 5) for key, value in row.items()}, flush=True)
        store(f"coherence_{size}", results)
    return results


def counted(intensity: Tensor, widths: tuple[float, ...], seed: int) -> Tensor:
    """Square roots of Poisson counts of a blurred intensity (Z, Y, X)."""
    envelope = point_spread_envelope(torch.tensor([widths]), intensity.shape)
    blurred = blurred_intensity(intensity[None], envelope)[0].clamp_min(0)
    return torch.poisson(PEAK * blurred / blurred.max(), generator=torch.Generator().manual_seed(seed)).sqrt()


def answers(pattern: Tensor, seeds: int) -> dict[str, Found]:
    """Recipe; recipe and network, each polished with and without a blur."""
    mask = torch.ones_like(pattern, dtype=torch.bool)
    recipe, start = iterative(pattern, mask, seeds), network(pattern, mask, seeds)
    start = Found(phased_further(start.density, *many(pattern, mask, seeds), THEN), start.voxels, start.seconds)
    found = {"iterative": recipe}
    for name, one in (("iterative", recipe), ("network", start)):
        for kind, spread in (("polished", 0.5), ("polished_coherent", None)):
            wrapping = Wrapping(point_spread=spread)
            found[f"{name}_{kind}"] = within(one, pattern, mask, recipe.voxels.float(), wrapping)
    return found


def against(found: Found, pattern: Tensor, truth: Tensor) -> Row:
    """Chi square, errors of the density and the widths found, of the seed that fits best."""
    mask = torch.ones_like(pattern, dtype=torch.bool)
    chi_square = torch.tensor(judged(found, pattern, mask, ~mask)["chi_square"])
    best = int(chi_square.argmin())
    errors = volume_truth(found.density[best][None], truth)
    row = {"chi_square": float(chi_square[best])} | {name: float(value[0]) for name, value in errors.items()}
    if found.point_spread is not None:
        row |= {f"width_{axis}": float(found.point_spread[best, i]) for i, axis in enumerate("zyx")}
    return row


def medians(rows: list[Row]) -> Row:
    """Of every number."""
    return {name: float(torch.tensor([row[name] for row in rows]).median()) for name in rows[0]}
