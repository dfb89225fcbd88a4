"""Reconstruction of one pattern: first support, starts, phasing, polish, assessment, laboratory frame.

Arrays and dataclasses in, a Reconstruction out; no configuration files::

    measured = Measurement.from_intensity(photons, mask)  # or measure_frame(path), measure_scan(path)
    found = reconstruct(measured, ReconstructionSettings(starts=10, support="triple_intersection"))
    result, numbers = assess(found)

Many patterns at once, without an assessment, are phased by spi_lightning.phasing alone.
"""

from spi_lightning.data.measurement import Measurement

from .assessment import assess
from .merged import MergedMeasurement, measure_merged
from .outputs import write_reconstruction
from .polish import bars, silent
from .problem import PhasingProblem, prepare
from .reconstruct import Reconstruction, reconstruct, solve
from .settings import AUTO, Phasing, ReconstructionSettings

__all__ = [
    "AUTO",
    "Measurement",
    "MergedMeasurement",
    "Phasing",
    "PhasingProblem",
    "Reconstruction",
    "ReconstructionSettings",
    "assess",
    "bars",
    "measure_merged",
    "prepare",
    "reconstruct",
    "silent",
    "solve",
    "write_reconstruction",
]
