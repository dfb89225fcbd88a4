"""Hits of a file of patterns, told from blank frames and from halos of scattered light by the file's own frames."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.physics.array import bin_to
from spi_lightning.physics.frames.frame_scale import FrameScale
from spi_lightning.physics.frames.halo import brightest_halo, photons_near
from spi_lightning.physics.frames.hit_finding import is_hit_near

from .stated_centre import middle

_COARSE: Final = 256  # pixels along the shorter edge to which frames are binned for hits and centre
_LEAST_SQUARE: Final = 6  # binned pixels, edge
_SPECKLES: Final = (12, 6, 3)  # edges of the squares around the beam in which hits are looked for
MOST_HITS: Final = 192
ENOUGH_HITS: Final = 24
MOST_BYTES: Final = 2 << 30  # of photons, after which enough hits end the search
_PIECE: Final = 32  # frames, neighbours in the file, that are looked at together
AT_ONCE: Final = 8 << 20  # bytes of photons


@dataclass(frozen=True)
class FileHits:
    """Hits of a file, binned.

    Attributes:
        frame: (n,) int64 frame numbers.
        photons, mask: (n, h, w) counts of binned pixels, and (h, w) or (n, h, w) bool, True = measured.
        background: (n,) flat background, photons per pixel of the file.
        bin: Pixels summed along each axis.
        frames: Number of frames that were looked at.
        total, lit: (H, W) photons of these frames, and number of them in which a pixel has any.
    """

    frame: NDArray[np.int64]
    photons: Tensor
    mask: Tensor
    background: Tensor
    bin: int
    frames: int
    total: Tensor
    lit: Tensor

    def brightest_halo(self, beam_centre: Sequence[float]) -> float:
        """Photons near the beam up to which frames are blank, see halo.brightest_halo; 0 where hits alone are here."""
        centre, level = binned_place(torch.tensor(beam_centre), self.bin), self.background * self.bin**2
        return brightest_halo(self.photons, self.mask, centre, level)

    def above(self, halo: float, beam_centre: Sequence[float]) -> FileHits:
        """The hits with more photons near the beam than a halo has."""
        centre, level = binned_place(torch.tensor(beam_centre), self.bin), self.background * self.bin**2
        keep = photons_near(self.photons, self.mask, centre, level) > halo
        mask = self.mask if self.mask.ndim == 2 else self.mask[keep]
        frame = self.frame[keep.cpu().numpy()]
        return replace(self, frame=frame, photons=self.photons[keep], mask=mask, background=self.background[keep])


def find_file_hits(
    patterns: PatternFile,
    stated: tuple[float, float] | None,
    threshold: float,
    device: torch.device | str,
    most: int = MOST_HITS,
    enough: int = ENOUGH_HITS,
    halo: float = 0.0,
) -> FileHits:
    """Hits of pieces all over a file, until there are most, or enough in the first 2 GiB.

    Args:
        patterns: File of N frames.
        stated: Row and column of the beam, pixel; None: the middle of the frames.
        threshold: Standard deviations above background from which a frame is a hit.
        device: Device of the computation.
        most, enough: Numbers of hits.
        halo: Photons near the beam up to which frames are blank.
    """
    frames, photons, masks, levels, taken, looked = [], [], [], [], 0, 0
    frame_bytes, bin = 4 * math.prod(patterns.shape[1:]), coarse_bin(patterns.shape[1:])
    total, lit = (torch.zeros(patterns.shape[1:], device=device) for _ in range(2))
    for frame in pieces(patterns):
        whole, keep = read_frames(patterns, frame, device)
        total += whole.sum(0)
        lit += (whole > 0).sum(0)
        binned, measured = bin_to(whole, keep, bin)
        centre = binned_place(torch.tensor(stated or middle(patterns.shape[1:])), bin)
        edges = [min(binned.shape[-2:]) // part for part in (2, 4)]
        is_hit, level = is_hit_near(binned, measured, centre, edges, threshold)
        if halo:
            is_hit = is_hit & (photons_near(binned, measured, centre, level) > halo)
        chosen = is_hit.nonzero()[:, 0][: most - taken]
        frames.append(frame[chosen.cpu().numpy()])
        photons.append(binned[chosen])
        masks.append(measured if measured.ndim == 2 else measured[chosen])
        levels.append(level[chosen] / bin**2)
        taken, looked = taken + len(chosen), looked + len(frame)
        if taken >= most or (taken >= enough and looked * frame_bytes > MOST_BYTES):
            break
    mask = masks[0] if masks[0].ndim == 2 else torch.cat(masks)
    return FileHits(np.concatenate(frames), torch.cat(photons), mask, torch.cat(levels), bin, looked, total, lit)


def pieces(patterns: PatternFile) -> Iterator[NDArray[np.int64]]:
    """Frame numbers of neighbours, the pieces spread over the file: first, middle, quarters, and so on."""
    count = len(patterns)
    step = max(1, min(_PIECE, AT_ONCE // (4 * math.prod(patterns.shape[1:]))))
    step = -(-step // patterns.source.chunk) * patterns.source.chunk if patterns.source.chunk <= _PIECE else step
    starts = np.arange(0, count, step)
    bits = max(1, int(len(starts) - 1).bit_length())
    order = sorted(range(len(starts)), key=lambda number: int(f"{number:0{bits}b}"[::-1], 2))
    for start in starts[order]:
        yield np.arange(start, min(start + step, count))


def read_frames(patterns: PatternFile, frame: NDArray[np.int64], device: torch.device | str) -> tuple[Tensor, Tensor]:
    """Photons (n, H, W) and mask, (H, W) where the frames share it, of some frames."""
    mask = patterns.read_mask(frame if patterns.masks_differ else frame[:1])
    mask = mask if patterns.masks_differ else mask[0]
    return torch.from_numpy(patterns.read(frame)).to(device), torch.from_numpy(np.array(mask)).to(device)


def hits_among(photons: Tensor, mask: Tensor, scale: FrameScale, threshold: float = 5.0) -> Tensor:
    """Which frames are hits, (B,) bool, by photons of binned pixels over the frame's own background.

    Args:
        photons: (B, H, W) counts.
        mask: (B, H, W) or (1, H, W) bool, True = measured.
        scale: Scale of the file.
        threshold: Standard deviations above background from which a frame is a hit.
    """
    bin = coarse_bin(photons.shape[-2:])
    binned, measured = bin_to(photons, mask, bin)
    edges = [max(_LEAST_SQUARE, round(speckles * scale.speckle_width / bin)) for speckles in _SPECKLES]
    centre = binned_place(torch.tensor(scale.beam_centre), bin)
    is_hit, level = is_hit_near(binned, measured, centre, edges, threshold)
    return is_hit & (photons_near(binned, measured, centre, level) > scale.halo) if scale.halo else is_hit


def coarse_bin(shape: Sequence[int]) -> int:
    """Bin of frames of a shape, pixels, for hits and centre."""
    return -(-min(shape) // _COARSE)


def binned_place(centre: Tensor, bin: int) -> Tensor:
    """Position in binned pixels of one in pixels."""
    return (centre - (bin - 1) / 2) / bin
