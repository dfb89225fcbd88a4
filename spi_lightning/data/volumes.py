"""Batches of 3D particles with amplitude and phase, and their patterns, from files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from spi_lightning.data.simulated.set_files import ENTRY
from spi_lightning.errors import UserError
from spi_lightning.fields import AMPLITUDE, FOURIER_AMPLITUDE, FRAME, INTENSITY, MASK, PHASE, Batch
from spi_lightning.io.hdf5.file import dataset, opened
from spi_lightning.io.scans.bragg_scan import ScanKeys
from spi_lightning.simulate.volumes import pattern_of

from .hits import PatternBatches
from .splits import split_by_particle


def volume_batch(drawn: Batch, frame: Tensor, size: int) -> Batch:
    """Training batch from the particles of a simulator or a file.

    Args:
        drawn: Batch with amplitude, phase (B, z, y, x) and, unless noise-free, intensity, mask (B, Z, Y, X).
        frame: (B,) int64 index of the particles.
        size: Edge of the pattern, voxel.

    Returns:
        fourier_amplitude = sqrt(intensity) float32 and mask bool, (B, 1, Z, Y, X); amplitude and phase float32,
        (B, 1, z, y, x); frame (B,). Origin at n // 2 everywhere.
    """
    amplitude, phase = drawn[AMPLITUDE].float(), drawn[PHASE].float()
    if INTENSITY in drawn:
        pattern, mask = drawn[INTENSITY].float().sqrt(), drawn[MASK]
    else:
        pattern = pattern_of(amplitude, phase, size)
        mask = torch.ones(1, dtype=torch.bool, device=pattern.device).expand(pattern.shape)
    return {
        FOURIER_AMPLITUDE: pattern[:, None],
        MASK: mask[:, None],
        AMPLITUDE: amplitude[:, None],
        PHASE: phase[:, None],
        FRAME: frame.to(pattern.device),
    }


class VolumeDataset(Dataset[Batch]):
    """Particles of one file made by make_set; ``dataset[[3, 1]]`` is a finished batch, see volume_batch.

    Args:
        path: HDF5 file with amplitude and phase, and intensity and mask where noise was added.
        frames: (n,) int64 index of the particles; None: all.
        device: Device of patterns and batches. Except on the CPU all particles are loaded there once, as
            half floats: 131 kB for each of 32 x 32 x 32 voxels, 3.9 GB for 30,000.

    Raises:
        UserError: The file is missing, damaged or of another kind, or its particles exceed the memory of the device.
    """

    def __init__(self, path: str | Path, frames: np.ndarray | None = None, device: str = "cpu") -> None:
        self.path, self.device = Path(path), device
        with opened(self.path) as file:
            amplitude = dataset(file, f"{ENTRY}/{AMPLITUDE}", "data.path")
            phase = dataset(file, f"{ENTRY}/{PHASE}", "data.path")
            if amplitude.ndim != 4 or phase.shape != amplitude.shape:
                raise UserError(f"{path}: amplitude {amplitude.shape} and phase {phase.shape}, not (N, z, y, x) both")
            names = [AMPLITUDE, PHASE] + [name for name in (INTENSITY, MASK) if f"{ENTRY}/{name}" in file]
            self.names, self.total = names, int(amplitude.shape[0])
            self.size = int(file.attrs.get("pattern_size", 2 * amplitude.shape[-1]))
        self.frames = np.arange(self.total) if frames is None else np.asarray(frames, dtype=np.int64)
        self._held: Batch | None = None
        self._file: h5py.File | None = None

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int | Sequence[int]) -> Batch:
        if isinstance(index, int | np.integer):
            return {name: values[0] for name, values in self[[int(index)]].items()}
        frames = self.frames[np.asarray(index, dtype=np.int64)]
        frame = torch.from_numpy(frames)
        drawn = self._read(frames) if self.device == "cpu" else self._gather(frame)
        return volume_batch(drawn, frame, self.size)

    def __getstate__(self) -> dict[str, object]:
        """Pickle without the open file, so that every worker opens its own."""
        return self.__dict__ | {"_file": None, "_held": None}

    def _read(self, frames: np.ndarray) -> Batch:
        """Read particles (B,) from the file."""
        if self._file is None:
            self._file = h5py.File(self.path, "r")
        unique, inverse = np.unique(frames, return_inverse=True)  # HDF5 needs rising indices
        try:
            read = {name: self._file[f"{ENTRY}/{name}"][unique][inverse] for name in self.names}
        except OSError as error:
            raise UserError(f"{self.path}: the file is damaged ({error}); make it again") from error
        for name, values in read.items():
            _require_numbers(values, name, unique, self.path)
        return {name: torch.from_numpy(values) for name, values in read.items()}

    def _gather(self, frame: Tensor) -> Batch:
        """Gather particles (B,) from the memory of the device."""
        if self._held is None:
            try:
                self._held = {
                    name: values.to(self.device) for name, values in self._read(np.arange(self.total)).items()
                }
            except torch.OutOfMemoryError as error:
                raise UserError(f"{self.path}: does not fit into {self.device}; set data.device=cpu") from error
        rows = frame.to(self.device)
        return {name: values[rows] for name, values in self._held.items()}


class VolumeDataModule(PatternBatches):
    """Particles of one file, split into train, val and test.

    Args:
        path: HDF5 file of the particles, see VolumeDataset.
        fractions: Share of the particles in train, val and test; 95 to 5 in Wu et al. (2021).
        device: Device of patterns and batches, see VolumeDataset; other than the CPU only with num_workers=0.
        batch_size, num_workers, seed: Loading of batches, as in PatternBatches.
        key, size, bin, threshold, keys, geometry: Options of a measured scan in evaluations, see open_volume_patterns.
    """

    def __init__(
        self,
        path: str,
        fractions: Mapping[str, float] | None = None,
        device: str = "cpu",
        batch_size: int = 32,
        num_workers: int = 0,
        seed: int = 0,
        key: str | None = None,
        size: int | Sequence[int] | None = 64,
        bin: int | Sequence[int] | None = 1,
        threshold: float = 0.0,
        keys: ScanKeys | None = None,
        geometry: Mapping[str, float | str | None] | None = None,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        require_main_process(device, num_workers)
        self.path, self.device = path, device
        self.fractions = dict(fractions or {"train": 0.95, "val": 0.05, "test": 0.0})

    def setup(self, stage: str) -> None:
        """Open the file and split its particles."""
        if self.splits:
            return
        whole = VolumeDataset(self.path, device=self.device)
        self.splits["predict"] = whole
        for name, rows in split_by_particle(np.arange(len(whole)), self.fractions, self.seed).items():
            self.splits[name] = VolumeDataset(self.path, rows, self.device)


def _require_numbers(values: np.ndarray, name: str, frames: np.ndarray, path: Path) -> None:
    """Refuse particles or patterns (B, ...) with NaN, infinite or, except phases, negative values; UserError."""
    if not values.size or values.dtype.kind == "b":
        return
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)) or (low < 0 and name != PHASE):
        which = f"{name} of particles {frames.min()} to {frames.max()}"
        raise UserError(f"{path}: {which} holds {_of_what(values)}; make the file again")


def _of_what(values: np.ndarray) -> str:
    wrong = int((~np.isfinite(values)).sum())
    return f"{wrong} voxels that are not numbers" if wrong else f"negative values, down to {float(values.min()):.3g}"


def require_main_process(device: str, num_workers: int) -> None:
    """Refuse worker processes that would make batches on a GPU; UserError."""
    if device != "cpu" and num_workers > 0:
        raise UserError(f"data.device={device} makes batches in the main process: set data.num_workers=0")
