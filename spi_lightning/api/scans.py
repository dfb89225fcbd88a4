"""Rocking scans of Bragg coherent diffraction, from files or arrays, made ready for phasing."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from spi_lightning import io
from spi_lightning.data.scans.preparation import Preparation
from spi_lightning.data.scans.single_pattern import ScanMeasurement, measurement_of, prepare_scan
from spi_lightning.data.scans.single_pattern import measure_scan as measure_file
from spi_lightning.errors import UserError
from spi_lightning.io.patterns.open_patterns import GEOMETRY
from spi_lightning.io.scans.bragg_scan import ScanKeys
from spi_lightning.io.scans.record import BraggScan, without_flaws
from spi_lightning.io.scans.rocking_evidence import rocking_evidence
from spi_lightning.io.scans.spec import is_spec

from .python_words import in_python, require_words


@in_python
def measure_scan(
    scan: str | os.PathLike[str] | ArrayLike | Tensor,
    *,
    geometry: Mapping[str, float | str] | None = None,
    spec: str | None = None,
    number: int | None = None,
    region: Sequence[int] | None = None,
    **settings: Any,
) -> ScanMeasurement:
    """Read, correct, centre, bin and cut a rocking scan around its Bragg peak.

    Args:
        scan: Counts (frames, rows, columns) of NumPy or torch; or an HDF5, NeXus or CXI file, a folder of TIFF frames,
            .npy or .npz.
        geometry: What the file does not state: ``photon_energy`` (eV), ``distance`` and ``pixel_size`` (m),
            ``delta_deg``, ``gamma_deg`` and ``step_deg`` (degree), and others of physics.bragg.geometry.BraggGeometry.
        spec, number: Spec file with the motors of TIFF frames, and number of the scan in it.
        region: First row, last + 1, first column, last + 1 of the part of the frames to read, pixel.
        settings: ``size``, ``bin``, ``threshold``, ``parasitic_peaks`` and others of data.Preparation; of a file also
            the names of its data sets: ``counts``, ``bad_pixels``, ``whitefield``, ``dark``, ``monitor``, ``angle``.

    Returns:
        Amplitudes (z, y, x) = (rocking, row, column) with their mask, geometry and notes, as ``phase`` takes them.

    Raises:
        UserError: An unknown setting, a scan that cannot be read, or a geometry that is not plausible.

    Examples:
        >>> import numpy as np
        >>> from spi_lightning import measure_scan
        >>> z, y, x = np.indices((24, 24, 24)) - 12
        >>> counts = np.round(1e4 * (np.sinc(z / 6) * np.sinc(y / 5) * np.sinc(x / 4)) ** 2)
        >>> measured = measure_scan(counts, size=16, bin=1)
        >>> measured.fourier_amplitude.shape
        torch.Size([16, 16, 16])
    """
    names, known = {one.name for one in fields(ScanKeys)}, {one.name for one in fields(Preparation)}
    is_file = isinstance(scan, str | os.PathLike)
    allowed = known | names if is_file else known
    require_words("measure_scan", settings, sorted(allowed), "settings are")
    preparation = Preparation(**{name: value for name, value in settings.items() if name in known})
    if not is_file:
        values = np.asarray(scan)
        if values.ndim != 3:
            one = "; phase(pattern) takes one 2D pattern" if values.ndim == 2 else ""
            raise UserError(f"measure_scan: an array of shape {values.shape}; give counts (frames, rows, columns){one}")
        counts, notes = without_flaws(values)
        return measurement_of(prepare_scan(BraggScan(Path("array"), counts, notes=notes), preparation, geometry))
    keys = ScanKeys(**{name: value for name, value in settings.items() if name in names})
    return measure_file(os.fspath(scan), keys, preparation, geometry, spec, number, region)  # type: ignore[arg-type]


def is_scan(path: str | os.PathLike[str], geometry: Collection[str] = ()) -> bool:
    """Whether a path holds a rocking scan: a folder, an .npz archive, or a file whose frames are sections of one.

    Args:
        path: File or folder that may hold a scan.
        geometry: Names of quantities that the user states; those of a Bragg geometry alone say that it is a scan.
    """
    where = Path(path)
    if set(geometry) - set(GEOMETRY) or where.is_dir() or where.suffix.lower() == ".npz":
        return True
    if where.is_file() and is_spec(where):
        return True
    opened = io.open_patterns(path, check=False)
    return len(opened) > 1 and rocking_evidence(opened) is not None
