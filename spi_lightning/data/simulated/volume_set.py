"""Files of simulated particles: made block by block, resumable, whole or not there, found again by their settings.

A file holds amplitude and phase of the particles as half floats, and where the simulation is not noise-free also the
counted photons and masks; noise-free patterns are one Fourier transform away and take eight times the room.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import h5py
import hdf5plugin
from omegaconf import OmegaConf

import spi_lightning
from spi_lightning.errors import UserError
from spi_lightning.fields import AMPLITUDE, FIELDS, INTENSITY, MASK, PHASE, Batch
from spi_lightning.files import atomic_write, file_lock
from spi_lightning.full_disk import new_hdf5
from spi_lightning.simulate.volumes import VolumeSimulator

from .fingerprint import fingerprint
from .kept_set import kept_parts, kept_set, require_replaceable
from .set_parts import Part, make_parts

FORMAT_VERSION: Final = 1
ENTRY: Final = "/entry_1/particles_1"
_STORED: Final = {AMPLITUDE: "float16", PHASE: "float16", INTENSITY: "uint32", MASK: "bool"}
_COMPRESSION: Final[dict[str, Any]] = dict(hdf5plugin.Bitshuffle(cname="zstd"))


def make_volume_set(
    simulator: VolumeSimulator,
    patterns: int,
    seed: int,
    path: str | Path,
    workers: int = 1,
    overwrite: bool = False,
    config: Mapping[str, Any] | None = None,
    device: str = "cpu",
) -> Path:
    """Simulate particles into an HDF5 file. The first n of a longer set with the same seed are the same.

    Killed or interrupted, it goes on where it stopped when it is called again with the same settings.

    Args:
        simulator: Draws block after block; must pickle when workers > 1.
        patterns: How many.
        seed: Seed of the set.
        path: The file to make.
        workers: Processes, on the CPU only.
        overwrite: Replace an existing set.
        config: The simulator's resolved config, stored as the attribute `simulate_config`.
        device: Where the simulator computes.

    Raises:
        UserError: The file exists or is being written by another run, or the system refuses to write.
    """
    path = Path(path)
    with file_lock(path, wait=False):
        require_replaceable(path, overwrite)
        _make(simulator, patterns, seed, path, workers, config, device)
    return path


def cached_volume_set(
    config: Mapping[str, Any],
    simulator: VolumeSimulator,
    patterns: int,
    seed: int,
    cache_dir: str | Path,
    workers: int = 1,
    device: str = "cpu",
) -> Path:
    """Path of the set that these settings give, made first if it is missing; see make_volume_set."""
    key = fingerprint(FORMAT_VERSION, spi_lightning.__version__, dict(config), simulator, patterns, seed)
    path = Path(cache_dir) / f"volumes_{key}.h5"
    make = partial(_make, simulator, patterns, seed, path, workers, config, device)
    return kept_set(path, make, partial(_is_readable, path, patterns))


def _make(
    simulator: VolumeSimulator,
    patterns: int,
    seed: int,
    path: Path,
    workers: int,
    config: Mapping[str, Any] | None,
    device: str,
) -> None:
    """Make the blocks that are missing, each a file of its own, then join them; the caller holds the lock."""
    if patterns < 1 or workers < 1:
        raise UserError(f"patterns={patterns} and workers={workers} must both be at least 1")
    folder = path.with_name(f".{path.name}.{fingerprint(simulator, seed, patterns, device)}.parts")
    size = simulator.block_size
    blocks = [
        Part(folder / f"{block:08d}.h5", range(block, block + 1), min(size, patterns - block * size))
        for block in range(-(-patterns // size))
    ]
    with kept_parts(path, folder):
        for _ in make_parts(simulator, seed, blocks, workers, device, _make_block, _is_readable):
            pass
        with atomic_write(path) as part, new_hdf5(part) as file:
            _join(blocks, file, patterns)
            file.attrs.update(
                simulate_config=OmegaConf.to_yaml(OmegaConf.create(dict(config or {}))),
                spi_lightning_version=spi_lightning.__version__,
                seed=seed,
                pattern_size=simulator.size,
                twin_rule=simulator.rule,
            )


def _make_block(simulator: VolumeSimulator, seed: int, part: Part, device: str) -> Part:
    """Draw one block and write it."""
    drawn: Batch = simulator(part.blocks[0], seed, device)
    with atomic_write(part.path) as temporary, new_hdf5(temporary) as file:
        for name, values in drawn.items():
            _create(file, name, part.patterns, tuple(values.shape[1:]))[:] = values[: part.patterns].cpu().numpy()
    return part


def _join(blocks: list[Part], file: h5py.File, patterns: int) -> None:
    """Copy the blocks into one file, a block at a time."""
    start = 0
    for block in blocks:
        with h5py.File(block.path, "r") as drawn:
            for name, values in drawn[ENTRY].items():
                if start == 0:
                    _create(file, name, patterns, values.shape[1:])
                file[f"{ENTRY}/{name}"][start : start + block.patterns] = values[:]
        start += block.patterns


def _create(file: h5py.File, name: str, patterns: int, shape: tuple[int, ...]) -> h5py.Dataset:
    """An empty data set of this many particles."""
    made = file.create_dataset(
        f"{ENTRY}/{name}", (patterns, *shape), _STORED[name], chunks=(1, *shape), fletcher32=True, **_COMPRESSION
    )
    made.attrs["units"], made.attrs["meaning"] = FIELDS[name].unit, FIELDS[name].meaning
    return made


def _is_readable(path: Path, patterns: int) -> bool:
    """Whether a file of particles is there, whole as far as its ends tell, and of the right length."""
    try:
        with h5py.File(path, "r") as file:
            drawn = list(file[ENTRY].values())
            lengths = {len(values) for values in drawn if len(values[[0, -1]])}
    except (OSError, KeyError, ValueError, RuntimeError):
        return False
    return lengths == {patterns}
