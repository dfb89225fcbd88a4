"""Crystal of a phased rocking scan in the laboratory frame, with its displacement and strain along Q."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from spi_lightning.data.measurement import Measurement
from spi_lightning.data.scans.single_pattern import ScanMeasurement
from spi_lightning.errors import UserError
from spi_lightning.io.volumes.laboratory_file import write_laboratory
from spi_lightning.notes import Note
from spi_lightning.physics.bragg.laboratory import (
    DETECTOR_FRAME,
    LaboratoryCrystal,
    ScanAxes,
    crystal_in_laboratory,
)
from spi_lightning.results.phasing import PhasingResult

NAME: Final = "laboratory"
_REAL = "the density is real, so there is no displacement or strain to write: phasing.constraint=complex finds one"


def frame_of(measured: Measurement) -> str:
    """Words on the axes of the density of a rocking scan; empty for other measurements."""
    return DETECTOR_FRAME if isinstance(measured, ScanMeasurement) else ""


def axes_of(measured: Measurement) -> ScanAxes | None:
    """Axes of the density of a rocking scan; None for other measurements, and where the geometry is incomplete."""
    return measured.axes if isinstance(measured, ScanMeasurement) else None


def write_crystal(
    folder: Path, measured: Measurement, result: PhasingResult, title: str
) -> tuple[list[Note], dict[str, float]]:
    """Write ``laboratory.{cxi,vti,mrc,npz}`` of a phased rocking scan; nothing of other measurements.

    Args:
        folder: Folder of the run.
        measured: Scan that was phased; without its geometry, which its notes then name, nothing is written.
        result: What was found; of one that is not resolved, the note states no displacement and strain.
        title: Name of the density in the files.

    Returns:
        Notes, and the numbers ``laboratory/...`` of metrics.json.

    Raises:
        UserError: A file cannot be written.
    """
    if not isinstance(measured, ScanMeasurement) or measured.axes is None:
        return [], {}
    if not np.iscomplexobj(result.density):
        return [Note.of(_REAL)], {}
    crystal, refusal = write_in_laboratory(folder / NAME, result.density, result.support, measured.axes, title)
    if crystal is None:
        return [Note.of(refusal)], {}
    numbers = crystal.numbers
    line = f"{NAME}.cxi, .vti, .mrc, .npz: the crystal in the laboratory frame, displacement and strain along Q "
    if result.unresolved:
        line += f"(unconfirmed, so no numbers are given: {result.unresolved})"
        return [Note.of(line)], {f"{NAME}/{name}": value for name, value in numbers.items()}
    line += (
        f"(root mean square {numbers['displacement_rms_pm']:.3g} pm and {numbers['strain_rms']:.2e} of the "
        f"{numbers['firm_share']:.0%} of its voxels inside its surface and at least half as bright as its median)"
    )
    return [Note.of(line)], {f"{NAME}/{name}": value for name, value in numbers.items()}


def write_in_laboratory(
    stem: Path, density: NDArray[Any], support: NDArray[np.bool_], axes: ScanAxes, title: str
) -> tuple[LaboratoryCrystal | None, str]:
    """Write one crystal in the laboratory frame; None, and why, where there is none.

    Args:
        stem: Path of the files without their endings .cxi, .vti, .mrc and .npz.
        density: (z, y, x) complex, in the frame of the detector.
        support: (z, y, x) bool, where the crystal is.
        axes: Directions and lengths of the voxels in the laboratory.
        title: Name of the density in the files.
    """
    try:
        crystal = crystal_in_laboratory(torch.from_numpy(density), torch.from_numpy(support), axes)
    except UserError as error:
        return None, str(error)
    write_laboratory(stem, crystal, title)
    return crystal, ""
