"""One measured 3D pattern, or a few, to be refined without ground truth."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch
from lightning_utilities.core.rank_zero import rank_zero_only
from torch import Tensor
from torch.utils.data import Dataset

from spi_lightning.data.hits import PatternBatches
from spi_lightning.fields import FRAME, MASK, Batch, UserError
from spi_lightning.io.hdf5_file import opened
from spi_lightning.phasing.held_out import hold_out
from spi_lightning.physics.bragg_preparation import PreparedPattern, prepare
from spi_lightning.physics.oversampling import estimate_oversampling

FOURIER_AMPLITUDE, HELD_OUT = "fourier_amplitude", "held_out"
CORRECTIONS = ("whitefield", "bad_pixels", "dark", "monitor")


class SingleVolumes(Dataset[Batch]):
    """Patterns of one size, in memory: fourier_amplitude, mask and held_out (B, 1, Z, Y, X), frame (B,).

    Args:
        patterns: Prepared, all of one shape.
        fraction: Share of the measured voxels to hold out: they are neither fitted nor shown, and judge the result.
        seed: Of the draw.
    """

    def __init__(self, patterns: Sequence[PreparedPattern], fraction: float = 0.0, seed: int = 0) -> None:
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
    """Measured 3D patterns, prepared alike, in one batch; the same ones to refine and to judge.

    Args:
        path: Scan, or list of scans, see read_scan.
        key: Data set of the counts; ``counts``, or the only one with three axes, if None.
        size, bins, threshold: See physics.bragg_preparation.prepare.
        held_out: Share of the measured voxels that are kept from the refinement, to judge it by; the central 5 x 5 x 5
            are always fitted.
        seed: Of their draw.

    Raises:
        UserError: In setup, from reading and preparation.
    """

    def __init__(
        self,
        path: str | Sequence[str],
        key: str | None = None,
        size: int | Sequence[int] = 64,
        bins: int | Sequence[int] = 1,
        threshold: float = 2.0,
        held_out: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size=1_000_000, num_workers=0, seed=seed)
        if not 0 <= held_out < 0.5:
            raise UserError(f"data.held_out={held_out}: give a share from 0 to 0.5.")
        self.path, self.key, self.size, self.bins = path, key, size, bins
        self.threshold, self.held_out = threshold, held_out
        self.names: list[str] = []

    def setup(self, stage: str) -> None:
        """Read and prepare the scans; say what was done to them."""
        if self.splits:
            return
        paths = [self.path] if isinstance(self.path, str) else list(self.path)
        prepared = []
        for path in paths:
            scan: dict[str, Any] = dict(read_scan(path, self.key))
            prepared.append(prepare(size=_three(self.size), bins=_three(self.bins), threshold=self.threshold, **scan))
            notes = [*prepared[-1].notes, str(estimate_oversampling(prepared[-1].photons))]
            for note in notes:
                _say(f"{path}: {note}")
        self.names = [Path(path).stem for path in paths]
        patterns = SingleVolumes(prepared, self.held_out, self.seed)
        self.splits = {"train": patterns, "val": patterns, "predict": patterns}

    def whole(self) -> Batch:
        """All patterns as one batch."""
        return self.splits["train"][list(range(self.patterns_in("train")))]


def read_scan(path: str, key: str | None = None) -> dict[str, Tensor]:
    """Counts (frames, rows, columns) of a scan, and whitefield, bad_pixels, dark and monitor where the file has them.

    Args:
        path: HDF5, .npy, .npz or a TIFF stack.
        key: Data set of HDF5 or npz files; ``counts``, or the only one with three axes, if None.

    Raises:
        UserError: No such file, no or several data sets with three axes, or another number of axes.
    """
    file = Path(path)
    if file.suffix.lower() in (".npy", ".npz", ".tif", ".tiff"):
        arrays = _read_array(file)
    else:
        with opened(file) as source:
            found: list[str] = []
            source.visititems(lambda name, node: found.append(name) if hasattr(node, "shape") else None)
            wanted = [name for name in found if len(source[name].shape) == 3 or name in CORRECTIONS]
            arrays = {name: np.asarray(source[name][()]) for name in wanted}
    volumes = [name for name, values in arrays.items() if values.ndim == 3]
    name = key or ("counts" if "counts" in volumes else volumes[0] if len(volumes) == 1 else None)
    if name not in volumes:
        asked = "no data set of counts was found" if key is None else f"data.key={key} is no data set with three axes"
        raise UserError(
            f"{path}: {asked}; data.key= names counts (frames, rows, columns), and those with three axes are "
            f"{', '.join(volumes) or 'none'}."
        )
    counts = torch.from_numpy(np.asarray(arrays[name], dtype=np.float32))
    corrections = {
        part: torch.from_numpy(np.asarray(arrays[part], dtype=np.float64)) for part in CORRECTIONS if part in arrays
    }
    return {"counts": counts, **corrections}


def _read_array(file: Path) -> dict[str, np.ndarray]:
    """Arrays of a .npy, .npz or TIFF file."""
    try:
        if file.suffix.lower() in (".tif", ".tiff"):
            return {"counts": np.asarray(tifffile.imread(file))}
        loaded = np.load(file, allow_pickle=False)
        return dict(loaded) if file.suffix.lower() == ".npz" else {"counts": loaded}
    except FileNotFoundError as error:
        raise UserError(f"{file}: there is no such file; check data.path=") from error
    except (OSError, ValueError, tifffile.TiffFileError) as error:
        raise UserError(f"{file}: cannot be read as an array of numbers ({error}).") from error


def _three(value: int | Sequence[int]) -> int | tuple[int, int, int]:
    if isinstance(value, int):
        return value
    if len(value) != 3:
        raise UserError(f"data.size and data.bins: give one number or three, got {list(value)}.")
    return int(value[0]), int(value[1]), int(value[2])


@rank_zero_only
def _say(line: str) -> None:
    logging.getLogger(__name__).info(line)
