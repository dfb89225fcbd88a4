"""Patterns that the figures are about, and what methods answer to them."""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import OmegaConf

from benchmarks.doors import ROOT
from spi_lightning.evaluation.console_table import SUPPORTS
from spi_lightning.evaluation.supports.scoring import SupportScoring, columns_of
from spi_lightning.fields import DENSITY, FRAME, INTENSITY, MASK, STRUCTURE, Batch
from spi_lightning.io import ArrayFrames, PatternFile
from spi_lightning.methods import SupportMethod
from spi_lightning.physics.detector import radius_in_pixels
from spi_lightning.physics.support import ideal_support
from spi_lightning.progress import Listener
from spi_lightning.results.answered import Cost
from spi_lightning.results.support_answer import SupportPart
from spi_lightning.results.supports import MethodResult
from spi_lightning.simulate import MacromoleculeSimulator
from spi_lightning.simulate.measurement import disc_diameter

TITLES = {column.key.removeprefix("test/"): column.title for column in SUPPORTS}
_SEED = {"train": 0, "val": 1, "test": 2}


@cache
def _simulator(part: str, size: int) -> MacromoleculeSimulator:
    with initialize_config_dir(str(ROOT / "conf" / "simulate"), version_base="1.3"):
        settings = compose("macromolecule")
    OmegaConf.set_struct(settings, False)
    os.environ.setdefault("SPI_DATA", str(ROOT / ".." / "shared" / "data"))
    settings.projection.merge_with({"size": size, "pixel_size": 2.33e-10 * 128 / size})
    simulator: MacromoleculeSimulator = instantiate(settings, _convert_="all")
    return simulator.of_part(part)


def simulator_of(
    part: str, size: int = 64, block_size: int | None = None, **measurement: Any
) -> MacromoleculeSimulator:
    """The simulator of conf/simulate/macromolecule.yaml with the structures of one split.

    Args:
        part: train, val or test.
        size: Edge of the frame, pixel; the field of view stays 29.8 nm.
        block_size: Patterns that one draw makes; None: as the configuration says.
        **measurement: Of simulate.Measurement.
    """
    simulator = _simulator(part, size)
    return MacromoleculeSimulator(
        structures=simulator.structures,
        projection=simulator.projection,
        block_size=block_size or simulator.block_size,
        oversized=simulator.oversized,
        measurement=type(simulator.measurement)(**measurement),
    )


def draw_patterns(count: int, part: str = "test", size: int = 64, missing: float = 0.0, **measurement: Any) -> Batch:
    """A batch of simulated patterns; the same densities whatever the measurement.

    Args:
        count, part, size: How many, of which structures, and the edge of the frame, pixel.
        missing: Diameter of the missing centre, in speckles: frame / diameter of the disc that the particle resembles.
        **measurement: Of simulate.Measurement.

    Returns:
        intensity, mask, density (N, 1, H, W), structure and frame (N,).
    """
    simulator = simulator_of(part, size, **measurement)
    blocks = [simulator(block, _SEED[part]) for block in range(-(-count // simulator.block_size))]
    images = (INTENSITY, MASK, DENSITY)
    drawn = {name: torch.cat([block[name] for block in blocks])[:count] for name in (*images, STRUCTURE)}
    if missing:
        centre = torch.full((count, 2), size // 2, dtype=torch.float32)
        radius = missing / 2 * size / disc_diameter(drawn[DENSITY])
        drawn[MASK] &= radius_in_pixels((size, size), centre) >= radius[:, None, None]
        drawn[INTENSITY] = drawn[INTENSITY] * drawn[MASK]
    return {**{name: drawn[name][:, None] for name in images}, STRUCTURE: drawn[STRUCTURE], FRAME: torch.arange(count)}


def truth_of(patterns: Batch) -> NDArray[np.bool_]:
    """Where the true density exceeds 10 % of its maximum, (N, H, W)."""
    return ideal_support(patterns[DENSITY][:, 0]).numpy()


def answer(method: SupportMethod, patterns: Batch, name: str | None = None) -> MethodResult:
    """What a method says of a batch, as spi evaluate asks it of a file, and its numbers against the truth."""
    frames, masks = (ArrayFrames(patterns[key][:, 0].numpy()) for key in (INTENSITY, MASK))
    drawn = PatternFile(Path("simulated"), "drawn", frames, frame_masks=masks)
    made = method.answer(SupportPart("", np.arange(len(drawn)), drawn), Listener())
    return table_of(name or method.name, made.support, made.density, truth_of(patterns))


def table_of(
    name: str, support: NDArray[np.bool_], density: NDArray[Any] | None, truth: NDArray[np.bool_]
) -> MethodResult:
    """Supports (N, H, W) with the numbers of each."""
    return MethodResult(name, support, density, columns_of(support, truth), Cost())


def score(table: MethodResult, patterns: Batch) -> dict[str, float]:
    """Means over patterns: TITLES, and what spi evaluate data=supports reports beside."""
    numbers = SupportScoring(patterns[STRUCTURE].numpy(), replicates=300)(table.columns)
    plain = {key.removeprefix("test/"): value for key, value in numbers.items()}
    return {key: float(value) for key, value in plain.items() if value is not None and "/" not in key}


def show(title: str, rows: dict[str, dict[str, float]], keys: Sequence[str] = tuple(TITLES)) -> None:
    """Print one line for each row; shares in per cent."""
    print(f"{title:38s}" + "".join(f"{TITLES[key]:>12s}" for key in keys))
    for name, row in rows.items():
        cells = (
            f"{100 * row[key]:10.1f} %"
            if key in ("below_two_false_negatives", "centrosymmetry_broken")
            else f"{row[key]:12.2f}"
            for key in keys
        )
        print(f"{name:38s}" + "".join(cells), flush=True)
