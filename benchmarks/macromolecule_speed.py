"""Macromolecule simulators: structure-orientations per second on one core (or one accelerator), both routes.

Structures are the tables of $SPI_DATA/pdb that fit the frame, 3,320 heavy atoms on average. Everything is counted:
turning, splatting, density, canonical twin, pattern, labels.

Run: python -m benchmarks.macromolecule_speed [--device cuda] [--seconds 10]
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.record import write_result
from benchmarks.simulator import rate
from spi_lightning.data import StructureSource
from spi_lightning.distributed import keep_freed_memory
from spi_lightning.fields import INTENSITY
from spi_lightning.simulate import MacromoleculeDiffractionSimulator, MacromoleculeSimulator, Projection

SEED = 1
AnySimulator = MacromoleculeSimulator | MacromoleculeDiffractionSimulator
FLOOR = 50  # per second and core at 128 x 128


def simulators(
    structures: StructureSource, block_size: int
) -> dict[str, MacromoleculeSimulator | MacromoleculeDiffractionSimulator]:
    """Rows of the table."""
    projected = MacromoleculeSimulator(structures, Projection(), block_size, oversized="skip")
    small = Projection(64, 4.66e-10)
    experiment = MacromoleculeDiffractionSimulator(
        structures, oversized="skip", block_size=block_size, at_once=min(block_size, 4 if block_size < 64 else 32)
    )
    return {
        "projected map, 128 x 128, 2.33 Angstrom": projected,
        "projected map, 64 x 64, 4.66 Angstrom": replace(projected, projection=small),
        "diffraction, 512 x 512 binned to 128 x 128": experiment,
    }


def main() -> None:
    """Print the table and write benchmarks/results/macromolecule_speed[_device].json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seconds", type=float, default=5.0, help="per row")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    structures = StructureSource(str(Path(os.environ.get("SPI_DATA", "../shared/data")) / "pdb"))
    block_size = 32 if options.device == "cpu" else 256
    rows, atoms = {}, []
    for name, simulator in simulators(structures, block_size).items():

        def draw(block: int, simulator: object = simulator) -> int:
            return len(simulator(block, SEED, options.device)[INTENSITY])  # type: ignore[operator]

        rows[name] = rate(draw, options.seconds, options.device)
        atoms.append(sum(len(structures[i]) for i in simulator._usable) / len(simulator._usable))
    where = "one core" if options.device == "cpu" else options.device
    table = Table("simulator", f"structure-orientations/s, {where}", title=f"{atoms[0]:,.0f} atoms on average")
    for name, value in rows.items():
        table.add_row(name, f"{value:,.0f}")
    Console().print(table)
    result = {"device": options.device, "threads": 1, "block_size": block_size, "mean_atoms": atoms, "per_second": rows}
    suffix = "" if options.device == "cpu" else f"_{options.device.split(':')[0]}"
    print(write_result(f"macromolecule_speed{suffix}", {"floor": FLOOR, **result}))


if __name__ == "__main__":
    main()
