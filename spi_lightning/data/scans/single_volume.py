"""Measured 3D patterns as one batch, for refinement without ground truth."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from spi_lightning.data.hits import PatternBatches, log_notes
from spi_lightning.data.measurement import Measurement
from spi_lightning.errors import UserError
from spi_lightning.fields import FOURIER_AMPLITUDE, FRAME, HELD_OUT, MASK, Batch
from spi_lightning.io.scans.bragg_scan import ScanKeys
from spi_lightning.phasing.checks import hold_out
from spi_lightning.physics.bragg.laboratory import ScanAxes
from spi_lightning.physics.bragg.preparation import PreparedPattern

from .volume_patterns import ScanSettings


class SingleVolumes(Dataset[Batch]):
    """Patterns of one size, in memory: fourier_amplitude, mask and held_out (B, 1, Z, Y, X), frame (B,).

    Args:
        patterns: Prepared patterns of one shape.
        fraction: Share of the measured voxels to hold out: they are not fitted and validate the result.
        seed: Seed of the held-out voxels.
    """

    def __init__(self, patterns: Sequence[PreparedPattern | Measurement], fraction: float = 0.0, seed: int = 0) -> None:
        self.amplitude = torch.stack([pattern.fourier_amplitude for pattern in patterns])[:, None]
        mask = torch.stack([pattern.mask for pattern in patterns])[:, None]
        if fraction > 0:
            self.mask, self.held = hold_out(mask, fraction, seed, ndim=3, pairs=False)
        else:
            self.mask, self.held = mask, torch.zeros_like(mask)

    def __len__(self) -> int:
        return len(self.amplitude)

    def __getitem__(self, index: int | Sequence[int]) -> Batch:
        if isinstance(index, int | np.integer):
            return {name: values[0] for name, values in self[[int(index)]].items()}
        rows = torch.as_tensor(np.asarray(index, dtype=np.int64))
        return {
            FOURIER_AMPLITUDE: self.amplitude[rows],
            MASK: self.mask[rows],
            HELD_OUT: self.held[rows],
            FRAME: rows,
        }


class SingleVolumeDataModule(PatternBatches):
    """Measured 3D patterns of one preparation in one batch, the same for refinement and validation.

    Args:
        path: Scan, or list of scans, see io.scans.bragg_scan.open_scan.
        key: Data set of the counts, short for keys.counts; None: the usual names, or the only one with three axes.
        size, bin, threshold: Preparation of the scans, see data.scans.preparation.Preparation.
        held_out: Share of the measured voxels held out of the refinement; the central 5 x 5 x 5 are always fitted.
        seed: Seed of the held-out voxels.
        keys, geometry: Names of data sets and geometry, as in data.scans.single_pattern.measure_scan.

    Attributes:
        names: Names of the patterns, after setup.
        axes: Axes of the voxels of each pattern in the laboratory; None where the geometry is incomplete.

    Raises:
        UserError: In setup, a scan cannot be read or prepared, or shapes differ.
    """

    def __init__(
        self,
        path: str | Sequence[str],
        key: str | None = None,
        size: int | Sequence[int] = 64,
        bin: int | Sequence[int] = 1,
        threshold: float = 0.0,
        held_out: float = 0.0,
        seed: int = 0,
        keys: ScanKeys | None = None,
        geometry: Mapping[str, float | str | None] | None = None,
    ) -> None:
        super().__init__(batch_size=1_000_000, num_workers=0, seed=seed)
        if not isinstance(held_out, int | float) or not 0 <= held_out < 0.5:
            raise UserError(f"data.held_out={held_out}: give a share from 0 to 0.5")
        self.path, self.held_out = path, held_out
        self.scans = ScanSettings(key, size, bin, threshold, keys, geometry)
        self.names: list[str] = []
        self.axes: list[ScanAxes | None] = []

    @classmethod
    def of_pattern(cls, fourier_amplitude: Tensor, mask: Tensor) -> Self:
        """Data module of one pattern in memory: Fourier amplitudes, origin at n // 2, and mask, (Z, Y, X) each."""
        module = cls(path="")
        patterns = SingleVolumes([PreparedPattern(fourier_amplitude.square(), mask, (1, 1, 1), (0, 0, 0))])
        module.splits = {"train": patterns, "val": patterns, "predict": patterns}
        return module

    def setup(self, stage: str) -> None:
        """Read and prepare the scans, and log the notes."""
        if self.splits:
            return
        paths = [self.path] if isinstance(self.path, str) else list(self.path)
        prepared = self.scans.measure(paths)
        log_notes(note.about(path) for path, one in zip(paths, prepared, strict=True) for note in one.notes)
        shapes = {tuple(one.mask.shape) for one in prepared}
        if len(shapes) != 1:
            raise UserError(f"data.path: patterns of shapes {sorted(shapes)}; give scans of one shape, by data.size")
        self.names, self.axes = [Path(path).stem for path in paths], [one.axes for one in prepared]
        patterns = SingleVolumes(prepared, self.held_out, self.seed)
        self.splits = {"train": patterns, "val": patterns, "predict": patterns}

    def whole(self) -> Batch:
        """All patterns as one batch."""
        return self.splits["train"][list(range(self.patterns_in("train")))]
