"""Writer of one iteration in the layout of Dragonfly's output_NNN.h5, and of its table EMC.log.

Source: dragonfly-spi 0.1.0; the layout is described in output.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.files import atomic_write, write_text
from spi_lightning.write_errors import new_hdf5

from .output import LOG_COLUMNS

_LEAST: Final = 1e-6  # probability below which Dragonfly writes none
_FORMATS: Final = ("{:.0f}", "{:.2f}", "{:.4e}", "{:.6f}", "{:.9e}", "{:.0f}", "{:.6f}")


def write_output(
    path: Path,
    arrays: Mapping[str, NDArray[Any]],
    candidate: NDArray[np.int64],
    probability: NDArray[np.float64],
    parameters: Mapping[str, str | float],
) -> None:
    """Write output_NNN.h5 atomically.

    Args:
        path: Path of the file.
        arrays: Data sets by their names in the file; volumes (M, M, M) ordered z, y, x, written as (1, M, M, M) ordered
            x, y, z.
        candidate, probability: (N, k) most probable orientations of each pattern, and their probabilities; those of
            1e-6 or less are left out.
        parameters: Scalars of the group params.
    """
    with atomic_write(path) as part, new_hdf5(part) as file:
        for name, array in arrays.items():
            file[name] = np.ascontiguousarray(array.transpose(2, 1, 0))[None] if array.ndim == 3 else array
        for name, value in parameters.items():
            file[f"params/{name}"] = value
        file["probabilities/num_rot"] = [len(arrays["quaternions"])]
        likely = probability > _LEAST
        for name, kind, values in (("place", "i4", candidate), ("prob", "f8", probability)):
            rows = file.create_dataset(f"probabilities/{name}", (len(values),), h5py.vlen_dtype(np.dtype(kind)))
            for number, (row, kept) in enumerate(zip(values, likely, strict=True)):
                rows[number] = row[kept].astype(kind)


def write_log(path: Path, columns: Mapping[str, NDArray[np.float64]]) -> None:
    """Write EMC.log, a table of the columns LOG_COLUMNS (iterations,), atomically."""
    head = "Cryptotomography with the EMC algorithm of spi_lightning\n\n"
    head += "Iter\ttime\trms_change\tinfo_rate\tlog-likelihood\tnum_rot\tbeta\n"
    rows = zip(*(columns[name] for name in LOG_COLUMNS), strict=True)
    lines = ("\t".join(form.format(value) for form, value in zip(_FORMATS, row, strict=True)) for row in rows)
    write_text(path, head + "".join(f"{line}\n" for line in lines))
