"""The particle a refinement found, as a file in the run folder."""

from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl

from spi_lightning.io.emc_writer import replacing
from spi_lightning.tasks import Refinement

NAME = "reconstruction.npz"


class WriteReconstruction(pl.Callback):
    """Writes the densities of a Refinement and their numbers to ``reconstruction.npz`` after each look at the result.

    The file holds density (members, z, y, x) complex, members of one pattern together, and chi_square, correlation,
    correlation_modified and held_out_chi_square (members,) of these densities, polished once the refinement is over.

    Args:
        folder: Run folder.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the file; it is whole or the one before."""
        if not isinstance(pl_module, Refinement) or not pl_module.reconstruction or not trainer.is_global_zero:
            return
        found: dict[str, Any] = {name: value.cpu().numpy() for name, value in pl_module.reconstruction.items()}
        polished = {
            name.removeprefix("polished_"): value for name, value in found.items() if name.startswith("polished_")
        }
        arrays = {name: value for name, value in found.items() if not name.startswith("polished_")} | polished
        with replacing(self.folder / NAME) as part, part.open("wb") as file:
            np.savez_compressed(file, **arrays)
