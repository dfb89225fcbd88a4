"""Survey of a file's frames: scale, hits and blanks, photons of a hit, background, dispersion of counts, bad pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.data.scale.file_hits import MOST_BYTES, hits_among, pieces, read_frames
from spi_lightning.data.scale.file_scale import find_scale
from spi_lightning.errors import UserError
from spi_lightning.fields import DISTANCE, PHOTON_ENERGY, PIXEL_SIZE
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.notes import Note
from spi_lightning.physics.frames.canonical import canonical
from spi_lightning.physics.frames.frame_scale import CELLS, FrameScale
from spi_lightning.simulate.canonical.file_parts import RING

from .bad_pixels import BadPixels, find_bad_pixels

_RINGS: Final = 14  # at distances of half a speckle, the last with all beyond
_MOST_FRAMES: Final = 2000
_MOST_HITS: Final = 256  # whose canonical patterns are kept
_ENOUGH_HITS: Final = 64
_LEAST_BLANKS: Final = 8  # frames of which the background is taken
_BRIGHTEST: Final = 0.9  # share of the blank frames, the darker ones, that are background for sure
_EDGE: Final = 3.0  # speckles from the beam beyond which neighbours differ by noise alone
SURVEY: Final = "survey"  # subject of the notes
_FEW_HITS: Final = 30
_LEAST_DISPERSION: Final = 0.75
_MOST_DISPERSION: Final = 1.35
_ENOUGH_COUNTS: Final = 1e4  # in pairs of neighbours, for a dispersion of a few per cent
_DARK: Final = 0.25  # quantile of hits, by their darkest ring, of which a background is taken without blank frames


@dataclass(frozen=True)
class Survey:
    """What the frames of a file are like.

    Attributes:
        path: File.
        shape: Height and width of its frames, pixel.
        scale: Beam centre and speckle width, and how each was found.
        frames: Number of frames that were looked at.
        is_hit: (frames,) bool, True for a hit.
        frame: (frames,) int64 numbers of these frames.
        measured: (H, W) bool, True where every frame was measured.
        photons: (hits,) photons of each hit above background, in the measured pixels of the canonical square.
        level: Background, photons per pixel, at distances of 0, 0.5, 1, ... speckles from the beam.
        level_spread: Standard deviation of the logarithm of the background over frames.
        level_frames: Number of blank frames it comes from; 0: the darkest rings of hits.
        dispersion: Variance over mean of the counts of neighbours in blank frames; None: too few counts.
        cells, cells_mask: (n, 64, 64) canonical patterns of hits, photons and bool.
        cells_frame: (n,) int64 numbers of their frames.
        bad: Pixels that look hot or dead.
        geometry: Photon energy (eV), distance and pixel size (m) that the file states.
        notes: Notes on what was found.
    """

    path: str
    shape: tuple[int, int]
    scale: FrameScale
    frames: int
    is_hit: NDArray[np.bool_]
    frame: NDArray[np.int64]
    measured: NDArray[np.bool_]
    photons: NDArray[np.float64]
    level: tuple[float, ...]
    level_spread: float
    level_frames: int
    dispersion: float | None
    cells: Tensor
    cells_mask: Tensor
    cells_frame: NDArray[np.int64]
    bad: BadPixels
    geometry: Mapping[str, float]
    notes: tuple[Note, ...]

    @property
    def blank_rate(self) -> float:
        """Share of the frames without a hit."""
        return 1 - float(self.is_hit.mean())

    @property
    def hits(self) -> int:
        """Number of hits."""
        return int(self.is_hit.sum())


@dataclass
class _Sums:
    """Sums over the frames of a file, piece after piece."""

    is_hit: list[Tensor]
    rings: list[Tensor]
    inside: list[Tensor]
    cells: list[Tensor]
    cells_mask: list[Tensor]
    cells_frame: list[NDArray[np.int64]]
    frame: list[NDArray[np.int64]]
    measured: Tensor
    total: Tensor
    squares: float = 0.0
    pairs: float = 0.0


def survey(
    patterns: PatternFile,
    scale: FrameScale | None = None,
    notes: Sequence[Note] = (),
    hit_threshold: float = 5.0,
    device: torch.device | str = "cpu",
) -> Survey:
    """Survey of a file of N frames; of long files frames all over it are read, at most 2000.

    Args:
        patterns: File of the frames.
        scale: Scale of its frames; None: found from the hits.
        notes: Notes on that scale.
        hit_threshold: Standard deviations above background from which a frame is a hit.
        device: Device of the computation.

    Raises:
        UserError: No frame is a hit, or a frame cannot be read.
    """
    if scale is None:
        scale, notes = find_scale(patterns, hit_threshold=hit_threshold, device=device)
    ring, square = _places(patterns.shape[1:], scale)
    sums = _summed(patterns, scale, ring, square, hit_threshold, device)
    is_hit = torch.cat(sums.is_hit)
    if not is_hit.any():
        line = f"{patterns.path}: none of {len(is_hit)} frames is a hit, so there is nothing to simulate"
        raise UserError(f"{line}; check data.keys.mask, data.adu_per_photon and hits.threshold={hit_threshold:g}")
    pixels = torch.bincount(ring[sums.measured], minlength=_RINGS).double()
    rings = torch.cat(sums.rings)
    level, spread, blanks = _background(rings, pixels, is_hit)
    inner = torch.bincount(ring[sums.measured & square], minlength=_RINGS).double()
    photons = torch.cat(sums.inside)[is_hit] - float((inner * torch.tensor(level).double()).sum())
    dispersion = sums.squares / sums.pairs if sums.pairs > _ENOUGH_COUNTS else None
    return Survey(
        path=str(patterns.path),
        shape=(patterns.shape[1], patterns.shape[2]),
        scale=scale,
        frames=len(is_hit),
        is_hit=is_hit.numpy(),
        frame=np.concatenate(sums.frame),
        measured=sums.measured.numpy(),
        photons=photons.clamp_min(1.0).numpy(),
        level=level,
        level_spread=spread,
        level_frames=blanks,
        dispersion=dispersion,
        cells=torch.cat(sums.cells),
        cells_mask=torch.cat(sums.cells_mask),
        cells_frame=np.concatenate(sums.cells_frame),
        bad=find_bad_pixels(sums.total, sums.measured, len(is_hit)),
        geometry=_stated(patterns.geometry),
        notes=(*notes, *_doubts(is_hit, blanks, dispersion)),
    )


def _doubts(is_hit: Tensor, blanks: int, dispersion: float | None) -> list[Note]:
    """Notes on few hits, a background that no blank frame shows, and counts that are no photons."""
    notes, hits = [], int(is_hit.sum())
    if hits < _FEW_HITS:
        notes.append(Note.hint(f"only {hits} hits: their photons and sizes are known roughly", SURVEY))
    if blanks == 0:
        line = f"{hits} of {len(is_hit)} frames are hits, too few are blank to see the background without one"
        notes.append(Note.hint(f"{line}: it is taken from the darkest parts of hits", SURVEY))
    if dispersion is not None and not _LEAST_DISPERSION < dispersion < _MOST_DISPERSION:
        line = f"counts of blank frames have a variance over mean of {dispersion:.2f}, photons have 1"
        remedy = "check the gain (data.adu_per_photon)"
        notes.append(Note.warning(f"{line}: a count is not one photon; {remedy}", SURVEY))
    return notes


def _summed(
    patterns: PatternFile,
    scale: FrameScale,
    ring: Tensor,
    square: Tensor,
    threshold: float,
    device: torch.device | str,
) -> _Sums:
    """Sums over pieces all over the file, until there are 2000 frames, or enough hits in 2 GiB."""
    shape = (patterns.shape[1], patterns.shape[2])
    far = ring >= _EDGE / RING
    sums = _Sums(
        [], [], [], [], [], [], [], torch.ones(shape, dtype=torch.bool), torch.zeros(shape, dtype=torch.float64)
    )
    looked = hits = 0
    for frame in pieces(patterns):
        whole, keep = read_frames(patterns, frame, device)
        photons, mask = torch.where(keep, whole, 0.0), keep.expand(whole.shape)
        is_hit = hits_among(photons, mask, scale, threshold)
        sums.is_hit.append(is_hit.cpu())
        sums.frame.append(frame)
        sums.rings.append(_ring_sums(photons.cpu(), ring))
        sums.inside.append((photons.cpu() * square).sum((1, 2), dtype=torch.float64))
        sums.measured &= mask.all(0).cpu()
        sums.total += photons.double().sum(0).cpu()
        _add_neighbours(sums, photons[~is_hit].cpu(), mask[~is_hit].cpu() & far)
        room = max(0, _MOST_HITS - hits)
        _add_cells(sums, photons, mask, frame, is_hit, scale, room)
        looked, hits = looked + len(frame), hits + int(is_hit.sum())
        if looked >= _MOST_FRAMES or (hits >= _ENOUGH_HITS and 4 * looked * shape[0] * shape[1] > MOST_BYTES):
            break
    return sums


def _ring_sums(photons: Tensor, ring: Tensor) -> Tensor:
    """Photons (n, R) float64 of frames (n, H, W) in each ring."""
    sums = torch.zeros(len(photons), _RINGS, dtype=torch.float64)
    return sums.index_add_(1, ring.flatten(), photons.flatten(1).double())


def _add_neighbours(sums: _Sums, photons: Tensor, far: Tensor) -> None:
    """Squared differences and sums of neighbours along rows, where both are measured and far from the beam."""
    one, other = photons[:, :, :-1], photons[:, :, 1:]
    both = far[:, :, :-1] & far[:, :, 1:]
    sums.squares += float(((one - other).square() * both).sum(dtype=torch.float64))
    sums.pairs += float(((one + other) * both).sum(dtype=torch.float64))


def _add_cells(
    sums: _Sums, photons: Tensor, mask: Tensor, frame: NDArray[np.int64], is_hit: Tensor, scale: FrameScale, room: int
) -> None:
    """Canonical patterns of up to ``room`` hits."""
    chosen = is_hit.nonzero()[:, 0][:room]
    cells, measured = canonical(photons[chosen][:, None], mask[chosen][:, None], scale)
    sums.cells.append(cells[:, 0].cpu())
    sums.cells_mask.append(measured.expand(cells.shape)[:, 0].cpu())
    sums.cells_frame.append(frame[chosen.cpu().numpy()])


def _places(shape: Sequence[int], scale: FrameScale) -> tuple[Tensor, Tensor]:
    """Ring of every pixel (H, W) int64, and which pixels (H, W) bool lie in the canonical square."""
    y, x = (torch.arange(n, dtype=torch.float64) - at for n, at in zip(shape, scale.beam_centre, strict=True))
    radius = torch.hypot(y[:, None], x[None]) / (RING * scale.speckle_width)
    half = scale.cell * CELLS / 2
    return radius.round().long().clamp_max(_RINGS - 1), (y.abs() < half)[:, None] & (x.abs() < half)[None]


def _background(rings: Tensor, pixels: Tensor, is_hit: Tensor) -> tuple[tuple[float, ...], float, int]:
    """Photons per pixel of each ring, their relative spread over frames, and the number of blank frames behind it.

    Args:
        rings: (N, R) photons of each frame in each ring.
        pixels: (R,) measured pixels of each ring.
        is_hit: (N,) bool.
    """
    blank = rings[~is_hit]
    if len(blank) >= _LEAST_BLANKS:
        total = blank.sum(1)
        dark = blank[total <= total.quantile(_BRIGHTEST)]
        return _filled(dark.mean(0) / pixels), _spread(dark.sum(1)), len(dark)
    there = pixels > 0
    rates = rings[is_hit][:, there] / pixels[there]
    darkest = rates[:, rates.shape[1] // 2 :].amin(1)
    return (float(darkest.quantile(_DARK)),) * _RINGS, _UNKNOWN_SPREAD, 0


_UNKNOWN_SPREAD: Final = 0.5  # of the logarithm of a background that was seen under hits alone


def _filled(level: Tensor) -> tuple[float, ...]:
    """Level of every ring; one without measured pixels has that of the nearest one that has some."""
    known = level.isfinite().nonzero()[:, 0]
    nearest = (torch.arange(len(level))[:, None] - known[None]).abs().argmin(1)
    return tuple(float(one) for one in level[known[nearest]])


def _spread(total: Tensor) -> float:
    """Relative standard deviation of totals (n,) beyond counting statistics."""
    mean = float(total.mean())
    excess = float(total.var()) - mean if len(total) > 1 else 0.0
    return max(excess, 0.0) ** 0.5 / mean if mean > 0 else 0.0


def _stated(geometry: Mapping[str, Any]) -> dict[str, float]:
    """Medians over frames of what a file states, eV and m."""
    names = (PHOTON_ENERGY, DISTANCE, PIXEL_SIZE)
    return {name: float(np.median(np.asarray(geometry[name]))) for name in names if geometry.get(name) is not None}
