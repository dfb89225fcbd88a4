"""A checkpoint that says how it came about."""

from typing import Any

import pytorch_lightning as pl

import spi_lightning


class SaveConfig(pl.Callback):
    """Puts the resolved configuration, as plain containers, into every checkpoint under ``config``.

    A task can then be rebuilt from that one file, loaded with weights_only=True.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the configuration and the version of this package."""
        checkpoint["config"] = self.config
        checkpoint["spi_lightning_version"] = spi_lightning.__version__
