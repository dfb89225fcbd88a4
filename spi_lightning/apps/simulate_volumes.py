"""Sets of 3D particles and their patterns, for apps.simulate: simulate=wu_particles, simulate=crystals."""

import time
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from spi_lightning.console import Terminal
from spi_lightning.data.simulated.making import make_set
from spi_lightning.data.volumes import FOURIER_AMPLITUDE, VolumeDataset
from spi_lightning.fields import AMPLITUDE, MASK, PHASE
from spi_lightning.files import atomic_write
from spi_lightning.reports.volumes.particle_gallery import volume_figure
from spi_lightning.simulate.volumes import VolumeSimulator

_MOST = 8  # particles in the picture


def simulate_volumes(
    cfg: DictConfig, simulator: VolumeSimulator, numbers: dict[str, int], config: dict[str, Any]
) -> Path:
    """Write a set of particles as HDF5 and a picture of examples beside it.

    Args:
        cfg: path, overwrite and device of conf/simulate.yaml.
        simulator: Draws the particles.
        numbers: patterns, seed, workers, examples.
        config: The simulator's resolved configuration, kept in the file.

    Returns:
        Path of the file; the picture has the same name with .png.

    Raises:
        UserError: What make_set raises.
    """
    began = time.perf_counter()
    path = make_set(
        simulator,
        numbers["patterns"],
        numbers["seed"],
        cfg.path,
        numbers["workers"],
        overwrite=cfg.overwrite,
        config=config,
        device=cfg.device,
    )
    seconds, console = time.perf_counter() - began, Terminal()
    console.print(f"{numbers['patterns'] / seconds:,.1f} particles/s with workers={numbers['workers']}")
    console.print(f"set: {path}", soft_wrap=True)
    if numbers["examples"]:
        console.print(f"examples: {write_examples(path, min(_MOST, numbers['examples']))}", soft_wrap=True)
    return path


def write_examples(path: Path, count: int) -> Path:
    """Draw the first particles of a set; the picture's path."""
    particles = VolumeDataset(path)
    batch = particles[list(range(min(count, len(particles))))]
    amplitude, phase, pattern, mask = (
        batch[name][:, 0].numpy() for name in (AMPLITUDE, PHASE, FOURIER_AMPLITUDE, MASK)
    )
    captions = [f"particle {number}" for number in range(len(amplitude))]
    picture = path.with_suffix(".png")
    with atomic_write(picture) as part:
        volume_figure(amplitude, phase, pattern**2, mask, captions).savefig(part, format="png", dpi=110)
    return picture
