"""Orientations by the real Dragonfly: known ones recovered, an even set and a belt told apart.

python -m benchmarks.orientations dragonfly=VENV [--patterns 400] [--num-div 4]

Simulated solid icosahedra of known orientation (simulate=solid_icosahedra). The belt is made of those whose beam passed
within 10 degrees of the plane across one fivefold axis. Both go through `spi orient` and are
judged for evenness once by theory and once against a second even set (control=RUN). The maps of both are drawn into
docs/images/orientations.png. What Dragonfly has finished in runs/orientations is read again.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.doors import ROOT, orient, simulate
from benchmarks.record import write_result
from spi_lightning.codec import load
from spi_lightning.fields import ORIENTATION
from spi_lightning.io import open_patterns
from spi_lightning.physics.rotations.orientations import viewing_directions
from spi_lightning.reports.orientation.maps import draw_maps
from spi_lightning.results.orientation import ORIENTATION_FILE, OrientationResult

FOLDER = Path("runs/orientations")
PICTURE = ROOT / "docs" / "images" / "orientations.png"
HALF_WIDTH = 10.0  # degrees


def belt(path: Path) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Frames whose viewing direction lies within HALF_WIDTH of the plane across a fivefold axis."""
    true = torch.from_numpy(open_patterns(path).labels[ORIENTATION]).double()
    axis = torch.tensor([0.0, 1.0, (1 + 5**0.5) / 2], dtype=torch.float64)
    height = viewing_directions(true) @ (axis / axis.norm())
    return np.flatnonzero(height.abs().numpy() < np.sin(np.radians(HALF_WIDTH)))


def oriented(name: str, *overrides: str, control: str | None = None) -> dict[str, Any]:
    """Numbers of one set; Dragonfly runs only where its last output is not there yet."""
    done = ROOT / FOLDER / name
    earlier = [f"output={FOLDER / name}"] if (done / "data").is_dir() else []
    against = [f"control={FOLDER / control}"] if control else []
    return orient(FOLDER / (f"{name}_controlled" if control else name), *overrides, *earlier, *against)


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
    even = np.arange(options.patterns)
    sets = {"control": even + options.patterns, "even": even, "belt": belt(source)}
    shared = ["symmetry=icosahedral", "crop=36", "threads=1", f"iterations={options.iterations}", options.dragonfly]
    result: dict[str, Any] = {"num_div": options.num_div, "iterations": options.iterations}
    for name, frames in sets.items():
        index = FOLDER / f"{name}.txt"
        np.savetxt(index, frames, fmt="%d")
        chosen = [f"data.path={source}", f"data.keys.index={index}", f"emc.num_div={options.num_div}"]
        result[name] = oriented(name, *chosen, *shared)
        if name != "control":
            result[name]["against_control"] = oriented(name, *chosen, *shared, control="control")["uniformity"]
    print("set      patterns  median error  90 % below    step  p by theory  p against control")
    for name, row in ((name, result[name]) for name in sets):
        found, test = row["recovery"], row["uniformity"]
        controlled = f"{row['against_control']['p_value']:18.1e}" if "against_control" in row else ""
        print(
            f"{name:8s} {row['patterns']:8d} {found['median_error_deg']:12.2f}° {found['error_90_deg']:10.1f}°"
            f" {row['sampling_step_deg']:6.2f}° {test['p_value']:12.1e} {controlled}"
        )
    print(write_result("orientations", result))
    titles = {"even": "simulated icosahedra, every way up", "belt": "the same, seen from a belt only"}
    draw_maps(
        {title: load(ROOT / FOLDER / name / ORIENTATION_FILE, OrientationResult) for name, title in titles.items()},
        PICTURE,
    )


if __name__ == "__main__":
    main()
