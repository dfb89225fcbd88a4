"""Make simulated sets: parts in parallel processes, joined into one file that is either whole or absent.

The parts lie in a hidden folder beside the file. They are kept when a run is interrupted and used by the next one; a
part or set under its final name is always complete, because both are renamed into place.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from omegaconf import OmegaConf

import spi_lightning
from spi_lightning import physics, simulate
from spi_lightning.errors import UserError
from spi_lightning.files import file_lock
from spi_lightning.fingerprint import fingerprint
from spi_lightning.progress import ProgressBar
from spi_lightning.simulate.volumes import VolumeSimulator

from .kept import kept_parts, kept_set, require_replaceable
from .parts import SimulatedSet, make_parts, plan_parts
from .pattern_set import PatternSet
from .volume_set import VolumeSet

FORMAT_VERSION: Final = 1  # raise it when the layout of the files changes: cached sets are then made anew


def make_set(
    simulator: Any,
    patterns: int,
    seed: int,
    path: str | Path,
    workers: int = 1,
    overwrite: bool = False,
    config: Mapping[str, Any] | None = None,
    compression: str = "gzip",
    device: str = "cpu",
) -> Path:
    """Simulate patterns into a CXI file, or particles into an HDF5 file; the first n of a longer set are the same.

    Killed or interrupted, it goes on where it stopped when it is called again with the same settings.

    Args:
        simulator: Simulator of patterns (pattern_set.PatternSimulator) or of particles (simulate.VolumeSimulator),
            drawing block after block; it must pickle when workers > 1.
        patterns: Number of patterns or particles.
        seed: Seed of the set.
        path: File that will hold the set.
        workers: Number of processes; on another device than the CPU one is used.
        overwrite: Whether an existing set is replaced.
        config: Resolved configuration of the simulator, stored in the file as the attribute `simulate_config`.
        compression: Filter of the patterns in a CXI file, see io.CxiWriter.
        device: Device on which the simulator computes.

    Returns:
        The path.

    Raises:
        UserError: The file exists or is being made by another run, the disk is full, the folder cannot be written.
    """
    path = Path(path)
    with file_lock(path, wait=False):
        require_replaceable(path, overwrite)
        _make(_kind_of(simulator, compression), patterns, seed, path, workers, config, device)
    return path


def cached_set(
    config: Mapping[str, Any],
    simulator: Any,
    patterns: int,
    seed: int,
    cache_dir: str | Path,
    workers: int = 1,
    device: str = "cpu",
) -> Path:
    """Path of the set that this config, number and seed give, made first if it is missing.

    The name is a hash of config, simulator, number, seed and the code that simulates. Several processes may want the
    set at once: one makes it, the others wait for it. Arguments and errors as for make_set.
    """
    settings = (FORMAT_VERSION, spi_lightning.__version__, dict(config), simulator, patterns, seed)
    kind = _kind_of(simulator, "bitshuffle")
    path = Path(cache_dir) / f"{fingerprint(*settings, code=(physics, simulate))}{kind.suffix}"
    make = partial(_make, kind, patterns, seed, path, workers, config, device)
    return kept_set(path, make, partial(kind.is_whole, path, patterns))


def _kind_of(simulator: Any, compression: str) -> SimulatedSet:
    """Layout of the set that a simulator draws."""
    return VolumeSet(simulator) if isinstance(simulator, VolumeSimulator) else PatternSet(simulator, compression)


def _make(
    kind: SimulatedSet,
    patterns: int,
    seed: int,
    path: Path,
    workers: int,
    config: Mapping[str, Any] | None,
    device: str,
) -> None:
    """Make the parts that are missing, then join them; the caller holds the lock."""
    _require_possible(patterns, workers, device)
    kind.require_valid(path, patterns)
    settings = fingerprint(kind.simulator, seed, patterns, device, code=(physics, simulate))
    folder = path.with_name(f".{path.name}.{settings}.parts")
    parts = plan_parts(kind, patterns, folder)
    attributes = {
        "simulate_config": OmegaConf.to_yaml(OmegaConf.create(dict(config or {}))),
        "spi_lightning_version": spi_lightning.__version__,
        "seed": seed,
        **kind.attributes,
    }
    with kept_parts(path, folder), ProgressBar(always=True) as progress:
        bar = progress.add_task(f"simulating {path.name}", total=patterns)
        for part in make_parts(kind, seed, parts, workers, device):
            progress.advance(bar, part.patterns)
        bar = progress.add_task(f"writing {path.name}", total=patterns)
        for count in kind.join(parts, path, attributes):
            progress.advance(bar, count)


def _require_possible(patterns: int, workers: int, device: str) -> None:
    if patterns < 1 or workers < 1:
        raise UserError(f"patterns={patterns} and workers={workers} must both be at least 1")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"device={device} is not available here ({str(error).splitlines()[0]}): use cpu") from error
