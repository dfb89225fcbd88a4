"""Tracking of runs and artifacts; the only sub-package that imports wandb."""

from spi_lightning.results.training import CONFIG, LOG, METRICS

from .earlier_run import clear_earlier, earlier_notes, record_run, require_free
from .loggers import Tracking
from .run_folder import VERSIONS, AtomicCheckpointIO, versions
from .wandb_run import WandbRun

__all__ = [
    "CONFIG",
    "LOG",
    "METRICS",
    "VERSIONS",
    "AtomicCheckpointIO",
    "Tracking",
    "WandbRun",
    "clear_earlier",
    "earlier_notes",
    "record_run",
    "require_free",
    "versions",
]
