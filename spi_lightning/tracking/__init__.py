"""Tracking of runs and artifacts; the only sub-package that imports wandb."""

from .earlier_run import clear_earlier, earlier_notes, record_run, require_free
from .loggers import Tracking
from .run_folder import CONFIG, LOG, METRICS, VERSIONS, AtomicCheckpointIO, versions

__all__ = [
    "CONFIG",
    "LOG",
    "METRICS",
    "VERSIONS",
    "AtomicCheckpointIO",
    "Tracking",
    "clear_earlier",
    "earlier_notes",
    "record_run",
    "require_free",
    "versions",
]
