"""What a comparison of 3D phasing found, kept in volumes.h5 of its run folder, from which its page is made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.files import atomic_write
from spi_lightning.io.hdf5.file import opened
from spi_lightning.write_errors import new_hdf5

Array = NDArray[Any]
VOLUMES: Final = "volumes.h5"


@dataclass(frozen=True)
class ShownMethod:
    """One method on one pattern that is shown; arrays by name.

    mean (complex), deviation (float) and best (complex), all (z, y, x) with the origin at n // 2: mean and root mean
    square deviation of the runs that agree, and the run of least chi square. weight (K,) Fourier spectral weight of
    the best run in the units of the measured amplitudes; prtf, prtf_corrected (without chance), fsc, half_bit (K,),
    empty where there is none; chance: PRTF of as many unrelated runs. predicted (Z, Y, X) float32, Fourier amplitudes
    of the best run; kept: how many runs agree.
    """

    arrays: Mapping[str, Array]


@dataclass(frozen=True)
class ShownPattern:
    """A pattern that is shown.

    Attributes:
        name: Of the pattern.
        fourier_amplitude, mask: (Z, Y, X) measured.
        weight: (K,) Fourier spectral weight of the measured amplitudes.
        truth: (z, y, x) complex; None where unknown.
        methods: In the order of VolumeFiles.names.
    """

    name: str
    fourier_amplitude: Array
    mask: Array
    weight: Array
    truth: Array | None
    methods: list[ShownMethod]


@dataclass(frozen=True)
class VolumeFiles:
    """A whole comparison: P patterns, M draws of held-out voxels, S seeds, K shells.

    Attributes:
        names: Of the methods.
        columns: Of each method: number -> (P, M, S).
        traces: Of each method on the first pattern and draw: step (T,), seconds (T,), chi_square (T, S).
        frequency: (K,) cycles per voxel.
        voxel: (3,) edges of a voxel of the density, m; NaN where unknown.
        patterns: Those that are shown.
        about: Plain words and numbers, as in evaluation.json.
    """

    names: list[str]
    columns: list[dict[str, Array]]
    traces: list[dict[str, Array]]
    frequency: Array
    voxel: Array
    patterns: list[ShownPattern]
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether lengths are known."""
        return bool(np.isfinite(self.voxel).all())

    def write(self, folder: Path) -> Path:
        """Write volumes.h5, whole or not at all."""
        path = folder / VOLUMES
        with atomic_write(path) as part, new_hdf5(part) as file:
            file.attrs["names"], file.attrs["about"] = json.dumps(self.names), json.dumps(self.about)
            _put(file, "frequency", self.frequency)
            _put(file, "voxel", self.voxel)
            for number, (columns, trace) in enumerate(zip(self.columns, self.traces, strict=True)):
                for name, values in columns.items():
                    _put(file, f"columns/{number}/{name}", values)
                for name, values in trace.items():
                    _put(file, f"traces/{number}/{name}", values)
            for number, pattern in enumerate(self.patterns):
                _put_pattern(file.create_group(f"patterns/{number}"), pattern)
        return path

    @classmethod
    def read(cls, folder: Path) -> VolumeFiles:
        """Read volumes.h5 of a run folder. Raises UserError as io.hdf5.file.opened does."""
        with opened(folder / VOLUMES) as file:
            names = json.loads(str(file.attrs["names"]))
            count = range(len(names))
            patterns = file.get("patterns", {})
            return cls(
                names,
                [_arrays(file[f"columns/{number}"]) for number in count],
                [_arrays(file[f"traces/{number}"]) for number in count],
                file["frequency"][()],
                file["voxel"][()],
                [_pattern(patterns[str(number)], len(names)) for number in range(len(patterns))],
                json.loads(str(file.attrs["about"])),
            )


def _put(group: h5py.Group, name: str, values: Array) -> None:
    packed = {"compression": "gzip", "shuffle": True} if values.size > 1000 else {}
    group.create_dataset(name, data=values, **packed)


def _put_pattern(group: h5py.Group, pattern: ShownPattern) -> None:
    group.attrs["name"] = pattern.name
    for name in ("fourier_amplitude", "mask", "weight", "truth"):
        if (values := getattr(pattern, name)) is not None:
            _put(group, name, values)
    for number, method in enumerate(pattern.methods):
        for name, values in method.arrays.items():
            _put(group, f"methods/{number}/{name}", values)


def _arrays(group: h5py.Group) -> dict[str, Array]:
    return {name: item[()] for name, item in group.items()}


def _pattern(group: h5py.Group, methods: int) -> ShownPattern:
    return ShownPattern(
        str(group.attrs["name"]),
        group["fourier_amplitude"][()],
        group["mask"][()],
        group["weight"][()],
        group["truth"][()] if "truth" in group else None,
        [ShownMethod(_arrays(group[f"methods/{number}"])) for number in range(methods)],
    )
