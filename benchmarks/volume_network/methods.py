"""The ways to a density that are compared: recipe, recipe in a support of given volume, network, polish."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import OmegaConf
from torch import Tensor

from benchmarks.volume_network.clock import Clock
from spi_lightning.losses import FourierLoss
from spi_lightning.methods.volumes.iterative import GradientVolume, box_of, first_support
from spi_lightning.networks import ComplexEncoderDecoder, Members
from spi_lightning.phasing import phase
from spi_lightning.phasing.polishing.wrapped import Wrapping, polish_rounds, polish_wrapped
from spi_lightning.physics.array import pad
from spi_lightning.progress import Listener
from spi_lightning.results.volume_answer import VolumePart
from spi_lightning.tasks.refining.refiner import Refiner

CONF = Path(__file__).parents[2] / "conf"
STEPS, RATE, CANDIDATES = 120, 3e-3, 1
MARGIN = 1.25  # of the box around the particle's extent
THEN = str(OmegaConf.select(OmegaConf.load(CONF / "task" / "refinement.yaml"), "wrapping.recipe"))
_LOOK = 10  # epochs between rows of the error curve
HYBRID = Wrapping(recipe=THEN)


@dataclass(frozen=True)
class Found:
    """Densities (seeds, Z, Y, X) of one pattern, their free voxels (seeds,), CPU seconds per seed, growth if chosen.

    point_spread: (seeds, 3) widths of the blur by partial coherence, pixels; None: none.
    """

    density: Tensor
    voxels: Tensor
    seconds: float
    growth: float | None = None
    point_spread: Tensor | None = None


def iterative(
    pattern: Tensor, mask: Tensor, seeds: int, seed: int = 0, voxels: float | None = None, clock: Clock | None = None
) -> Found:
    """The recipe of the paper, from conf/phasing; shrink-wrap to a number of voxels if one is given."""
    recipe = str(OmegaConf.select(OmegaConf.load(CONF / "phasing" / "wu_iterative.yaml"), "recipe"))
    if voxels is not None:
        recipe = recipe.replace("(1.0, 0.1,", f"(1.0, 0.1, area={voxels / pattern.numel():.6f},")
    began = time.process_time()
    found = phase(
        pattern[None],
        mask[None],
        recipe,
        "complex",
        support=first_support("half", pattern, 1.0),
        starts=seeds,
        seed=seed,
        progress=None if clock is None else lambda step, _, error: clock.add(step, error.square()),
    )
    seconds = (time.process_time() - began) / seeds
    return Found(found.density * found.support, found.support.flatten(1).sum(1), seconds)


def polished_to(found: Found, pattern: Tensor, mask: Tensor, voxels: Tensor) -> Found:
    """Polished in supports of some numbers of voxels (seeds,)."""
    began = time.process_time()
    patterns, masks = pattern.expand(found.density.shape), mask.expand(found.density.shape)
    density, support, spread = polish_rounds(found.density, patterns, masks, voxels, Wrapping())
    seconds = (time.process_time() - began) / len(density)
    return Found(density, support.flatten(1).sum(1), found.seconds + seconds, None, spread)


def polished(
    found: Found, pattern: Tensor, mask: Tensor, wrapping: Wrapping | None = None, clock: Clock | None = None
) -> Found:
    """Polished in supports whose volume a part of the fitted voxels chooses; float64 if the pattern is."""
    began = time.process_time()
    exact = found.density.to(torch.complex128 if pattern.dtype == torch.float64 else torch.complex64)
    if clock is not None:
        clock.next_stage()
    watch = None if clock is None else clock.add
    wrapped = polish_wrapped(exact, pattern.expand(exact.shape), mask.expand(exact.shape), wrapping, watch)
    seconds = (time.process_time() - began) / len(exact)
    voxels = wrapped.support.flatten(1).sum(1)
    return Found(wrapped.density, voxels, found.seconds + seconds, wrapped.growth, wrapped.point_spread)


def network(
    pattern: Tensor,
    mask: Tensor,
    seeds: int,
    seed: int = 0,
    steps: int = STEPS,
    candidates: int = CANDIDATES,
    box: Sequence[int] | None = None,
    clock: Clock | None = None,
) -> Found:
    """Untrained decoders; of each seed's candidates the one that fits best. The time is that of all candidates."""
    box, count = box or box_of(pattern, MARGIN), seeds * candidates
    decoders = ComplexEncoderDecoder(width=16, levels=3, box=box, heads="bounded", norm="none", source="latent")
    members = Members(decoders, count, seed=1000 * seed)
    optimizer = torch.optim.Adam(members.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, total_steps=steps + 1, pct_start=0.1, cycle_momentum=False
    )
    patterns, masks = (one.expand(count, 1, *one.shape) for one in (pattern.float(), mask))
    refiner = Refiner(members, FourierLoss(log_chi_square=1.0), optimizer, schedule, patterns, masks, steps)
    began = time.process_time()
    for _ in range(0, steps, _LOOK):
        refiner.advance(_LOOK)
        if clock is not None:
            clock.add(refiner.epoch, refiner.best_chi_square.view(seeds, candidates).amin(1))
    assert refiner.best is not None
    best = refiner.best_chi_square.view(seeds, candidates).argmin(1) + torch.arange(seeds) * candidates
    seconds = (time.process_time() - began) / seeds
    density = pad(refiner.best[best], pattern.shape)
    return Found(density, torch.full((seeds,), float(refiner.best[0].numel())), seconds)


def gradient(pattern: Tensor, mask: Tensor, seeds: int, seed: int = 0) -> Found:
    """No network: the method ``gradient`` of spi evaluate data=volumes at its defaults."""
    began = time.process_time()
    runs = GradientVolume(device="cpu").answer(VolumePart(pattern, mask, seeds, seed), Listener())
    seconds = (time.process_time() - began) / seeds
    return Found(pad(runs.density, pattern.shape), torch.from_numpy(runs.free_voxels), seconds)
