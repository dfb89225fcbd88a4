"""Orientations by the real Dragonfly: known ones recovered, an even set and a belt told apart.

python -m benchmarks.orientations dragonfly=VENV [--patterns 400] [--num-div 4]

Simulated solid icosahedra of known orientation (simulate=solid_icosahedra). The belt is made of those whose beam passed
within 10 degrees of the plane across one fivefold axis. Both go through `python -m spi_lightning.apps.orient`; the maps
of both are drawn into docs/images/orientations.png.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.doors import ROOT, orient, simulate
from benchmarks.record import write_result
from spi_lightning.fields import ORIENTATION
from spi_lightning.io import open_patterns
from spi_lightning.physics.orientation import viewing_directions
from spi_lightning.reports.orientation import draw_maps
from spi_lightning.reports.orientation_files import OrientationFiles

FOLDER = Path("runs/orientations")
PICTURE = ROOT / "docs" / "images" / "orientations.png"
HALF_WIDTH = 10.0  # degrees


def belt(path: Path) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Frames whose viewing direction lies within HALF_WIDTH of the plane across a fivefold axis."""
    true = torch.from_numpy(open_patterns(path).labels[ORIENTATION]).double()
    axis = torch.tensor([0.0, 1.0, (1 + 5**0.5) / 2], dtype=torch.float64)
    height = viewing_directions(true) @ (axis / axis.norm())
    return np.flatnonzero(height.abs().numpy() < np.sin(np.radians(HALF_WIDTH)))


def main() -> None:
    """Print the table, write benchmarks/results/orientations.json and docs/images/orientations.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dragonfly", help="dragonfly=VENV, the environment Dragonfly is in")
    parser.add_argument("--patterns", type=int, default=400, help="in the even set; the belt is cut from 4 times it")
    parser.add_argument("--num-div", type=int, default=4)
    parser.add_argument("--iterations", type=int, default=18)
    options = parser.parse_args()
    source = FOLDER / f"icosahedra_{4 * options.patterns}.cxi"
    simulate(source, "simulate=solid_icosahedra", f"patterns={4 * options.patterns}", "seed=11")
    sets = {"even": np.arange(options.patterns), "belt": belt(source)}
    shared = ["symmetry=icosahedral", "crop=36", "threads=1", f"iterations={options.iterations}", options.dragonfly]
    result: dict[str, Any] = {"num_div": options.num_div, "iterations": options.iterations}
    for name, frames in sets.items():
        index = FOLDER / f"{name}.txt"
        np.savetxt(index, frames, fmt="%d")
        chosen = [f"data.path={source}", f"data.keys.index={index}", f"emc.num_div={options.num_div}"]
        result[name] = orient(FOLDER / name, *chosen, *shared)
    print("set   patterns  median error   90 % below    step  p of evenness  varies by")
    for name in sets:
        row, found, test = result[name], result[name]["recovery"], result[name]["uniformity"]
        print(
            f"{name:5s} {row['patterns']:8d} {found['median_error_deg']:12.2f}° {found['error_90_deg']:11.1f}°"
            f" {row['sampling_step_deg']:6.2f}° {test['p_value']:14.1e} {test['variation']:10.0%}"
        )
    print(write_result("orientations", result))
    titles = {"even": "simulated icosahedra, every way up", "belt": "the same, seen from a belt only"}
    draw_maps({titles[name]: OrientationFiles.read(ROOT / FOLDER / name) for name in sets}, PICTURE)


if __name__ == "__main__":
    main()
