"""Checkpoints that are whole or absent."""

from pathlib import Path
from typing import IO, Any, cast

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from spi_lightning.files import replacing
from spi_lightning.io.patient_file import patient_file


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it: a killed run leaves the one before, never half of one."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        """Write a checkpoint to a local path."""
        with replacing(path) as part, patient_file(part) as file:
            torch.save(checkpoint, cast(IO[bytes], file))

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove one local file; a resumed run takes the path from a checkpoint, so no folder and no address."""
        Path(path).unlink(missing_ok=True)
