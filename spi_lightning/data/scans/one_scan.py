"""Measurement of a rocking scan for phasing: the 3D pattern around its Bragg peak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spi_lightning.data.measurement import Measurement
from spi_lightning.io.scans.bragg_scan import ScanKeys
from spi_lightning.physics.bragg.laboratory import ScanAxes, axes_of

from .preparation import Preparation
from .single_pattern import read_pattern


@dataclass(frozen=True)
class ScanMeasurement(Measurement):
    """Measured rocking scan, a 3D pattern.

    Attributes:
        axes: Axes of the voxels of its density in the laboratory; None where the geometry is incomplete.
        prepared: Preparation of the counts, by the names of the settings, for metrics.json.
    """

    axes: ScanAxes | None = None
    prepared: dict[str, Any] = field(default_factory=dict)


def measure_scan(
    path: str | Path | Sequence[str],
    keys: ScanKeys | None = None,
    preparation: Preparation | None = None,
    geometry: Mapping[str, float | str | None] | None = None,
    spec: str | None = None,
    scan: int | None = None,
    region: Sequence[int] | None = None,
) -> ScanMeasurement:
    """Read, correct, centre, bin and cut a scan; arguments and errors of data.single_pattern.read_pattern.

    Returns:
        The amplitudes (z, y, x) = (rocking, row, column) with their mask. Their frequency steps are those of the three
        measured directions, which are not perpendicular; lengths along them are right, angles are not.
    """
    made = read_pattern(path, keys, preparation, geometry, spec, scan, region)
    axes = axes_of(made.geometry, tuple(made.pattern.photons.shape), made.pattern.bin)
    steps = None if axes is None else _steps(axes, made.pattern.photons.shape)
    return ScanMeasurement(
        made.pattern.fourier_amplitude,
        made.pattern.mask,
        steps,
        notes=list(made.notes),
        counted=made.pattern.counted,
        poisson=made.pattern.poisson,
        axes=axes,
        prepared=made.prepared(),
    )


def _steps(axes: ScanAxes, shape: Sequence[int]) -> tuple[float, ...]:
    """Frequency per voxel along each axis of the scan, 1/m; the steps between voxels are the columns."""
    return tuple(1 / (n * float(vector.norm())) for n, vector in zip(shape, axes.vectors.T, strict=True))
