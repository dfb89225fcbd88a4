"""Files of simulated sets: 2D patterns in one CXI file, 3D particles in one HDF5 file.

A CXI file holds photons or intensities, masks, labels and geometry. Of particles, amplitude and phase are half floats;
noise-free patterns are one Fourier transform away and would take eight times the space, so that only the counted
photons and masks of a noisy simulation are stored.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import h5py
import hdf5plugin
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.fields import AMPLITUDE, DISTANCE, FIELDS, INTENSITY, MASK, PHASE, PHOTON_ENERGY, PHOTONS, PIXEL_SIZE
from spi_lightning.files import atomic_write
from spi_lightning.io import CxiWriter, open_patterns
from spi_lightning.simulate.volumes import VolumeSimulator
from spi_lightning.write_errors import new_hdf5

from .parts import Drawn, Part

GEOMETRY: Final = (PHOTON_ENERGY, DISTANCE, PIXEL_SIZE)
_PART_PIXELS: Final = 1 << 23  # 512 patterns of 128 x 128: what a worker holds in memory and loses when interrupted
_LEAST_PARTS: Final = 8  # of a set that has as many blocks
_AT_ONCE: Final = 256  # patterns joined at once


class PatternSimulator(Protocol):
    """Simulator of 2D patterns, a parts.BlockSimulator."""

    block_size: int
    shape: tuple[int, int]

    def __call__(self, block: int, seed: int, device: str = "cpu") -> dict[str, Tensor]:
        """The names of fields.py for block_size patterns: photons (N, H, W), mask (N, H, W) bool, labels (N, ...).

        Instead of photons there may be an intensity; what is not whole numbers is stored as float32.
        """
        ...


@dataclass(frozen=True)
class PatternSet:
    """Layout of a set of 2D patterns: every part, and the whole, is a CXI file.

    Args:
        simulator: Simulator that draws the patterns.
        compression: Filter of the patterns in the whole file, see io.CxiWriter.
    """

    simulator: PatternSimulator
    compression: str = "gzip"
    suffix: str = ".cxi"

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of the file that the simulator sets, such as the names of its structures."""
        return dict(getattr(self.simulator, "attributes", {}))

    def require_valid(self, path: Path, patterns: int) -> None:
        """Raise UserError for an unknown compression, or more patterns than the simulator has."""
        most = getattr(self.simulator, "most_patterns", None)
        if most is not None and patterns > most:
            raise UserError(
                f"patterns={patterns}: there are {most} structures, one pattern each; or simulate.repeat=true"
            )
        CxiWriter(path, self.simulator.shape, patterns, compression=self.compression)

    def blocks_per_part(self, blocks: int) -> int:
        """As many blocks as a worker holds in memory, but not less than eight parts."""
        height, width = self.simulator.shape
        return max(1, min(_PART_PIXELS // (self.simulator.block_size * height * width), blocks // _LEAST_PARTS))

    def write_part(self, path: Path, drawn: Drawn) -> None:
        """Write the patterns of a part as CXI."""
        measured = PHOTONS if PHOTONS in drawn else INTENSITY
        pattern = drawn[measured]
        labels = {name: values for name, values in drawn.items() if name not in (measured, MASK, *GEOMETRY)}
        with CxiWriter(
            path,
            self.simulator.shape,
            len(pattern),
            _smallest_type(pattern),
            {name: (values.shape[1:], values.dtype) for name, values in labels.items()},
            compression="bitshuffle",
        ) as cxi:
            cxi.write(0, pattern, drawn[MASK], labels, {name: drawn[name] for name in GEOMETRY})

    def is_whole(self, path: Path, patterns: int) -> bool:
        """Whether a CXI file exists, has a readable first and last pattern, and the right length."""
        if not path.exists():
            return False
        try:
            file = open_patterns(path, mask_convention="cxi", check=False)
            file.read_stored([0, len(file) - 1])
            return len(file) == patterns
        except UserError:
            return False

    def join(self, parts: list[Part], path: Path, attributes: dict[str, Any]) -> Iterator[int]:
        """Copy the parts into one file, a few hundred patterns at a time; yields how many were copied."""
        files = [open_patterns(part.path, mask_convention="cxi", check=False) for part in parts]
        about = files[0].labels | files[0].images
        labels = {name: (values.shape[1:], values.dtype) for name, values in about.items()}
        dtype = np.result_type(*(file.source.dtype for file in files))
        total, shape, start = sum(map(len, files)), files[0].shape[1:], 0
        with CxiWriter(path, shape, total, dtype, labels, attributes, self.compression) as cxi:
            for file in files:
                geometry = {name: np.broadcast_to(file.geometry[name], (len(file),)) for name in GEOMETRY}
                for begin in range(0, len(file), _AT_ONCE):
                    rows = slice(begin, min(begin + _AT_ONCE, len(file)))
                    frames = np.arange(rows.start, rows.stop)
                    cxi.write(
                        start + begin,
                        file.read(frames) if dtype.kind in "iu" else file.read_stored(frames),
                        file.read_mask(frames) if file.masks_differ or file.shared_mask is None else file.shared_mask,
                        {name: values[rows] for name, values in file.labels.items()}
                        | {name: file.read_image(name, frames) for name in file.images},
                        {name: values[rows] for name, values in geometry.items()},
                    )
                    yield len(frames)
                start += len(file)


def _smallest_type(pattern: NDArray[Any]) -> str:
    """The smallest type that holds counts, float32 for intensities."""
    if not np.array_equal(pattern, np.rint(pattern)):
        return "float32"
    return "uint16" if pattern.max(initial=0) <= np.iinfo(np.uint16).max else "int32"


ENTRY: Final = "/entry_1/particles_1"
_STORED: Final = {AMPLITUDE: "float16", PHASE: "float16", INTENSITY: "uint32", MASK: "bool"}
_COMPRESSION: Final[dict[str, Any]] = dict(hdf5plugin.Bitshuffle(cname="zstd"))


@dataclass(frozen=True)
class VolumeSet:
    """Layout of a set of 3D particles: every part, one block, and the whole is an HDF5 file.

    Args:
        simulator: Simulator that draws the particles.
    """

    simulator: VolumeSimulator
    suffix: str = ".h5"

    @property
    def attributes(self) -> dict[str, Any]:
        """Edge of the pattern, voxel, and the rule by which the twin was chosen."""
        return {"pattern_size": self.simulator.size, "twin_rule": self.simulator.rule}

    def require_valid(self, path: Path, patterns: int) -> None:
        """No check: the simulator checks its own settings."""

    def blocks_per_part(self, blocks: int) -> int:
        """One block."""
        return 1

    def write_part(self, path: Path, drawn: Drawn) -> None:
        """Write the particles of a part."""
        with atomic_write(path) as temporary, new_hdf5(temporary) as file:
            for name, values in drawn.items():
                _create_dataset(file, name, values.shape)[:] = values

    def is_whole(self, path: Path, patterns: int) -> bool:
        """Whether a file of particles exists, has a readable first and last one, and the right length."""
        try:
            with h5py.File(path, "r") as file:
                lengths = {len(values) for values in file[ENTRY].values() if len(values[[0, -1]])}
        except (OSError, KeyError, ValueError, RuntimeError):
            return False
        return lengths == {patterns}

    def join(self, parts: list[Part], path: Path, attributes: dict[str, Any]) -> Iterator[int]:
        """Copy the parts into one file, one at a time; yields how many particles were copied."""
        total, start = sum(part.patterns for part in parts), 0
        with atomic_write(path) as temporary, new_hdf5(temporary) as file:
            for part in parts:
                with h5py.File(part.path, "r") as drawn:
                    for name, values in drawn[ENTRY].items():
                        if start == 0:
                            _create_dataset(file, name, (total, *values.shape[1:]))
                        file[f"{ENTRY}/{name}"][start : start + part.patterns] = values[:]
                start += part.patterns
                yield part.patterns
            file.attrs.update(attributes)


def _create_dataset(file: h5py.File, name: str, shape: tuple[int, ...]) -> h5py.Dataset:
    """An empty data set of this shape, one chunk per particle."""
    made = file.create_dataset(
        f"{ENTRY}/{name}", shape, _STORED[name], chunks=(1, *shape[1:]), fletcher32=True, **_COMPRESSION
    )
    made.attrs["units"], made.attrs["meaning"] = FIELDS[name].unit, FIELDS[name].meaning
    return made
