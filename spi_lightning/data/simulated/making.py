"""Make simulated sets, or find those kept: parts in parallel processes, joined into one file, whole or absent.

The parts lie in a hidden folder beside the file. They are kept when a run is interrupted and used by the next one; a
part or set under its final name is always complete, because both are renamed into place.
"""

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import h5py
import torch
from omegaconf import OmegaConf

import spi_lightning
from spi_lightning import physics, simulate
from spi_lightning.errors import UserError
from spi_lightning.files import content_hash, file_lock, write_text
from spi_lightning.fingerprint import fingerprint
from spi_lightning.progress import ProgressBar
from spi_lightning.simulate.volumes import VolumeSimulator

from .parts import SimulatedSet, WorkerKilledError, make_parts, plan_parts
from .set_files import PatternSet, VolumeSet

_log = logging.getLogger(__name__)


def kept_set(path: Path, make: Callable[[], None], is_readable: Callable[[], bool]) -> Path:
    """The path of a set, made first where it is missing, cut short or changed since it was made.

    Its checksum lies beside it; a set without one gets it. Several processes may want the set at once: one makes it,
    the others wait.

    Args:
        path: File that holds the set.
        make: Function that writes the set, whole or not at all.
        is_readable: Function that says whether the file is a readable set of the right length.
    """
    if not _is_sound(path, is_readable):
        with file_lock(path, wait=True):
            if not _is_sound(path, is_readable, say=True):
                make()
                _note_checksum(path)
    return path


def require_replaceable(path: Path, overwrite: bool) -> None:
    """Refuse to replace a file unasked, or one that is not a simulated set.

    Raises:
        UserError: The file exists and must not be replaced.
    """
    if not os.path.lexists(path):
        return
    if not overwrite:
        raise UserError(f"{path} exists already: give another path=, or overwrite=true")
    if not _is_simulated(path):
        raise UserError(f"{path}: overwrite=true replaces simulated sets, and this is none; give another path=")


def _is_simulated(path: Path) -> bool:
    try:
        with h5py.File(path, "r") as file:
            return "simulate_config" in file.attrs
    except (OSError, RuntimeError):  # cut short, as every set may be; text has no signature
        return bool(h5py.is_hdf5(path))


@contextmanager
def kept_parts(path: Path, folder: Path) -> Iterator[None]:
    """Keep the parts of a set in ``folder`` when its making is interrupted, and for no other reason.

    What was left of other settings or half written goes first.
    """
    for other in path.parent.glob(f".{path.name}.*.parts"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    for half in (*path.parent.glob(f".{path.name}.*.part"), *folder.glob(".*.part")):
        half.unlink(missing_ok=True)
    try:
        yield
    except WorkerKilledError:
        raise
    except UserError:
        shutil.rmtree(folder, ignore_errors=True)  # a full disk must not stay full of parts
        raise
    shutil.rmtree(folder, ignore_errors=True)


def _is_sound(path: Path, is_readable: Callable[[], bool], say: bool = False) -> bool:
    if not path.exists():
        return False
    try:
        stored = _beside(path).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        stored = ""
    if is_readable() and stored in ("", content_hash(path)):
        if not stored:
            _note_checksum(path)
        return True
    if say:
        _log.warning("%s: the kept set is damaged or cut short; it is made anew", path)
    return False


def _note_checksum(path: Path) -> None:
    with suppress(UserError):  # of a cache that others have filled and that cannot be written
        write_text(_beside(path), f"{content_hash(path)}\n")


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


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

    After an interruption, a call with the same settings makes only the parts that are missing.

    Args:
        simulator: Simulator of patterns (set_files.PatternSimulator) or of particles (simulate.VolumeSimulator),
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
