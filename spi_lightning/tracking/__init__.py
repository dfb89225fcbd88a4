"""Tracking of runs and artifacts; the only sub-package that imports wandb."""

from typing import TYPE_CHECKING

from spi_lightning import lazily

if TYPE_CHECKING:
    from spi_lightning.results.training import CONFIG, LOG, METRICS, VERSIONS

    from .checkpoint_io import AtomicCheckpointIO
    from .earlier_run import clear_earlier, earlier_notes, record_run, require_free
    from .loggers import Tracking
    from .run_folder import versions
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

__getattr__ = lazily(__name__)
