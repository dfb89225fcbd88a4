"""Runs and artifacts: the only place that knows wandb."""

from spi_lightning.tracking.atomic_checkpoint import AtomicCheckpointIO
from spi_lightning.tracking.earlier_run import clear_earlier, earlier_notes, require_free
from spi_lightning.tracking.loggers import Tracking
from spi_lightning.tracking.run_folder import CONFIG, LOG, METRICS, VERSIONS, versions

__all__ = [
    "CONFIG",
    "LOG",
    "METRICS",
    "VERSIONS",
    "AtomicCheckpointIO",
    "Tracking",
    "clear_earlier",
    "earlier_notes",
    "require_free",
    "versions",
]
