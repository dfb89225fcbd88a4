"""Labelled frames of a file from which a network learns, in the canonical frame."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from spi_lightning.data.scale.file_hits import hits_among, read_frames
from spi_lightning.fields import IS_SINGLE_HIT
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.physics.frames.canonical import canonical
from spi_lightning.physics.frames.frame_scale import FrameScale
from spi_lightning.simulate.canonical.mixture import Labelled

_AT_ONCE: Final = 16  # frames


def draw_labelled(patterns: PatternFile, most: int, seed: int) -> NDArray[np.int64]:
    """Frames whose labels are learned, (n,) sorted: up to ``most``, as many of each label as there are.

    None where the file has no labels, or labels of one kind.
    """
    label = patterns.labels.get(IS_SINGLE_HIT)
    none = np.empty(0, dtype=np.int64)
    if label is None or most < 2 or min((label == 1).sum(), (label == 0).sum()) == 0:
        return none
    random = np.random.default_rng(seed)
    single, other = (random.permutation(np.flatnonzero(label == value)) for value in (1, 0))
    singles = min(len(single), most - min(len(other), most // 2))
    return np.sort(np.concatenate([single[:singles], other[: most - singles]]))


def labelled_cells(
    patterns: PatternFile, frames: NDArray[np.int64], scale: FrameScale, hit_threshold: float = 5.0
) -> Labelled:
    """Canonical patterns of labelled frames; those that are no hits are left out, as a network is never asked on them.

    Args:
        patterns: File of the frames.
        frames: (n,) numbers of labelled frames.
        scale: Scale of the file.
        hit_threshold: Standard deviations above background from which a frame is a hit.
    """
    found = []
    for start in range(0, len(frames), _AT_ONCE):
        frame = frames[start : start + _AT_ONCE]
        photons, mask = read_frames(patterns, frame, "cpu")
        mask = mask.expand(photons.shape)
        is_hit = hits_among(photons, mask, scale, hit_threshold)
        cells, measured = canonical(photons[is_hit][:, None], mask[is_hit][:, None], scale)
        label = torch.from_numpy(np.asarray(patterns.labels[IS_SINGLE_HIT], dtype=np.int64)[frame])[is_hit]
        found.append((cells[:, 0], measured.expand(cells.shape)[:, 0], label))
    return Labelled(*(torch.cat(parts) for parts in zip(*found, strict=True)))
