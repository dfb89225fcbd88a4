"""Writer of CXI files, block by block and atomically."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import h5py
import hdf5plugin
import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from spi_lightning.errors import UserError
from spi_lightning.fields import DISTANCE, FIELDS, PHOTON_ENERGY, PIXEL_SIZE
from spi_lightning.files import atomic_write, write_error
from spi_lightning.io.masks.convention import to_bits
from spi_lightning.physics.constants import ELEMENTARY_CHARGE
from spi_lightning.write_errors import ErrorRecordingFile

DETECTOR: Final = "/entry_1/instrument_1/detector_1"
SOURCE: Final = "/entry_1/instrument_1/source_1"
LABELS: Final = "/entry_1/labels_1"
_GEOMETRY: Final[dict[str, tuple[tuple[str, float], ...]]] = {
    DISTANCE: ((f"{DETECTOR}/distance", 1.0),),
    PIXEL_SIZE: ((f"{DETECTOR}/x_pixel_size", 1.0), (f"{DETECTOR}/y_pixel_size", 1.0)),
    PHOTON_ENERGY: ((f"{SOURCE}/energy", ELEMENTARY_CHARGE),),
}


def write_geometry(file: h5py.File, name: str, values: NDArray[np.float64]) -> None:
    """Write (N,) distance, pixel_size (m) or photon_energy (eV) under CXI's names; a scalar if all are equal."""
    for key, factor in _GEOMETRY[name]:
        scaled = values * factor
        if len(scaled) and (scaled == scaled[0]).all():
            file[key] = scaled[0]
        else:
            file.create_dataset(key, data=scaled, fletcher32=len(scaled) > 0 or None)


_CHUNK_BYTES: Final = 1 << 16  # small enough to shuffle single patterns, large enough to compress and to stream
_COMPRESSION: Final[dict[str, dict[str, Any]]] = {
    "none": {},
    "gzip": {"compression": "gzip", "compression_opts": 1, "shuffle": True},
    "bitshuffle": dict(hdf5plugin.Bitshuffle(cname="lz4")),
}


class CxiWriter:
    """Writer of a CXI file of N patterns in any order; leaving the `with` block puts the file in place.

    Everything goes to a hidden temporary file beside `path`. A clean exit checks that all N patterns were written and
    renames it to `path` (os.replace); an exception, Ctrl-C included, removes it. So `path` never holds half a set.

        with CxiWriter("set.cxi", (128, 128), 1000, "uint16",
                       labels={"is_single_hit": ((), "int64"), "orientation": ((4,), "float32")},
                       attributes={"seed": 1, "simulate_config": yaml_text}) as cxi:
            cxi.write(0, photons, mask, labels={"is_single_hit": ..., "orientation": ...},
                      geometry={"photon_energy": 1570.0, "distance": 0.581, "pixel_size": 6e-4})

    Args:
        path: Path of the file to write; its folder is created.
        shape: Detector rows and columns (H, W).
        patterns: Number of patterns N.
        dtype: Integer type of the counts on disk; counts that do not fit raise UserError. A floating-point type stores
            expected intensities.
        labels: Name -> (shape of one pattern's value, dtype); stored as /entry_1/labels_1/<name>, (N, *shape).
        attributes: Attributes of the file by name: str, int, float.
        compression: "gzip" (any HDF5 reads it), "bitshuffle" (faster; readers need hdf5plugin) or "none".
        linked: Layout of a virtual data set (N, H, W) of the patterns, with which `annotate` replaces `write`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        shape: tuple[int, int],
        patterns: int,
        dtype: DTypeLike = "uint16",
        labels: Mapping[str, tuple[tuple[int, ...], DTypeLike]] | None = None,
        attributes: Mapping[str, str | int | float] | None = None,
        compression: str = "gzip",
        linked: h5py.VirtualLayout | None = None,
    ) -> None:
        if compression not in _COMPRESSION:
            raise UserError(f"compression={compression} is unknown; choose one of {', '.join(_COMPRESSION)}")
        self.path, self.shape, self.patterns, self.dtype = Path(path), tuple(shape), int(patterns), np.dtype(dtype)
        self._labels, self._attributes = dict(labels or {}), dict(attributes or {})
        self._compression, self._linked = compression, linked
        self._writing = contextlib.ExitStack()
        self._written = np.zeros(self.patterns, dtype=bool)
        self._shared_mask: NDArray[np.uint32] | None = None
        self._geometry: dict[str, NDArray[np.float64]] = {}

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as writing:
            self._store = ErrorRecordingFile(writing.enter_context(atomic_write(self.path)))
            writing.callback(self._store.close)
            self._file = writing.enter_context(h5py.File(self._store, "w"))
            with self._storing():
                self._lay_out()
            self._writing = writing.pop_all()
        return self

    @contextlib.contextmanager
    def _storing(self) -> Iterator[None]:
        """Convert write errors of the system to UserError."""
        try:
            yield
            if self._store.error is not None:
                raise self._store.error
        except OSError as error:
            raise write_error(self.path, error) from error

    def _lay_out(self) -> None:
        """Create the groups, links and empty data sets of CXI 1.60."""
        file, n = self._file, self.patterns
        for name, value in self._attributes.items():
            file.attrs[name] = value
        file["cxi_version"], file["number_of_entries"] = 160, 1
        if self._linked is None:
            chunk = max(1, min(n, _CHUNK_BYTES // max(1, self.dtype.itemsize * self.shape[0] * self.shape[1])))
            stored = {"chunks": (chunk, *self.shape), "fletcher32": True, **_COMPRESSION[self._compression]}
            layout: dict[str, Any] = stored if n else {}
            data = file.create_dataset(f"{DETECTOR}/data", (n, *self.shape), self.dtype, **layout)
        else:
            data = file.create_virtual_dataset(f"{DETECTOR}/data", self._linked)
        data.attrs["axes"] = "experiment_identifier:y:x"
        data.attrs["units"] = "photons"
        file["/entry_1/data_1/data"] = h5py.SoftLink(f"{DETECTOR}/data")
        for name, (shape, dtype) in self._labels.items():
            images = {"chunks": (1, *shape), **_COMPRESSION[self._compression]} if len(shape) > 1 else {"chunks": True}
            kept = {"fletcher32": True, **images} if n and np.dtype(dtype).kind != "O" else {}
            label = file.create_dataset(f"{LABELS}/{name}", (n, *shape), dtype, **kept)
            if name in FIELDS:
                label.attrs["units"], label.attrs["meaning"] = FIELDS[name].unit, FIELDS[name].meaning

    def write(
        self,
        start: int,
        photons: ArrayLike,
        mask: ArrayLike | None = None,
        labels: Mapping[str, ArrayLike] | None = None,
        geometry: Mapping[str, ArrayLike] | None = None,
    ) -> None:
        """Store n patterns from ``start`` on; tensors on the CPU are accepted as arrays.

        Args:
            start: Number of the first pattern.
            photons: (n, H, W) counts, integers of any dtype; or intensities.
            mask: (H, W) or (n, H, W); bool True = measured, or uint32 CXI bits. Stored once if all are equal.
            labels: Name -> values (n, ...) of the names passed at creation.
            geometry: `distance`, `pixel_size` (m) and `photon_energy` (eV; stored in J): one number or (n,) each.

        Raises:
            UserError: Counts do not fit the dtype, or the disk is full.
            ValueError: A shape or name does not fit those passed at creation.
        """
        counts = np.asarray(photons)
        stop = start + len(counts)
        if counts.ndim != 3 or counts.shape[1:] != self.shape or not 0 <= start <= stop <= self.patterns:
            raise ValueError(f"patterns {start}+{counts.shape} do not fit a set of {(self.patterns, *self.shape)}")
        with self._storing():
            self._file[f"{DETECTOR}/data"][start:stop] = self._as_stored(counts)
        self.annotate(start, stop, mask, labels, geometry)

    def annotate(
        self,
        start: int,
        stop: int,
        mask: ArrayLike | None = None,
        labels: Mapping[str, ArrayLike] | None = None,
        geometry: Mapping[str, ArrayLike] | None = None,
    ) -> None:
        """Store mask, labels and geometry of patterns start..stop, as `write` does."""
        with self._storing():
            self._write_mask(start, stop, np.ones(self.shape, dtype=bool) if mask is None else np.asarray(mask))
            for name, values in (labels or {}).items():
                self._file[f"{LABELS}/{name}"][start:stop] = np.asarray(values)
        for name, values in (geometry or {}).items():
            whole = self._geometry.setdefault(name, np.full(self.patterns, np.nan))
            whole[start:stop] = np.asarray(values, dtype=np.float64)
        self._written[start:stop] = True

    def _as_stored(self, counts: NDArray[Any]) -> NDArray[Any]:
        """Counts (n, H, W) cast to the dtype on disk; UserError instead of overflow."""
        if self.dtype.kind == "f":
            return counts.astype(self.dtype, copy=False)
        limits = np.iinfo(self.dtype)
        if counts.dtype.kind == "f" and not np.array_equal(counts, np.rint(counts)):
            raise UserError(f"{self.path}: photons to be written are not all whole numbers; draw or convert them first")
        if counts.size and not (limits.min <= counts.min() and counts.max() <= limits.max):
            raise UserError(
                f"{self.path}: counts from {counts.min():g} to {counts.max():g} do not fit {self.dtype}; "
                "write the set with dtype=int32"
            )
        return counts.astype(self.dtype, copy=False)

    def _write_mask(self, start: int, stop: int, mask: NDArray[Any]) -> None:
        """Store the mask: one (H, W) while all patterns share it, (N, H, W) from the first different one on."""
        bits = to_bits(mask)
        if bits.shape not in (self.shape, (stop - start, *self.shape)):
            raise ValueError(f"mask {bits.shape} does not fit {stop - start} patterns of {self.shape}")
        if start == stop:
            return
        if self._shared_mask is None:
            self._shared_mask = bits if bits.ndim == 2 else bits[0].copy()
        name = f"{DETECTOR}/mask"
        if name not in self._file:
            if (bits == self._shared_mask).all():
                return
            chunks = (1, *self.shape)
            masks = self._file.create_dataset(
                name, (self.patterns, *self.shape), np.uint32, chunks=chunks, fletcher32=True, **_COMPRESSION["gzip"]
            )
            for i in np.flatnonzero(self._written):
                masks[i] = self._shared_mask
        self._file[name][start:stop] = bits

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._writing.__exit__(kind, error, trace)
            return
        with self._writing:
            if not self._written.all():
                raise ValueError(f"{self.path}: {self._written.sum()} of {self.patterns} patterns were written")
            with self._storing():
                self._finish()
                self._file.close()
                self._store.close()

    def _finish(self) -> None:
        """Store the shared mask and the geometry."""
        if self._shared_mask is not None and f"{DETECTOR}/mask" not in self._file:
            self._file.create_dataset(f"{DETECTOR}/mask", data=self._shared_mask, chunks=self.shape, fletcher32=True)
        for name, values in self._geometry.items():
            write_geometry(self._file, name, values)
