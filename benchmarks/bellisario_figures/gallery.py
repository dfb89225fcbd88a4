"""Pictures of patterns: Figs 1, 3 and 6 of Bellisario & Ekeberg (2024), written to the folder of runs.

fig1: one structure in six orientations and what the network makes of it (--density: a run that answers densities).
fig3: how the triple intersection works. fig6: patterns of test structures, and first one longer than any structure
trained on, seen along a direction in which it fits the frame twice; autocorrelation, network and triple intersection.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import pad

from benchmarks.bellisario_figures.networks import network, network_of, triple
from benchmarks.bellisario_figures.patterns import answer, draw_patterns, score, show, simulator_of, truth_of
from spi_lightning.baselines.triple_intersection import extremal_points
from spi_lightning.fields import DENSITY, FRAME, INTENSITY, MASK, STRUCTURE, Batch
from spi_lightning.methods import AutocorrelationSupport, SupportMethod
from spi_lightning.metrics.supports.support_overlap import aligned
from spi_lightning.physics.atoms import Atoms, batch_atoms
from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.rotations.orientations import random_quaternions, rotation_matrices
from spi_lightning.physics.support import autocorrelation_support, ideal_support
from spi_lightning.reports.style import figure
from spi_lightning.reports.supports.gallery import supports_gallery
from spi_lightning.results.supports import DisplayedPatterns, MethodResult, SupportResult
from spi_lightning.simulate.macromolecules.macromolecule import make_canonical

TRIED = 2000  # orientations of the large structure


def main(options: argparse.Namespace) -> None:
    """Write the three galleries and the numbers of the patterns shown."""
    folder = Path(options.runs) / "gallery"
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {"fig1": orientations(options), "fig3": intersection(), "fig6": examples(options)}
    for name, picture in pictures.items():
        picture.savefig(folder / f"{name}.png", dpi=90)
        print(folder / f"{name}.png")


def patterns_of(atoms: Atoms, number: int, rotation: Tensor) -> Batch:
    """Ideal patterns of one structure, (B, 1, H, W), at B orientations (B, 3, 3), whatever its size."""
    projection = simulator_of("test").projection
    density = projection(batch_atoms([atoms] * len(rotation), "cpu").turned(rotation))
    density, _ = make_canonical(density, torch.zeros(len(density), 4))
    density = density / density.amax((1, 2), keepdim=True)
    drawn = {DENSITY: density, INTENSITY: fourier(density, 2).abs().square()}
    drawn[MASK] = torch.ones_like(density, dtype=torch.bool)
    count = torch.arange(len(density))
    images = {name: values[:, None] for name, values in drawn.items()}
    return {**images, STRUCTURE: torch.full_like(count, number), FRAME: count}


def largest_that_fits() -> tuple[Batch, str]:
    """The largest structure refused for its size, seen along the direction in which it is narrowest."""
    simulator = simulator_of("train")
    collection = simulator.structures
    longest = simulator.projection.longest
    rotation = rotation_matrices(random_quaternions(TRIED, torch.Generator().manual_seed(0)))
    best: tuple[int, Batch, str] | None = None
    for number in range(len(collection)):
        atoms = collection[number]
        if atoms.extent <= longest or atoms.extent > 1.3 * longest:
            continue
        across = (rotation[:, 1:] @ atoms.position.T).abs().amax(-1).amax(-1)  # (TRIED,) half width, m
        where_to = int(across.argmin())
        if 2 * across[where_to] <= longest and (best is None or len(atoms.position) > best[0]):
            drawn = patterns_of(atoms, collection.numbers[number], rotation[where_to : where_to + 1])
            best = len(atoms.position), drawn, f"{atoms.name}, {len(atoms.position):,} atoms"
    assert best is not None
    return best[1], best[2]


def orientations(options: argparse.Namespace) -> Figure:
    """Fig. 1: true projections above, the network's answers below."""
    simulator = simulator_of("test")
    sizes = [len(simulator.structures[i].position) for i in range(len(simulator.structures))]
    index = int(np.argmax(sizes))
    rotation = rotation_matrices(random_quaternions(6, torch.Generator().manual_seed(1)))
    patterns = patterns_of(simulator.structures[index], simulator.structures.numbers[index], rotation)
    teller: SupportMethod = network(options)
    if options.density is not None:
        teller = network_of("network", options.density.resolve())
    answers = torch.from_numpy(np.asarray(answer(teller, patterns).density, dtype=np.float32))
    truth = patterns[DENSITY][:, 0]
    images = torch.stack([truth, aligned(answers, truth)])
    low, high = _box(truth)
    with figure(9.0, 3.4) as picture:
        axes = picture.subplots(2, 6)
        for row, name in enumerate(("projected density", "network")):
            for column in range(6):
                axes[row, column].imshow(images[row, column, low:high, low:high], cmap="Greys")
            axes[row, 0].set_ylabel(name)
        _bare(picture)
        picture.suptitle(f"structure {simulator.structures[index].name}")
    return picture


def intersection() -> Figure:
    """Fig. 3: density, autocorrelation, three copies of its support, and what they share."""
    patterns = draw_patterns(32)
    area = ideal_support(patterns[DENSITY][:, 0]).sum((1, 2))
    row = int(area.argmax())
    density = patterns[DENSITY][row, 0]
    region, values = autocorrelation_support(patterns[INTENSITY][row], patterns[MASK][row], 3e-4)
    shifts = smallest_pair(region[0], extremal_points(region, 32)[0])
    wide = pad(region[0], [density.shape[-1] // 2] * 4)  # so that no copy comes in again from the other side
    copies = torch.stack([wide, *(wide.roll(tuple(shift.tolist()), (0, 1)) for shift in shifts)])
    panels = {
        "density": density,
        "autocorrelation": values[0].clamp_min(0).sqrt(),
        "three copies of its support": copies.sum(0),
        "their intersection": copies.all(0).float(),
    }
    with figure(9.4, 2.8) as picture:
        for axes, (name, image) in zip(picture.subplots(1, 4), panels.items(), strict=True):
            axes.imshow(image, cmap="Greys")
            axes.set_title(name)
        _bare(picture)
    return picture


def smallest_pair(region: Tensor, point: Tensor) -> Tensor:
    """The two shifts, (2, 2), of the smallest admissible triple intersection; (H, W) bool and (K, 2)."""
    middle = torch.tensor(region.shape) // 2
    wide = pad(region, [region.shape[-1] // 2] * 4)
    shifted = torch.stack([wide & wide.roll(tuple(shift.tolist()), (0, 1)) for shift in point]).flatten(1).float()
    area = shifted @ shifted.T
    where_to = (point[:, None] - point[None] + middle).clamp(torch.zeros(2).long(), torch.tensor(region.shape) - 1)
    allowed = region[where_to[..., 0], where_to[..., 1]] & (point[:, None] != point[None]).any(-1)
    first = int(torch.where(allowed, area, torch.inf).argmin())
    return torch.stack([point[first // len(point)], point[first % len(point)]])


def examples(options: argparse.Namespace) -> Figure:
    """Fig. 6, the large structure in the first column."""
    large, name = largest_that_fits()
    drawn = draw_patterns(64)
    rows = {structure: row for row, structure in reversed(list(enumerate(drawn[STRUCTURE].tolist())))}
    area = ideal_support(drawn[DENSITY][:, 0]).sum((1, 2))
    order = sorted(rows.values(), key=lambda row: -int(area[row]))
    chosen = torch.tensor(order[:: max(1, len(order) // 5)][:5])
    patterns = {key: torch.cat([large[key], drawn[key][chosen]]) for key in large}
    patterns[FRAME] = torch.arange(len(patterns[FRAME]))
    tables = [
        answer(AutocorrelationSupport(name="autocorrelation", threshold=3e-4, device="cpu"), patterns),
        answer(network(options), patterns),
        answer(triple(), patterns),
    ]
    names = simulator_of("test").structures.names
    ids = [names[i] for i in patterns[STRUCTURE].tolist()]
    print(f"first column: {name}; then {', '.join(ids[1:])}")
    show("the large structure", {table.name: score(_first(table), large) for table in tables})
    every = np.arange(len(ids))
    intensity, mask, density = (patterns[key][:, 0].numpy() for key in (INTENSITY, MASK, DENSITY))
    structure = patterns[STRUCTURE].numpy()
    result = SupportResult(
        path="simulated",
        format="drawn",
        frame=every,
        structure=structure,
        structures=dict(zip(structure.tolist(), ids, strict=True)),
        truth=truth_of(patterns),
        fraction=0.1,
        methods=tables,
        primary=1,
        curve_patterns=0,
        displayed=DisplayedPatterns({}, every, intensity, mask, density),
        metrics={},
        notes=[],
    )
    return supports_gallery(result, every)


def _first(table: MethodResult) -> MethodResult:
    columns = {name: values[:1] for name, values in table.columns.items()}
    return MethodResult(table.name, table.support[:1], None, columns, table.cost)


def _box(truth: Tensor) -> tuple[int, int]:
    """Rows and columns that hold every density."""
    inside = (truth > 0.02).any(0).nonzero()
    middle = truth.shape[-1] // 2
    reach = int((inside - middle).abs().max()) + 2
    return max(0, middle - reach), middle + reach + 1


def _bare(picture: Figure) -> None:
    for axes in picture.axes:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.grid(False)
