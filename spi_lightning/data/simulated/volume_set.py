"""Sets of simulated 3D particles on disk: one HDF5 file with amplitude and phase, and counted photons where noisy.

Amplitude and phase are half floats; noise-free patterns are one Fourier transform away and would take eight times the
space, so that only the counted photons and masks of a noisy simulation are stored.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import hdf5plugin

from spi_lightning.fields import AMPLITUDE, FIELDS, INTENSITY, MASK, PHASE
from spi_lightning.files import atomic_write
from spi_lightning.simulate.volumes import VolumeSimulator
from spi_lightning.write_errors import new_hdf5

from .parts import Drawn, Part

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
        """Nothing can be wrong besides what the simulator refuses itself."""

    def blocks_per_part(self, blocks: int) -> int:
        """One block."""
        return 1

    def write_part(self, path: Path, drawn: Drawn) -> None:
        """Write the particles of a part."""
        with atomic_write(path) as temporary, new_hdf5(temporary) as file:
            for name, values in drawn.items():
                _create(file, name, values.shape)[:] = values

    def is_whole(self, path: Path, patterns: int) -> bool:
        """Whether a file of particles is there, whole as far as its ends tell, and of the right length."""
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
                            _create(file, name, (total, *values.shape[1:]))
                        file[f"{ENTRY}/{name}"][start : start + part.patterns] = values[:]
                start += part.patterns
                yield part.patterns
            file.attrs.update(attributes)


def _create(file: h5py.File, name: str, shape: tuple[int, ...]) -> h5py.Dataset:
    """An empty data set of this shape, one chunk per particle."""
    made = file.create_dataset(
        f"{ENTRY}/{name}", shape, _STORED[name], chunks=(1, *shape[1:]), fletcher32=True, **_COMPRESSION
    )
    made.attrs["units"], made.attrs["meaning"] = FIELDS[name].unit, FIELDS[name].meaning
    return made
