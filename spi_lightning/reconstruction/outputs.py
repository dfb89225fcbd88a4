"""Files of a reconstruction: phasing.h5 for the report, result.cxi for other programs, laboratory.* for crystals."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from spi_lightning.codec import save
from spi_lightning.data.scans.single_pattern import ScanMeasurement
from spi_lightning.io.volumes.cxi_image import CxiImage, write_cxi_image
from spi_lightning.results.phasing import PHASING_FILE, PhasingResult

from .assessment import assess
from .laboratory import write_crystal
from .reconstruct import Reconstruction

IMAGE: Final = "result.cxi"
_CURVES: Final = (
    *("frequency", "prtf", "prtf_corrected", "prtf_modulus", "fsc", "half_bit"),
    *("error", "final_error", "held_out_error", "kept"),
)


def write_reconstruction(
    folder: Path, reconstruction: Reconstruction, source: str = ""
) -> tuple[PhasingResult, dict[str, Any]]:
    """Assess a reconstruction and write everything but its report.

    Args:
        folder: Folder of the run, which exists.
        reconstruction: The starts of one pattern and what they agree on.
        source: File of the pattern, for the notes in result.cxi.

    Returns:
        What phasing.h5 holds, and the numbers of metrics.json.

    Raises:
        UserError: A file cannot be written.
    """
    result, numbers = assess(reconstruction)
    measured = reconstruction.problem.measured
    notes, more = write_crystal(folder, measured, result, "mean of the kept starts")
    about = replace(result.about, data=source)
    result = replace(result, notes=(*result.notes, *notes), about=about)
    numbers |= more
    if isinstance(measured, ScanMeasurement):
        numbers["preparation"] = measured.prepared
    numbers["result"] = write_image(result, folder / IMAGE).name
    result = replace(result, metrics=numbers)
    save(folder / PHASING_FILE, result)
    return result, numbers


def write_image(result: PhasingResult, path: Path) -> Path:
    """Write the density with its support, PRTF and errors as a CXI image that other programs open."""
    results: dict[str, Any] = {name: getattr(result, name) for name in _CURVES if getattr(result, name).size}
    results["starts"] = result.starts
    if result.point_spread is not None:
        results["point_spread"] = result.point_spread
    notes = {name: str(value) for name, value in asdict(result.about).items() if value != ""}
    pixel = list(result.pixel) if result.known else None
    return write_cxi_image(path, CxiImage(result.density, result.support, pixel, results, notes))
