"""The EMC of this package on the files that are written for Dragonfly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from spi_lightning.distributed import find_device
from spi_lightning.io.dragonfly.emc import EmcFrames

from .dragonfly import PHOTONS, DragonflyInput, first_guess
from .emc import EmcInput, EmcRun, read_emc, run_emc
from .settings import OrientationSettings


def run_native(folder: Path, written: DragonflyInput, settings: OrientationSettings) -> None:
    """Run the iterations in a folder that holds photons.emc; it gets data/output_NNN.h5 and EMC.log.

    Args:
        folder: Folder of the files; a run of the same patterns and settings that was interrupted there goes on.
        written: What was written into it for Dragonfly.
        settings: Settings of EMC.
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
    guess = first_guess(source.mean(), written.detector, written.size, settings.start.noise, settings.start.seed)
    with _threads(settings.threads):
        run_emc(folder, source, guess, run)


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Context in which torch computes with this number of threads; None: as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
