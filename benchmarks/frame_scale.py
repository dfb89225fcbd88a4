"""Error of the beam centre and speckle width that preprocess=scale_free finds in simulated files of many kinds.

python -m benchmarks.frame_scale

Every file is of another detector and particle: speckles of 3 to 40 pixels, frames of 32 to 256 pixels, square or not,
beam off the middle, beam hole, gap, background, blur, 100 to 10^6 photons a hit, 0 to 95 % blanks, 30 to 70 % of the
hits not single. The geometry is not stated. About two minutes.
"""

import math
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.record import write_result
from spi_lightning.api.configured import make_part
from spi_lightning.api.patterns import as_patterns
from spi_lightning.data.scale.file_scale import find_scale
from spi_lightning.io import PatternFile
from spi_lightning.physics.constants import wavelength_from_energy
from spi_lightning.simulate import HitSimulator

FILES: Final = 100
HITS: Final = 60
SEED: Final = 17
ENERGY: Final = 1240.0  # eV
DISTANCE: Final = 0.5  # m
PIXEL: Final = 1e-4  # m
BODIES: Final = ("icosahedron", "sphere", "octahedron", "truncated_octahedron", "dodecahedron", "cuboctahedron")
MULTIPLE: Final = {"double": 0.25, "triple": 0.12, "quadruple": 0.08, "many": 0.1, "contaminant": 0.45}
CLASSES: Final = {"100 to 1,000": (1e2, 1e3), "1,000 to 10,000": (1e3, 1e4), "10,000 to 1,000,000": (1e4, 1e6)}


def main() -> None:
    """Print the table and write benchmarks/results/frame_scale.json."""
    torch.set_num_threads(1)
    random = np.random.default_rng(SEED)
    rows = [_measured(random) for _ in range(FILES)]
    table = {}
    for name, (low, high) in CLASSES.items():
        here = [row for row in rows if low <= row["photons"] < high]
        width, centre = (np.array([row[key] for row in here]) for key in ("width_error", "centre_error"))
        table[name] = {
            "files": len(here),
            "width_median": float(np.median(np.abs(width))),
            "width_within_15": float((np.abs(width) <= 0.15).mean()),
            "width_bias": float(np.median(width)),
            "centre_median": float(np.median(centre)),
            "centre_within_quarter": float((centre <= 0.25).mean()),
        }
        print(name, table[name])
    write_result("frame_scale", {"rows": table})


def _measured(random: np.random.Generator) -> dict[str, Any]:
    """Relative error of the width, and error of the centre in speckles, of one random file."""
    edge = int(random.choice([32, 48, 64, 96, 128, 160, 192, 256]))
    width = math.exp(random.uniform(math.log(3), math.log(min(40, edge / 6.3))))
    shape = (edge, int(edge * random.choice([1, 1, 1.25, 1.5])))
    photons = 10 ** random.uniform(2, 6)
    offset = random.uniform(-0.12, 0.12, 2) * edge * (random.random() < 0.5)
    centre = (np.array(shape) - 1) / 2 + offset
    file = _file(random, shape, centre, width, photons)
    found, _ = find_scale(file)
    off = math.hypot(*np.subtract(found.beam_centre, centre)) / width
    return {"photons": photons, "width_error": found.speckle_width / width - 1, "centre_error": off}


def _file(
    random: np.random.Generator, shape: tuple[int, int], centre: NDArray[np.float64], width: float, photons: float
) -> PatternFile:
    """Hits of all kinds and blanks in random order, with a beam hole and a gap, geometry unknown."""
    seed, flat = int(random.integers(1 << 30)), float(random.choice([0.002, 0.02, 0.1, 0.5]))
    simulator = simulator_of(random, shape, width, photons, flat)
    place_beam(simulator, centre)
    hits = torch.cat([simulator(block, seed)["photons"] for block in range(HITS // simulator.block_size)])
    blank = random.choice([0.0, 0.3, 0.6, 0.9, 0.95])
    generator = torch.Generator().manual_seed(seed)
    blanks = torch.poisson(torch.full((round(HITS * blank / (1 - blank)), *shape), flat), generator)
    order = torch.randperm(len(hits) + len(blanks), generator=generator)
    mask = mask_around(random, shape, centre, width)
    return as_patterns(torch.cat([hits, blanks])[order] * mask, mask)


def place_beam(simulator: HitSimulator, centre: NDArray[np.float64]) -> None:
    """Let the beam of every pattern meet the detector at ``centre``, row and column, pixel."""
    middle = simulator.geometry.draw

    def moved(count: int, size: tuple[int, int], generator: torch.Generator) -> Any:
        drawn = middle(count, size, generator)
        drawn.beam_centre = torch.tensor(centre, dtype=torch.float32).expand(count, 2)
        return drawn

    simulator.geometry.draw = moved  # type: ignore[method-assign]


def simulator_of(
    random: np.random.Generator, shape: tuple[int, int], width: float, photons: float, flat: float
) -> HitSimulator:
    """Simulator of hits of one random body or all, speckles of ``width`` pixels, ``flat`` photons a pixel beside."""
    diameter = wavelength_from_energy(ENERGY) * DISTANCE / (width * PIXEL)
    multiple, body = random.uniform(0.3, 0.7), random.choice([*BODIES, "all"])
    settings = {
        "shape": list(shape),
        "block_size": 20,
        "samples": 32,
        "scene__kinds": {"single": 1 - multiple, **{kind: multiple * share for kind, share in MULTIPLE.items()}},
        "scene__particle__diameter": [0.97 * diameter, 1.03 * diameter],
        "scene__particle__bodies": {name: float(body in (name, "all")) for name in BODIES},
        "scene__particle__edge_blur": [0.0, 0.03 * diameter],
        "geometry__photon_energy": [ENERGY, ENERGY],
        "geometry__distance": [DISTANCE, DISTANCE],
        "geometry__pixel_size": [PIXEL, PIXEL],
        "brightness__median": photons,
        "brightness__minimum_photons": photons / 4,
        "brightness__maximum_photons": photons * 4,
        "optics__flat": [flat, flat],
        "optics__halo_photons": 0.03 * photons,
        "optics__halo_radius": [2 * width, 3 * width],
        "optics__blur": [0.0, 0.15 * width],
        "bad_pixels__hole": [0, 0],
        "bad_pixels__gap": [0, 0],
    }
    made: HitSimulator = make_part("simulate", "hits", settings)
    return made


def mask_around(
    random: np.random.Generator, shape: tuple[int, int], centre: NDArray[np.float64], width: float
) -> Tensor:
    """Beam hole and horizontal gap of random size around the beam, (H, W) bool, True = measured."""
    hole, gap = (random.uniform(0, most) * (random.random() < 0.6) * width / 2 for most in (1.2, 0.5))
    y, x = torch.arange(shape[0])[:, None] - centre[0], torch.arange(shape[1])[None] - centre[1]
    return ~((y.abs() < hole) & (x.abs() < hole)) & ~((y + 0.3 * width).abs() < gap)


if __name__ == "__main__":
    main()
