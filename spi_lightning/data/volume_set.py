"""Files of simulated particles: made block by block, resumable, whole or not there, found again by their settings.

A file holds amplitude and phase of the particles as half floats, and where the simulation is not noise-free also the
counted photons and masks; noise-free patterns are one Fourier transform away and take eight times the room.
"""

import multiprocessing
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import h5py
import hdf5plugin
import numpy as np
import torch
from omegaconf import OmegaConf

import spi_lightning
from spi_lightning.data.fingerprint import fingerprint
from spi_lightning.fields import AMPLITUDE, FIELDS, INTENSITY, MASK, PHASE, Batch, UserError
from spi_lightning.files import locked
from spi_lightning.simulate.volumes import VolumeSimulator

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
        overwrite: Replace an existing file.
        config: The simulator's resolved config, stored as the attribute `simulate_config`.
        device: Where the simulator computes.

    Raises:
        UserError: The file exists or is being made by another run, or the system refuses to write.
    """
    path = Path(path)
    with locked(path, wait=False):
        if path.exists() and not overwrite:
            raise UserError(f"{path} exists already: give another path=, or overwrite=true")
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
    if not path.exists():
        with locked(path, wait=True):
            if not path.exists():
                _make(simulator, patterns, seed, path, workers, config, device)
    return path


def _make(
    simulator: VolumeSimulator,
    patterns: int,
    seed: int,
    path: Path,
    workers: int,
    config: Mapping[str, Any] | None,
    device: str,
) -> None:
    """Write the blocks that are missing from the temporary file, then rename it; the caller holds the lock."""
    if patterns < 1 or workers < 1:
        raise UserError(f"patterns={patterns} and workers={workers} must both be at least 1")
    key = fingerprint(simulator, seed, patterns, device)
    temporary = path.with_name(f".{path.name}.{key}.part")
    blocks = -(-patterns // simulator.block_size)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        done = _blocks_done(temporary)
        for block, drawn in _drawn(simulator, seed, range(done, blocks), workers, device):
            _append(temporary, drawn, block, patterns, simulator.block_size)
        with h5py.File(temporary, "r+") as file:
            file.attrs.update(
                simulate_config=OmegaConf.to_yaml(OmegaConf.create(dict(config or {}))),
                spi_lightning_version=spi_lightning.__version__,
                seed=seed,
                pattern_size=simulator.size,
                twin_rule=simulator.rule,
            )
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error}); free some space or write elsewhere") from error


def _blocks_done(temporary: Path) -> int:
    """Number of blocks an interrupted run has left in its temporary file; a damaged file is thrown away."""
    if not temporary.exists():
        return 0
    try:
        with h5py.File(temporary, "r") as file:
            return int(file.attrs["blocks_done"])
    except (OSError, KeyError):
        temporary.unlink()
        return 0


def _append(temporary: Path, drawn: dict[str, np.ndarray], block: int, patterns: int, size: int) -> None:
    """Add one block; the file is closed again, so that a kill loses no more than this block."""
    rows = min(size, patterns - block * size)
    with h5py.File(temporary, "a") as file:
        for name, values in drawn.items():
            key = f"{ENTRY}/{name}"
            if key not in file:
                shape = (patterns, *values.shape[1:])
                made = file.create_dataset(key, shape, _STORED[name], chunks=(1, *values.shape[1:]), **_COMPRESSION)
                made.attrs["units"], made.attrs["meaning"] = FIELDS[name].unit, FIELDS[name].meaning
            file[key][block * size : block * size + rows] = values[:rows]
        file.attrs["blocks_done"] = block + 1


def _drawn(
    simulator: VolumeSimulator, seed: int, blocks: range, workers: int, device: str
) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Blocks in order, drawn here or by processes that are one block ahead each."""
    jobs = ((simulator, seed, block, device) for block in blocks)
    if workers == 1 or device != "cpu" or len(blocks) < 2:
        yield from map(_draw, jobs)
        return
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    with context.Pool(min(workers, len(blocks)), _one_thread) as pool:
        yield from pool.imap(_draw, jobs)


def _draw(job: tuple[VolumeSimulator, int, int, str]) -> tuple[int, dict[str, np.ndarray]]:
    simulator, seed, block, device = job
    drawn: Batch = simulator(block, seed, device)
    return block, {name: values.cpu().numpy().astype(_STORED[name]) for name, values in drawn.items()}


def _one_thread() -> None:
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
