"""Features of frozen networks, computed once for each pattern of a file and kept on disk."""

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
from spi_lightning.networks.logistic_head import Backbone
from spi_lightning.progress import ProgressBar

from .hits import LABELS, HitDataset

FORMAT_VERSION = 2  # raise it when the layout of the files, or the arithmetic of a backbone, changes
DTYPES = ("float32", "float16")
_VALUES, _SUMS = "features.npy", "sums.npy"
_log = logging.getLogger(__name__)


def cached_features(
    patterns: PatternFile,
    backbone: Backbone,
    frames: NDArray[np.int64] | None = None,
    cache_dir: str | Path = "cache",
    dtype: str = "float32",
    device: torch.device | str = "cpu",
) -> NDArray[Any]:
    """Features of a file's patterns, from the cache where they are known, else computed and added to it.

    They lie in ``<cache_dir>/features/<key>``, the key being a hash of what was read of the file, see content_key, of
    the backbone's weights and of its settings: a changed file, option or weight never meets old features, a file that
    was only moved or renamed does. Rows carry checksums; damaged ones are computed anew, with a line. Whatever was
    computed before an interruption is used by the next run; processes that ask at once wait for each other. On a
    terminal a progress bar is shown.

    Args:
        patterns: N frames.
        backbone: Photons and mask -> features.
        frames: (n,) frames that are needed; all if None.
        cache_dir: Folder of the cache.
        dtype: How features are stored: ``float32``, or ``float16``, half as large (8,192 features of 240,000 patterns:
            3.9 GB) and exact to 5e-4 of each value.
        device: Where the backbone computes.

    Returns:
        (N, width) of the dtype, memory-mapped, changes not kept; rows of frames never asked for are zero.

    Raises:
        UserError: The folder cannot be written, the disk is too small, a frame cannot be read, or an unknown dtype.
    """
    if dtype not in DTYPES:
        raise UserError(f"feature dtype={dtype} is unknown: choose one of {', '.join(DTYPES)}.")
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
        raise UserError(f"{folder}: features cannot be kept ({error.strerror}); give another cache folder.") from error


class FeatureDataset(HitDataset):
    """Some frames of one pattern file, of which a batch holds the features too, or instead of photons and mask.

    ``dataset[[3, 1, 2]]``: features (B, d) float32, and what HitDataset gives.

    Args:
        file: Opened by io.open_patterns.
        frames: (n,) numbers of the frames.
        features: (N, d) of all frames of the file, see cached_features.
        patterns: Whether photons and mask are in the batch.
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
        batch = {FEATURES: features, FRAME: torch.from_numpy(frames)}
        for name in LABELS:
            values = self.labels[name]
            batch[name] = torch.full_like(batch[FRAME], -1) if values is None else values[batch[FRAME]]
        return batch


def _is_laid_out(folder: Path, shape: tuple[int, int], dtype: np.dtype[Any]) -> bool:
    """Whether the files are there at their full size; where they were cut short, they begin anew, with a line."""
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


def _is_damaged(values: NDArray[Any], checksum: np.uint32) -> bool:
    return zlib.crc32(values.tobytes()) != checksum


def _reserve(folder: Path, count: int, backbone: Backbone, dtype: str, patterns: PatternFile) -> None:
    """Lay out the files at their full size, so that a full disk says so before hours of work."""
    features = np.lib.format.open_memmap(folder / _VALUES, "w+", np.dtype(dtype), (count, backbone.width))
    size = (folder / _VALUES).stat().st_size
    del features
    with (folder / _VALUES).open("r+b") as file:
        _allocate(file, size)
    np.save(folder / _SUMS, np.zeros(count, dtype=np.uint32))
    about = {"patterns": str(patterns.path), "backbone": backbone.label, "shape": [count, backbone.width]}
    write_json(folder / "about.json", about)


def _allocate(file: IO[bytes], size: int) -> None:
    """Have the system set the space aside; some file systems cannot."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)


@torch.inference_mode()
def _compute_missing(
    folder: Path, patterns: PatternFile, backbone: Backbone, wanted: NDArray[np.int64], device: torch.device
) -> None:
    """Compute what is wanted and not there, a batch at a time; a row counts as done after it was written."""
    features = np.load(folder / _VALUES, mmap_mode="r+")
    sums = np.load(folder / _SUMS, mmap_mode="r+")  # CRC-32 of every row, 0 where it is missing
    rows = np.unique(wanted)
    missing = rows[[_is_damaged(features[row], sums[row]) for row in rows]] if len(rows) else rows
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
                    f"{patterns.path}: {backbone.label} gives what are no numbers for frames {rows[0]} to {rows[-1]}"
                )
                raise UserError(f"{where}{'; try float32' if features.dtype == np.float16 else ''}.")
            features[rows] = values
            features.flush()  # before the mark, so that no power cut leaves a mark without its features
            sums[rows] = [zlib.crc32(row.tobytes()) for row in values]
            progress.advance(bar, len(rows))
    sums.flush()
