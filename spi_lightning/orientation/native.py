"""The EMC of this package on the files that are written for Dragonfly."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from spi_lightning.distributed import find_device
from spi_lightning.files import atomic_write
from spi_lightning.io.dragonfly.emc import EmcFrames

from .dragonfly import LOG, OUTPUT, PHOTONS, DragonflyInput, first_guess
from .emc import EmcInput, EmcRun, read_emc, run_emc
from .settings import OrientationSettings

STARTS: Final = "starts"


def run_native(folder: Path, written: DragonflyInput, settings: OrientationSettings) -> dict[str, Any]:
    """Run the iterations in a folder that holds photons.emc; it gets data/output_NNN.h5 and EMC.log.

    Args:
        folder: Folder of the files; a run of the same patterns and settings that was interrupted there goes on.
        written: What was written into it for Dragonfly.
        settings: Settings of EMC.

    Returns:
        Further numbers for metrics.json: of several first guesses, the log-likelihood that each has led to.
    """
    frames = EmcFrames(folder / PHOTONS, written.detector.shape).stored
    counts = np.asarray(frames.flat(0, written.patterns), dtype=np.int32)
    source = EmcInput(counts, written.detector, written.size)
    run = EmcRun(
        read_emc(settings.emc),
        settings.iterations,
        settings.tolerance,
        settings.keep,
        find_device(settings.device),
        settings.memory * 1e9,
    )
    guesses = [replace(settings.start, seed=settings.start.seed + number) for number in range(settings.start.count)]
    volumes = [first_guess(source.mean(), written.detector, written.size, each) for each in guesses]
    with _threads(settings.threads):
        if len(guesses) == 1:
            run_emc(folder, source, volumes[0], run)
            return {}
        titles = [f"EMC from start {number + 1} of {len(guesses)}" for number in range(len(guesses))]
        homes = [folder / STARTS / str(guess.seed) for guess in guesses]
        runs = zip(homes, volumes, titles, strict=True)
        likelihood = [run_emc(home, source, volume, run, title) for home, volume, title in runs]
    _take(homes[int(np.argmax(likelihood))], folder)
    return {"starts": {str(guess.seed): value for guess, value in zip(guesses, likelihood, strict=True)}}


def _take(home: Path, folder: Path) -> None:
    """Copy outputs and log of a run into another folder, in place of those there."""
    files = [home / LOG, *(home / OUTPUT).glob("output_*.h5")]
    for old in (folder / OUTPUT).glob("output_*.h5"):
        old.unlink()
    for file in files:
        with atomic_write(folder / file.relative_to(home)) as part:
            shutil.copyfile(file, part)


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Context in which torch computes with this number of threads; None: as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
