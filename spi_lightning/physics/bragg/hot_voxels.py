"""Hot pixels and zingers of a rocking scan: narrower than the peak of any crystal that can be phased."""

from collections.abc import Iterable
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from spi_lightning.notes import Note

from .frame_order import frames_listed

_CONTRAST: Final = 30.0  # times its neighbours; a peak sampled 1.3 times as finely as needed leaves them a tenth
_CLUSTER: Final = 20.0  # times what lies two or three voxels away, for defects wider than one voxel
_AROUND: Final = 3.0  # times the brightest beyond the neighbours: the next fringe inwards is brighter than a fringe
_FAINT: Final = 3.0  # photons and standard deviations added to the neighbours, so that noise stands out nowhere
_STEADY: Final = 0.5  # least over largest count of a pixel that does not follow the rocking curve
_FRAMES: Final = 8  # frames from which a steady pixel is told from a wide peak
_PEAK: Final = 1000.0  # photons in 3 x 3 x 3 voxels that a peak besides the defects holds


def find_hot(photons: Tensor, mask: Tensor, unit: float = 1.0) -> tuple[Tensor, list[Note]]:
    """Find voxels far brighter than their surroundings: the peak of a crystal is wide along all three axes.

    Voxels that stand out in their frame (hot pixels, zingers), narrow groups that stand out from the frames before and
    after (tracks), and narrow groups of pixels that count alike in all frames (hot clusters and columns). Fringes have
    a brighter one inwards of them, and peaks have flanks. Where nothing else could be a peak, nothing is marked.

    Args:
        photons: (frames, rows, columns) counts, saturated ones as large as the largest.
        mask: The same shape, bool, True where measured or saturated.
        unit: One photon, or the least positive value of relative intensities.

    Returns:
        (frames, rows, columns) bool, True in hot voxels; notes.
    """
    values = torch.where(mask, photons, 0.0).float() / unit
    hot = _alone_in_frame(values, mask) | _alone_in_time(values, mask)
    always = _steady(values, mask) | (hot.sum(0) > 0.5 * mask.sum(0).clamp_min(1))
    hot = (hot | always) & mask
    if not hot.any():
        return hot, []
    rest = torch.where(hot, 0.0, values)
    around = float(F.avg_pool3d(rest[None, None], 3, stride=1, padding=1).max()) * 27
    brightest = tuple(int(i) for i in torch.unravel_index(torch.where(hot, values, 0.0).argmax(), hot.shape))
    if around < _PEAK:
        if values[brightest] < values.max():
            return hot, _lines(values, hot, always, brightest)
        return torch.zeros_like(hot), [
            Note.warning(
                f"the peak at voxel {brightest} is a single bright spot, narrower than that of a crystal which can be "
                "phased, and nothing else looks like a peak: a hot pixel or zinger, or a scan that is too coarse"
            )
        ]
    return hot, _lines(values, hot, always, brightest)


def _lines(values: Tensor, hot: Tensor, always: Tensor, brightest: tuple[int, ...]) -> list[Note]:
    """Notes on the defects that were found."""
    lines, largest = [], float(values[brightest])
    top = f"; the brightest, voxel {brightest}, {largest:,.0f}"
    pixels, single = int(always.sum()), hot & ~always
    if pixels:
        which = ", ".join(f"({int(r)}, {int(c)})" for r, c in always.nonzero()[:4])
        which += ", ..." if pixels > 4 else ""
        lines.append(
            Note.of(
                f"{pixels} hot pixel{'s' if pixels > 1 else ''} {which}: far brighter than the pixels around, in most "
                f"frames: taken as not measured{top if always[brightest[1:]] else ''}"
            )
        )
    if single.any():
        frames = frames_listed(single.flatten(1).any(1).nonzero()[:, 0].tolist())
        lines.append(
            Note.of(
                f"{int(single.sum())} hot voxels or zingers (frames {frames}): far brighter than all around them: "
                f"taken as not measured{'' if always[brightest[1:]] else top}"
            )
        )
    return lines


def _alone_in_frame(values: Tensor, mask: Tensor) -> Tensor:
    """Single voxels that stand out among the 8 around them in their frame."""
    found = torch.zeros_like(mask)
    for number, frame in enumerate(values):
        near = F.max_pool2d(F.pad(frame, (1, 1, 1, 1))[None], 3, 1)[0]
        rows = F.max_pool2d(F.pad(frame, (1, 1, 0, 0))[None], (1, 3), 1)[0]  # the voxel and its two in the row
        above, below = (F.pad(rows, (0, 0, 1, 1))[start : start + len(rows)] for start in (0, 2))
        left, right = (F.pad(frame, (1, 1))[:, start : start + frame.shape[1]] for start in (0, 2))
        others = torch.stack([above, below, left, right]).amax(0)
        found[number] = (frame >= near) & (frame > _level(others)) & mask[number]
    ring = [(0, y, x) for y, x in _window(3) if max(abs(y), abs(x)) > 1]
    near8 = [(0, y, x) for y, x in _window(1) if (y, x) != (0, 0)]
    voxels = found.nonzero()
    brightest = _largest(values, voxels, ring)
    judged = _largest(mask, voxels, near8, count=True) >= 3
    kept = (values[voxels.unbind(1)] > _AROUND * brightest) & judged
    return _marked(voxels[kept], mask)


def _alone_in_time(values: Tensor, mask: Tensor) -> Tensor:
    """Groups of voxels, narrow along rows or columns, that stand out from the frames before and after."""
    spread = F.max_pool2d(F.pad(values, (1, 1, 1, 1)), 3, 1)
    known = F.pad(mask, (0, 0, 0, 0, 1, 1))
    beside = torch.maximum(*(F.pad(spread, (0, 0, 0, 0, 1, 1))[start : start + len(values)] for start in (0, 2)))
    voxels = ((values > _level(beside)) & mask & (known[:-2] | known[2:])).nonzero()
    own = values[voxels.unbind(1)]
    later = [(f, y, x) for f in (-3, -2, 2, 3) for y, x in _window(1)]
    kept = _narrow(values, voxels, own) & (own > _AROUND * _largest(values, voxels, later))
    return _marked(voxels[kept], mask)


def _steady(values: Tensor, mask: Tensor) -> Tensor:
    """(rows, columns) pixels, narrow groups of which count alike in all frames and far more than those around."""
    if len(values) < _FRAMES:
        return torch.zeros_like(mask[0])
    counting = values.flatten(1).amax(1) > 0  # dropped frames are not evidence
    known = mask & counting[:, None, None]
    least = torch.where(known, values, torch.inf).amin(0)
    largest = torch.where(known, values, 0.0).amax(0)
    image = torch.where(known.any(0), largest, 0.0)
    bright = known.any(0) & (least > _level(torch.zeros_like(least))) & (least >= _STEADY * largest)
    voxels = F.pad(bright.nonzero(), (1, 0))
    kept = _narrow(image[None], voxels, image[voxels[:, 1], voxels[:, 2]])
    return _marked(voxels[kept], mask[:1])[0]


def _narrow(values: Tensor, voxels: Tensor, own: Tensor) -> Tensor:
    """(n,) bool: whether the voxels two and three away along rows or along columns are far darker."""
    sides = [[(0, step * y, step * x) for step in (-3, -2, 2, 3)] for y, x in ((1, 0), (0, 1))]
    return torch.stack([own > _CLUSTER * _largest(values, voxels, side) for side in sides]).any(0)


def _level(neighbours: Tensor) -> Tensor:
    """Counts above which a voxel does not belong to the same structure as its neighbours."""
    return _CONTRAST * (neighbours + _FAINT * neighbours.sqrt() + _FAINT)


def _window(reach: int) -> list[tuple[int, int]]:
    steps = range(-reach, reach + 1)
    return [(y, x) for y in steps for x in steps]


def _largest(values: Tensor, voxels: Tensor, offsets: Iterable[tuple[int, ...]], count: bool = False) -> Tensor:
    """(n,) largest value at places + offset within the array, 0 without; or how many True ones there are."""
    found = values.new_zeros(len(voxels), dtype=torch.int64 if count else values.dtype)
    edges = torch.tensor(values.shape)
    for offset in offsets:
        at = voxels + torch.tensor(offset)
        inside = ((at >= 0) & (at < edges)).all(1)
        there = values[at.clamp_min(0).minimum(edges - 1).unbind(1)] * inside
        found = found + there if count else torch.maximum(found, there)
    return found


def _marked(voxels: Tensor, like: Tensor) -> Tensor:
    marked = torch.zeros_like(like)
    marked[voxels.unbind(1)] = True
    return marked
