"""Make simulated sets: parts in parallel processes, joined into one CXI file that is either whole or not there.

The parts lie in a hidden folder beside the file. They are kept when a run is interrupted and used by the next one; a
part or set under its final name is always complete, because both are renamed into place.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf

import spi_lightning
from spi_lightning.errors import UserError
from spi_lightning.files import file_lock
from spi_lightning.io import CxiWriter, open_patterns
from spi_lightning.progress import ProgressBar

from .fingerprint import fingerprint
from .kept_set import kept_parts, kept_set, require_replaceable
from .set_parts import (
    GEOMETRY,
    Part,
    Simulator,
    is_readable,
    make_parts,
    plan_parts,
)

FORMAT_VERSION = 1  # raise it when the layout of the files changes: cached sets are then made anew
_JOIN = 256  # patterns joined at once


def make_set(
    simulator: Simulator,
    patterns: int,
    seed: int,
    path: str | Path,
    workers: int = 1,
    overwrite: bool = False,
    config: Mapping[str, Any] | None = None,
    compression: str = "gzip",
    device: str = "cpu",
) -> Path:
    """Simulate patterns into a CXI file. The first n patterns of a longer set with the same seed are the same.

    Args:
        simulator: Draws block after block, see set_parts.Simulator; must pickle when workers > 1.
        patterns: How many.
        seed: Seed of the set.
        path: The file to make.
        workers: Processes; on another device than the CPU one is used.
        overwrite: Replace an existing set.
        config: The simulator's resolved config, stored in the file as the attribute `simulate_config`.
        compression: See io.CxiWriter.
        device: Where the simulator computes.

    Returns:
        The path.

    Raises:
        UserError: The file exists or is being written by another run, the disk is full, the folder cannot be written.
    """
    path = Path(path)
    with file_lock(path, wait=False):
        require_replaceable(path, overwrite)
        _make(simulator, patterns, seed, path, workers, config, compression, device)
    return path


def cached_set(
    config: Mapping[str, Any],
    simulator: Simulator,
    patterns: int,
    seed: int,
    cache_dir: str | Path,
    workers: int = 1,
    device: str = "cpu",
) -> Path:
    """Path of the set that this config, number and seed give, made first if it is missing.

    The name is a hash of config, simulator, number, seed and the code that simulates. Several processes may ask at
    once: one makes the set, the others wait for it. Arguments and errors as for make_set.
    """
    key = fingerprint(FORMAT_VERSION, spi_lightning.__version__, dict(config), simulator, patterns, seed)
    path = Path(cache_dir) / f"{key}.cxi"
    make = partial(_make, simulator, patterns, seed, path, workers, config, "bitshuffle", device)
    return kept_set(path, make, partial(is_readable, path, patterns))


def _make(
    simulator: Simulator,
    patterns: int,
    seed: int,
    path: Path,
    workers: int,
    config: Mapping[str, Any] | None,
    compression: str,
    device: str,
) -> None:
    """Make what parts are missing, then join them; the caller holds the lock."""
    _check(patterns, workers, device)
    most = getattr(simulator, "most_patterns", None)
    if most is not None and patterns > most:
        raise UserError(f"patterns={patterns}: there are {most} structures, one pattern each; or simulate.repeat=true")
    CxiWriter(path, simulator.shape, patterns, compression=compression)  # refuses its settings before hours of work
    folder = path.with_name(f".{path.name}.{fingerprint(simulator, seed, patterns, device)}.parts")
    parts = plan_parts(simulator, patterns, folder)
    attributes = {
        "simulate_config": OmegaConf.to_yaml(OmegaConf.create(dict(config or {}))),
        "spi_lightning_version": spi_lightning.__version__,
        "seed": seed,
        **getattr(simulator, "attributes", {}),
    }
    with kept_parts(path, folder), ProgressBar(always=True) as progress:
        bar = progress.add_task(f"simulating {path.name}", total=patterns)
        for part in make_parts(simulator, seed, parts, workers, device):
            progress.advance(bar, part.patterns)
        bar = progress.add_task(f"writing {path.name}", total=patterns)
        for count in _join(parts, path, attributes, compression):
            progress.advance(bar, count)


def _join(parts: list[Part], path: Path, attributes: dict[str, Any], compression: str) -> Iterator[int]:
    """Copy the parts into one file, a few hundred patterns at a time; yields how many were copied."""
    files = [open_patterns(part.path, mask_convention="cxi", check=False) for part in parts]
    about = files[0].labels | files[0].images
    labels = {name: (values.shape[1:], values.dtype) for name, values in about.items()}
    dtype = np.result_type(*(file.source.dtype for file in files))
    total, shape, start = sum(map(len, files)), files[0].shape[1:], 0
    with CxiWriter(path, shape, total, dtype, labels, attributes, compression) as cxi:
        for file in files:
            geometry = {name: np.broadcast_to(file.geometry[name], (len(file),)) for name in GEOMETRY}
            for begin in range(0, len(file), _JOIN):
                rows = slice(begin, min(begin + _JOIN, len(file)))
                frames = np.arange(rows.start, rows.stop)
                cxi.write(
                    start + begin,
                    file.read(frames) if dtype.kind in "iu" else file.read_stored(frames),
                    file.read_mask(frames) if file.masks_differ or file.shared_mask is None else file.shared_mask,
                    {name: values[rows] for name, values in file.labels.items()}
                    | {name: file.read_image(name, frames) for name in file.images},
                    {name: values[rows] for name, values in geometry.items()},
                )
                yield len(frames)
            start += len(file)


def _check(patterns: int, workers: int, device: str) -> None:
    if patterns < 1 or workers < 1:
        raise UserError(f"patterns={patterns} and workers={workers} must both be at least 1")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"device={device} is not to be had here ({str(error).splitlines()[0]}): use cpu") from error
