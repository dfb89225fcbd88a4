"""Densities of a refinement as a file in the run folder."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.trainer.states import TrainerFn

from spi_lightning.files import atomic_write
from spi_lightning.io.volumes.laboratory_file import write_laboratory
from spi_lightning.physics.bragg.laboratory import DETECTOR_FRAME, ScanAxes, crystal_in_laboratory
from spi_lightning.tasks import Refinement

NAME = "reconstruction.npz"
_log = logging.getLogger(__name__)


class WriteReconstruction(pl.Callback):
    """Write the densities of a Refinement and their errors to ``reconstruction.npz`` after each validation.

    The file holds density (members, z, y, x) complex, members of one pattern together, and chi_square, correlation,
    correlation_modified and held_out_chi_square (members,) of these densities, polished at the end;
    point_spread (members, 3), widths of the blur by partial coherence, pixels, where one was fitted; frame as text,
    and, where the geometry is known, voxel_m (3,) along the axes of the scan. Then, once it is over,
    ``PATTERN_laboratory.{cxi,vti,mrc,npz}`` hold the best member of each pattern in the laboratory frame.

    Args:
        folder: Run folder of the file.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the file atomically."""
        if not isinstance(pl_module, Refinement) or not pl_module.reconstruction or not trainer.is_global_zero:
            return
        found: dict[str, Any] = {name: value.cpu().numpy() for name, value in pl_module.reconstruction.items()}
        polished = {
            name.removeprefix("polished_"): value for name, value in found.items() if name.startswith("polished_")
        }
        arrays = {name: value for name, value in found.items() if not name.startswith("polished_")} | polished
        axes = getattr(trainer.datamodule, "axes", [])  # type: ignore[attr-defined]
        if axes and axes[0] is not None:
            arrays["voxel_m"] = axes[0].vectors.norm(dim=0).numpy()
        arrays["frame"] = np.array(DETECTOR_FRAME)
        with atomic_write(self.folder / NAME) as part, part.open("wb") as file:
            np.savez_compressed(file, **arrays)
        if trainer.state.fn != TrainerFn.FITTING:
            if (widths := pl_module.results.get("val/point_spread")) is not None:
                medians = ", ".join(f"{width:.2f}" for width in widths)
                _log.info(f"blur by partial coherence, medians along z, y, x: {medians} pixels (root mean square)")
            self._in_laboratory(arrays, trainer.datamodule.names if axes else [], axes)  # type: ignore[attr-defined]

    def _in_laboratory(self, arrays: dict[str, Any], names: Sequence[str], axes: Sequence[ScanAxes | None]) -> None:
        """Transform the best member of each pattern with known geometry to the laboratory frame, and write it."""
        for number, (name, each) in enumerate(zip(names, axes, strict=True)):
            members = len(arrays["density"]) // len(names)
            best = number * members + int(arrays["chi_square"][number * members : (number + 1) * members].argmin())
            density = torch.from_numpy(arrays["density"][best])
            if each is not None and bool(density.abs().max() > 0):
                support = density.abs() > 0.1 * density.abs().max()
                title = f"{name}, the member of least chi square of {members}"
                stem = self.folder / f"{name}_laboratory"
                write_laboratory(stem, crystal_in_laboratory(density, support, each), title)
                _log.info(f"{stem}.cxi, .vti, .mrc, .npz: laboratory frame, displacement and strain along Q")
