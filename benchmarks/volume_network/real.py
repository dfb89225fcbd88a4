"""The two measured crystals: all methods on the same voxels, and how far they agree with each other."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import torch
from torch import Tensor

from benchmarks.record import read_progress, write_progress
from benchmarks.volume_network.judging import Row, judged, store, summary, table
from benchmarks.volume_network.methods import HYBRID, MARGIN, Found, Wrapping, iterative, network, polished, polished_to
from spi_lightning.methods.volumes.iterative import box_of
from spi_lightning.metrics.fsc import fsc
from spi_lightning.metrics.prtf import prtf
from spi_lightning.phasing import alignment, average, hold_out
from spi_lightning.physics.bragg.preparation import prepare
from spi_lightning.physics.photons import photon_halves

SEEDS, MASKS = 5, 5


def crystals(size: int) -> dict[str, tuple[Tensor, Tensor]]:
    """Fourier amplitudes and masks of the measured crystals; S0054 corrected, threshold 2, binned by 2."""
    folder = Path(os.environ.get("SPI_DATA", "../shared/data")) / "bragg"
    with h5py.File(folder / "aps34idc_S0054_128.h5") as file:
        counts, whitefield, bad_pixels = (
            torch.from_numpy(file[name][()].astype("f8")) for name in ("counts", "whitefield", "bad_pixels")
        )
    scan = prepare(counts, whitefield=whitefield, bad_pixels=bad_pixels, size=size, bins=2, threshold=2.0)
    with h5py.File(folder / "anl_au_crystal_64.h5") as file:
        gold = prepare(torch.from_numpy(file["counts"][()].astype("f4")), size=size, threshold=0.0)
    return {name: (one.fourier_amplitude, one.mask) for name, one in (("gold", gold), ("S0054", scan))}


def answers(pattern: Tensor, mask: Tensor, seeds: int, seed: int, growth: float | None) -> dict[str, Found]:
    """What every method finds: the recipe as it is and in supports as large as the polish's; network and polish.

    ``coherent``: the polish in as many voxels without a blur of the pattern.
    """
    recipe, start = iterative(pattern, mask, seeds, seed), network(pattern, mask, seeds, seed)
    best = polished(start, pattern, mask, HYBRID if growth is None else replace(HYBRID, growth=(growth,)))
    loose = float(best.voxels.float().median())
    return {
        "iterative": recipe,
        "iterative_loose": iterative(pattern, mask, seeds, seed, voxels=loose),
        "iterative_polished": polished_to(recipe, pattern, mask, torch.full((seeds,), loose)),
        "network": start,
        "network_polished": best,
        "network_polished_coherent": polished(start, pattern, mask, coherent(best)),
    }


def coherent(best: Found) -> Wrapping:
    """The same polish without partial coherence."""
    assert best.growth is not None
    return replace(HYBRID, growth=(best.growth,), point_spread=None)


def real(size: int = 32, seeds: int = SEEDS, masks: int = MASKS) -> Row:
    """All methods on the crystals; medians over seeds and masks. Goes on where it was stopped.

    The growth of the support is chosen on the first draw, by a part of the fitted voxels, and kept for the others.
    """
    part = f"real_{size}_{seeds}_seeds"
    results: dict[str, Any] = read_progress(part)
    for name, (pattern, mask) in crystals(size).items():
        begun = {"box": list(box_of(pattern, MARGIN)), "seeds": seeds, "masks": 0, "runs": {}, "growth": None}
        kept = results.get(name, begun)
        for draw in range(kept["masks"], masks):
            fitted, held_out = hold_out(mask, 0.05, draw, ndim=3, pairs=False)
            found = answers(pattern, fitted, seeds, draw, kept["growth"])
            for method, one in found.items():
                kept["runs"].setdefault(method, []).append(judged(one, pattern, fitted, held_out))
            kept["masks"], kept["growth"] = draw + 1, found["network_polished"].growth
            kept["methods"] = {method: summary(rows) for method, rows in kept["runs"].items()}
            if draw == 0:
                kept["agreement"] = agreement(found, pattern, fitted)
                print(name, kept["growth"], kept["agreement"])
            table(f"{name} {size}^3, {seeds} seeds x {draw + 1} masks", kept["methods"])
            results[name] = kept
            write_progress(part, results)
            store(part, results)
    return results


def agreement(found: dict[str, Found], pattern: Tensor, fitted: Tensor) -> Row:
    """PRTF of each method over its seeds; aligned correlation with network and polish, best runs and means of runs."""
    best: dict[str, Tensor] = {}
    mean: dict[str, Tensor] = {}
    row: Row = {"prtf_1_e_frequency": {}, "prtf_mean": {}}
    row |= {"correlation_with_network_polished": {}, "mean_correlation_with_network_polished": {}}
    for method, one in found.items():
        chi = torch.tensor(judged(one, pattern, fitted, ~fitted & False)["chi_square"])
        best[method] = one.density[chi.argmin()]
        mean[method] = average(one.density, chi, 0.1, subpixel=True).density
        transfer = prtf(one.density, fitted, subpixel=True)
        row["prtf_1_e_frequency"][method] = transfer.resolution
        row["prtf_mean"][method] = float(transfer.value[fitted].mean())
    for name, densities in (("", best), ("mean_", mean)):
        for method, density in densities.items():
            same = alignment(density[None], densities["network_polished"][None], subpixel=True)
            row[f"{name}correlation_with_network_polished"][method] = round(float(same.overlap), 4)
    return row


def halves(size: int = 32, seeds: int = 2) -> Row:
    """FSC between the reconstructions of two binomially thinned halves of the photons, the best of some seeds each."""
    results: Row = {}
    for name, (pattern, mask) in crystals(size).items():
        pair: dict[str, list[Tensor]] = {}
        for half in photon_halves(pattern.double(), seed=7):
            one = half.float()
            start = network(one, mask, seeds)
            found = {"iterative": iterative(one, mask, seeds), "network_polished": polished(start, one, mask, HYBRID)}
            for method, answer in found.items():
                chi = torch.tensor(judged(answer, one, mask, mask & False)["chi_square"])
                pair.setdefault(method, []).append(answer.density[chi.argmin()])
        results[name] = {}
        for method, (first, second) in pair.items():
            same = alignment(second[None], first[None], subpixel=True)
            curve = fsc(first, same.density[0], 3, oversampling=3.0)
            results[name][method] = {
                "overlap": float(same.overlap),
                "half_bit_crossing": float(curve.half_bit_crossing),
            }
            print("halves", name, method, {key: value for key, value in results[name][method].items()}, flush=True)
        store(f"halves_{size}", results)
    return results
