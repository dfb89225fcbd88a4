"""Network and polish in no more voxels than the recipe's own shrink-wrap leaves: errors at matched support volume."""

import time
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from benchmarks.record import read_progress, write_progress
from benchmarks.volume_network.judging import Row, judged, store, summary, table
from benchmarks.volume_network.methods import THEN, Found, iterative, network
from benchmarks.volume_network.real import MASKS, crystals
from spi_lightning.phasing import hold_out
from spi_lightning.phasing.polishing.wrapped import Wrapping, phased_further, polish_rounds


def matched(size: int = 32, seeds: int = 20, masks: int = MASKS) -> Row:
    """All in the recipe's voxels, with and without a blur; medians. Goes on where it was stopped."""
    part = f"matched_{size}_{seeds}_seeds"
    results: dict[str, Any] = read_progress(part)
    for name, (pattern, mask) in crystals(size).items():
        kept = results.get(name, {"seeds": seeds, "masks": 0, "runs": {}})
        for draw in range(kept["masks"], masks):
            fitted, held_out = hold_out(mask, 0.05, draw, ndim=3, pairs=False)
            for method, one in answers(pattern, fitted, seeds, draw).items():
                kept["runs"].setdefault(method, []).append(judged(one, pattern, fitted, held_out))
            kept["masks"] = draw + 1
            kept["methods"] = {method: summary(rows) for method, rows in kept["runs"].items()}
            table(f"{name} {size}^3, {seeds} seeds x {draw + 1} masks, matched volume", kept["methods"])
            results[name] = kept
            write_progress(part, results)
            store(part, results)
    return results


def answers(pattern: Tensor, mask: Tensor, seeds: int, seed: int) -> dict[str, Found]:
    """The recipe, and polishes of it and of the network's answer in as many voxels as each of its runs ended with."""
    recipe = iterative(pattern, mask, seeds, seed)
    start = network(pattern, mask, seeds, seed)
    began = time.process_time()
    whole = phased_further(start.density, *many(pattern, mask, seeds), THEN)
    start = Found(whole, start.voxels, start.seconds + (time.process_time() - began) / seeds)
    found = {"iterative": recipe}
    for name, one in (("iterative", recipe), ("network", start)):
        for kind, spread in (("polished", 0.5), ("polished_coherent", None)):
            wrapping = replace(Wrapping(), point_spread=spread)
            found[f"{name}_{kind}"] = within(one, pattern, mask, recipe.voxels.float(), wrapping)
    return found


def within(found: Found, pattern: Tensor, mask: Tensor, voxels: Tensor, wrapping: Wrapping) -> Found:
    """Polished in supports of some numbers of voxels (seeds,)."""
    began = time.process_time()
    density, support, spread = polish_rounds(found.density, *many(pattern, mask, len(voxels)), voxels, wrapping)
    seconds = found.seconds + (time.process_time() - began) / len(density)
    return Found(density, support.flatten(1).sum(1), seconds, None, spread)


def many(pattern: Tensor, mask: Tensor, seeds: int) -> tuple[Tensor, Tensor]:
    """The same pattern and mask for every seed."""
    return torch.broadcast_to(pattern, (seeds, *pattern.shape)), torch.broadcast_to(mask, (seeds, *mask.shape))
