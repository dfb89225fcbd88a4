"""Simulator throughput: patterns per second on one core (or one accelerator) at 128 x 128, both generators.

Run: python -m benchmarks.simulator [--device cuda] [--seconds 10]
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from rich.console import Console
from rich.table import Table
from scipy.ndimage import map_coordinates

from benchmarks.record import write_result
from spi_lightning.distributed import keep_freed_memory
from spi_lightning.physics.ewald import scattering_vectors
from spi_lightning.physics.photons import photons_per_fluence
from spi_lightning.physics.rotations.orientations import random_quaternions, rotation_matrices
from spi_lightning.simulate import HitSimulator, LiteralHitSimulator, SceneRecipe
from spi_lightning.simulate.particles.voxels import voxel_model, voxelise
from spi_lightning.simulate.scattering import Geometry, amplitudes

CONF = Path(__file__).parents[1] / "conf" / "simulate"
SEED = 1
Draw = Callable[[int], int]  # block index -> patterns drawn


def configured(name: str) -> HitSimulator | LiteralHitSimulator:
    """Build a simulator from conf/simulate."""
    with initialize_config_dir(str(CONF), version_base=None):
        return instantiate(compose(name))


def rate(draw: Draw, seconds: float, device: str) -> float:
    """Patterns per second over at least ``seconds`` after one warm-up block; on the CPU, of this process's own time."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    draw(0)
    _wait(device)
    start, block, patterns = clock(), 1, 0
    while clock() - start < seconds:
        patterns += draw(block)
        block += 1
        _wait(device)
    return patterns / (clock() - start)


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def blocks_of(simulator: HitSimulator | LiteralHitSimulator, device: str) -> Draw:
    """Draw whole blocks, labels included."""

    def draw(block: int) -> int:
        return len(simulator(block, SEED, device)["photons"])

    return draw


def literal_with_numpy(simulator: LiteralHitSimulator) -> Draw:
    """The literal route as its authors had it at hand: numpy's complex128 transform and scipy's interpolation."""

    def draw(block: int) -> int:
        generator = torch.Generator().manual_seed(block)
        particles, _, _ = simulator.scene.draw(1, generator)
        geometry = simulator.geometry.draw(1, simulator.shape, generator)
        placed, voxel_size = voxel_model(particles, 20.0, simulator.voxels)
        density = voxelise(placed, simulator.voxels).numpy() * float(particles.density[0]) * voxel_size**3
        padded = np.zeros((simulator.padding,) * 3)
        padded[: simulator.voxels, : simulator.voxels, : simulator.voxels] = density
        intensity = np.abs(np.fft.fftshift(np.fft.fftn(padded))) ** 2
        rows = (geometry.pixel_size, geometry.distance, geometry.wavelength, geometry.beam_centre)
        q = scattering_vectors(simulator.shape, *rows)[0].flatten(0, 1) * voxel_size
        random = np.random.default_rng(block)
        for rotation in rotation_matrices(random_quaternions(simulator.block_size, generator)):
            index = (q @ rotation).numpy().T * simulator.padding + simulator.padding // 2
            squared = torch.as_tensor(map_coordinates(intensity, index, order=1)).view(1, *simulator.shape)
            unit = photons_per_fluence(squared, geometry.solid_angle.double())
            random.poisson(unit.numpy() * (2e4 / float(unit.sum())))
        return simulator.block_size

    return draw


def intensities_only(simulator: HitSimulator, device: str) -> Draw:
    """The fast generator without optics, counts and labels: scattered intensities of particles drawn beforehand."""
    generator = torch.Generator().manual_seed(SEED)
    particles, _, _ = simulator.scene.draw(simulator.block_size, generator)
    geometry = simulator.geometry.draw(simulator.block_size, simulator.shape, generator)
    on_device = Geometry(**{name: value.to(device) for name, value in vars(geometry).items()})
    particles = particles.to(device)

    def draw(block: int) -> int:
        electrons = amplitudes(particles, on_device, simulator.shape, simulator.samples)
        return len(electrons.real.square().addcmul_(electrons.imag, electrons.imag))

    return draw


def measure(device: str, seconds: float, block_size: int) -> dict[str, float]:
    """All rows of the table: name -> patterns/s."""
    literal = configured("literal")
    assert isinstance(literal, LiteralHitSimulator)
    singles = replace(literal.scene, kinds={"single": 1.0}, particle=replace(literal.scene.particle, edge_blur=(0, 0)))
    realistic = configured("hits")
    realistic.block_size = block_size

    def fast(scene: SceneRecipe) -> HitSimulator:
        plain = replace(scene, particle=replace(scene.particle, bodies={"icosahedron": 1.0}))
        return HitSimulator(plain, block_size=block_size, geometry=literal.geometry, brightness=literal.brightness)

    rows = {
        "fast, single icosahedra": blocks_of(fast(singles), device),
        "fast, single icosahedra, intensities only": intensities_only(fast(singles), device),
        "fast, the paper's five classes": blocks_of(fast(literal.scene), device),
        "fast, conf/simulate/hits.yaml (optics, contaminants)": blocks_of(realistic, device),
        "literal, single": blocks_of(replace(literal, scene=singles), device),
        "literal, the paper's five classes": blocks_of(literal, device),
    }
    if device == "cpu":
        rows["literal with numpy and scipy, single"] = literal_with_numpy(replace(literal, scene=singles))
    return {name: rate(draw, seconds, device) for name, draw in rows.items()}


def main() -> None:
    """Print the table and write benchmarks/results/simulator[_device].json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seconds", type=float, default=5.0, help="per row")
    parser.add_argument("--block-size", type=int, default=None, help="of the fast generator")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    block_size = options.block_size or (32 if options.device == "cpu" else 4096)
    rates = measure(options.device, options.seconds, block_size)
    where = "one core" if options.device == "cpu" else options.device
    table = Table("generator", f"patterns/s, {where}", "ratio to literal, single", title="Simulators at 128 x 128")
    for name, value in rates.items():
        table.add_row(name, f"{value:,.0f}", f"{value / rates['literal, single']:.1f}")
    Console().print(table)
    result = {"seed": SEED, "threads": 1, "device": options.device, "block_size": block_size, "patterns_per_s": rates}
    suffix = "" if options.device == "cpu" else f"_{options.device.split(':')[0]}"
    print(write_result(f"simulator{suffix}", result))


if __name__ == "__main__":
    main()
