"""One rocking scan made ready for phasing: the 3D pattern around its Bragg peak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from spi_lightning.data.one_frame import Measurement
from spi_lightning.data.single_pattern import MeasuredPattern, Preparation, read_pattern
from spi_lightning.io.bragg_scan import ScanKeys


def measure_scan(
    path: str | Path | Sequence[str],
    keys: ScanKeys | None = None,
    preparation: Preparation | None = None,
    geometry: Mapping[str, float | str] | None = None,
    spec: str | None = None,
    scan: int | None = None,
    region: Sequence[int] | None = None,
) -> Measurement:
    """Read, correct, centre, bin and cut a scan; arguments and errors of data.single_pattern.read_pattern.

    Returns:
        The amplitudes (z, y, x) = (rocking, row, column) with their mask. Their frequency steps are those of the three
        measured directions, which a scan does not make perpendicular; lengths along them are right, angles are not.
    """
    made = read_pattern(path, keys, preparation, geometry, spec, scan, region)
    return Measurement(made.pattern.fourier_amplitude, made.pattern.mask, _steps(made), notes=list(made.notes))


def _steps(made: MeasuredPattern) -> tuple[float, ...] | None:
    vectors = made.voxel_vectors()
    if vectors is None:
        return None
    # the steps are the columns
    lengths = [n * float(vector.norm()) for n, vector in zip(made.pattern.photons.shape, vectors.T, strict=True)]
    return tuple(1 / length for length in lengths)
