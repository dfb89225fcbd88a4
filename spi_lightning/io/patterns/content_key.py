"""Content hash of patterns, the key under which results on them are cached."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.files import file_stamp

from .assembly import sample_indices
from .pattern_file import PatternFile

READ_WHOLE: Final = 1 << 30  # bytes of stored frames that are read for their key
_SAMPLES: Final = 64


def content_key(patterns: PatternFile, labels: Sequence[str] = ()) -> str:
    """SHA-256 of everything that can decide a result: frames and masks in their order, gain, geometry; 64 hex digits.

    Names, formats and other labels than ``labels`` do not count. Files up to READ_WHOLE bytes are read whole. Of larger
    ones 64 frames are read, and the others identified by inode, change time and size of every file that was opened, and
    by the settings of opening (keys, mask convention, order of files and frames).

    Args:
        patterns: Open patterns (N, H, W).
        labels: Names of the labels that count.

    Raises:
        UserError: A frame cannot be read.
    """
    digest = hashlib.sha256(json.dumps([*patterns.shape, patterns.adu_per_photon]).encode())
    for name, value in sorted(patterns.geometry.items()):
        digest.update(name.encode() + np.asarray(value, dtype=np.float64).tobytes())
    for name in labels:
        digest.update(name.encode() + repr(patterns.labels.get(name, np.empty(0)).tolist()).encode())
    size = int(np.prod(patterns.shape, dtype=np.int64)) * patterns.source.dtype.itemsize
    whole = size <= READ_WHOLE or not patterns.files_read
    if not whole:
        digest.update(json.dumps([[file_stamp(path) for path in patterns.files_read], patterns.opened_with]).encode())
        for order in _orders(patterns):
            digest.update(order.tobytes())
    if patterns.frame_masks is None and patterns.shared_mask is not None:
        digest.update(np.packbits(patterns.shared_mask).tobytes())
    for frames in _pieces(patterns, whole):
        digest.update(patterns.read_stored(frames).tobytes())
        if patterns.masks_differ or patterns.shared_mask is None:
            digest.update(np.packbits(patterns.read_mask(frames)).tobytes())
    return digest.hexdigest()


def _orders(patterns: PatternFile) -> Iterator[NDArray[np.int64]]:
    """File and frame indices (N,) of all frames, at every level of concatenated files."""
    yield from (order for name in ("file_of", "frame_of") if (order := getattr(patterns, name, None)) is not None)
    for file in getattr(patterns, "files", []):
        yield from _orders(file)


def _pieces(patterns: PatternFile, whole: bool) -> Iterator[NDArray[np.int64]]:
    """Frame numbers in pieces worth one read: all, or 64 evenly spaced."""
    count = len(patterns)
    numbers = np.arange(count) if whole else sample_indices(count, _SAMPLES)
    step = patterns.frames_at_once()
    for start in range(0, len(numbers), step):
        yield numbers[start : start + step]
