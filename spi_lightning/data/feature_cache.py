"""Cache on disk of the features of frozen networks, one row per pattern of a file."""

import logging
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.fields import FEATURES, FRAME, Batch
from spi_lightning.files import file_lock, write_json
from spi_lightning.fingerprint import fingerprint
from spi_lightning.io import PatternFile
from spi_lightning.io.patterns.content_key import content_key
from spi_lightning.locations import CACHE
from spi_lightning.networks.logistic_head import Backbone
from spi_lightning.progress import ProgressBar

from .hits import HitDataset

FORMAT_VERSION = 2  # raise it when the layout of the files, or the arithmetic of a backbone, changes
DTYPES = ("float32", "float16")
_VALUES, _SUMS = "features.npy", "sums.npy"
_log = logging.getLogger(__name__)


def cached_features(
    patterns: PatternFile,
    backbone: Backbone,
    frames: NDArray[np.int64] | None = None,
    cache_dir: str | Path = CACHE,
    dtype: str = "float32",
    device: torch.device | str = "cpu",
) -> NDArray[Any]:
    """Features of the patterns of a file, from the cache or computed and added to it.

    They lie in ``<cache_dir>/features/<key>``, the key being a hash of what was read of the file, see content_key, of
    the backbone's weights and of its settings: a changed file, option or weight has other features, a moved or renamed
    file the same. Rows have checksums; damaged ones are recomputed, with a warning. Rows computed before an
    interruption are used by the next run; concurrent processes wait for each other.

    Args:
        patterns: Pattern file of N frames.
        backbone: Map from photons and mask to features.
        frames: (n,) int64 index of the frames needed; None: all.
        cache_dir: Folder of the cache.
        dtype: Type of the stored features: ``float32``, or ``float16``, half as large (8,192 features of 240,000
            patterns: 3.9 GB) and exact to 5e-4 of each value.
        device: Device of the backbone.

    Returns:
        (N, width) of the dtype, memory-mapped, changes not kept; rows of frames never requested are zero.

    Raises:
        UserError: The folder cannot be written, the disk is too small, a frame cannot be read, or the dtype is unknown.
    """
    if dtype not in DTYPES:
        raise UserError(f"feature dtype={dtype} is unknown: choose one of {', '.join(DTYPES)}")
    wanted = np.arange(len(patterns)) if frames is None else patterns.check_indices(frames)
    key = fingerprint(FORMAT_VERSION, content_key(patterns), backbone.key, dtype)
    folder = Path(cache_dir) / "features" / key
    try:
        with file_lock(folder / _VALUES):
            if not _is_laid_out(folder, (len(patterns), backbone.width), np.dtype(dtype)):
                _reserve(folder, len(patterns), backbone, dtype, patterns)
            _compute_missing(folder, patterns, backbone, wanted, torch.device(device))
            return np.load(folder / _VALUES, mmap_mode="c")  # type: ignore[no-any-return]
    except OSError as error:
        raise UserError(f"{folder}: features cannot be kept ({error.strerror}); give another cache folder") from error


class FeatureDataset(HitDataset):
    """Frames of one pattern file with their features, with or without photons and mask.

    ``dataset[[3, 1, 2]]``: features (B, d) float32, and the entries of HitDataset.

    Args:
        file: Pattern file from io.open_patterns.
        frames: (n,) int64 index of the frames.
        features: (N, d) of all frames of the file, see cached_features.
        patterns: Whether batches hold photons and mask.
    """

    def __init__(
        self, file: PatternFile, frames: NDArray[np.int64], features: NDArray[Any], patterns: bool = True
    ) -> None:
        super().__init__(file, frames)
        self.features, self.patterns = features, patterns

    def __getitem__(self, index: int | Sequence[int]) -> Batch:
        if isinstance(index, int | np.integer):
            return {name: values[0] for name, values in self[[int(index)]].items()}
        frames = self.frames[np.asarray(index, dtype=np.int64)]
        features = torch.from_numpy(self.features[frames].astype(np.float32, copy=False))
        if self.patterns:
            return {**super().__getitem__(index), FEATURES: features}
        frame = torch.from_numpy(frames)
        return {FEATURES: features, FRAME: frame, **self.labels_of(frame)}


def _is_laid_out(folder: Path, shape: tuple[int, int], dtype: np.dtype[Any]) -> bool:
    """Whether the files exist at full size; truncated ones are restarted with a warning."""
    if not (folder / "about.json").exists():
        return False
    try:
        features, sums = (np.load(folder / name, mmap_mode="r") for name in (_VALUES, _SUMS))
        if (features.shape, features.dtype, sums.shape) == (shape, dtype, shape[:1]):
            return True
    except (OSError, ValueError):
        pass
    _log.warning("%s: the kept features are damaged or cut short; they are computed anew", folder)
    return False


def _reserve(folder: Path, count: int, backbone: Backbone, dtype: str, patterns: PatternFile) -> None:
    """Create the files at full size, so that a full disk is detected before the computation."""
    features = np.lib.format.open_memmap(folder / _VALUES, "w+", np.dtype(dtype), (count, backbone.width))
    size = (folder / _VALUES).stat().st_size
    del features
    with (folder / _VALUES).open("r+b") as file:
        _allocate(file, size)
    np.save(folder / _SUMS, np.zeros(count, dtype=np.uint32))
    about = {"patterns": str(patterns.path), "backbone": backbone.label, "shape": [count, backbone.width]}
    write_json(folder / "about.json", about)


def _allocate(file: IO[bytes], size: int) -> None:
    """Reserve the space of a file, in bytes; some file systems cannot."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)


@torch.inference_mode()
def _compute_missing(
    folder: Path, patterns: PatternFile, backbone: Backbone, wanted: NDArray[np.int64], device: torch.device
) -> None:
    """Compute missing rows in batches; a row counts as done after it was written."""
    features = np.load(folder / _VALUES, mmap_mode="r+")
    sums = np.load(folder / _SUMS, mmap_mode="r+")  # CRC-32 of every row, 0 where it is missing
    rows = np.unique(wanted)
    missing = rows[[zlib.crc32(features[row].tobytes()) != sums[row] for row in rows]] if len(rows) else rows
    if (damaged := np.count_nonzero(sums[missing])) > 0:
        _log.warning("%s: kept features of %d patterns are damaged; they are computed anew", folder, damaged)
    if len(missing) == 0:
        return
    with ProgressBar() as progress:
        bar = progress.add_task(f"features of {backbone.label}", total=len(missing))
        for start in range(0, len(missing), backbone.batch_size):
            rows = missing[start : start + backbone.batch_size]
            photons = torch.from_numpy(patterns.read(rows))[:, None].to(device)
            mask = torch.from_numpy(np.array(patterns.read_mask(rows)))[:, None].to(device)
            with np.errstate(over="ignore"):
                values = backbone(photons, mask).cpu().numpy().astype(features.dtype)
            if not np.isfinite(values).all():
                where = (
                    f"{patterns.path}: {backbone.label} gives NaN or infinite values for frames {rows[0]} to {rows[-1]}"
                )
                raise UserError(f"{where}{'; try float32' if features.dtype == np.float16 else ''}")
            features[rows] = values
            features.flush()  # before the mark, so that no power cut leaves a mark without its features
            sums[rows] = [zlib.crc32(row.tobytes()) for row in values]
            progress.advance(bar, len(rows))
    sums.flush()
