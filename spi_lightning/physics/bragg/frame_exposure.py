"""Frames of a rocking scan whose exposure differs from that of their neighbours, and repeated frames."""

from __future__ import annotations

from itertools import pairwise
from math import exp
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from spi_lightning.notes import Note

from .frame_order import frames_listed

_COUNTED: Final = 20.0  # photons of a pixel in two frames, from which their ratio means something
_PIXELS: Final = 20  # such pixels
_FRAMES: Final = 8  # from which the usual change between frames is known
_SUDDEN: Final = 4.0  # times the change that three quarters of the neighbours do not exceed
_ALIKE: Final = "most pixels alike, as no rocking curve changes (another exposure?)"
_NEAR: Final = 3  # changes before and after one: towards a fringe they grow step by step
_EMPTY: Final = 1e-3  # share of the photons of the brighter neighbour, up to which a frame is empty or a fringe
_TOWER: Final = 6.0  # times the photons of both neighbours, which no peak that is sampled finely enough holds
_LEAST: Final = 0.7  # smallest sudden change, natural logarithm: a factor of two


def find_exposures(photons: Tensor, mask: Tensor, unit: float = 1.0) -> tuple[Tensor, list[Note]]:
    """Find frames in which most pixels count several times what they do in the frames beside.

    From frame to frame of a scan that is sampled finely enough some pixels count more and others less, so that the
    median of their ratios stays near 1. Of crystals with faces in the frames' direction it does not, from fringe to
    fringe: scans in which such changes are common get no note.

    Args:
        photons: (frames, rows, columns) counts.
        mask: The same shape, bool, True where measured.
        unit: One photon, or the least positive value of relative intensities.

    Returns:
        (frames, rows, columns) bool, True in single frames of another exposure; notes.
    """
    found = torch.zeros_like(mask)
    sums = F.pad(torch.where(mask, photons, 0.0).flatten(1).sum(1), (1, 1))
    beside = torch.maximum(sums[:-2], sums[2:])
    lit = (sums[1:-1] > _EMPTY * beside).nonzero()[:, 0]
    towering = ((sums[1:-1] > _TOWER * beside) & (sums[1:-1] == sums.max()))[lit].tolist()
    change = [_change(photons, mask, unit, int(a), int(b)) for a, b in pairwise(lit)]
    steps = torch.tensor(change, dtype=torch.float64)
    known = steps[steps.isfinite()].abs()
    if len(known) < _FRAMES:
        return found, []
    limit = max(_LEAST, _SUDDEN * float(known.quantile(0.75)))
    sudden = [abs(step) > max(limit, _SUDDEN * _usual_near(steps, i)) for i, step in enumerate(change)] + [False]
    for i in range(len(change) - 1):
        if towering[i + 1] and min(change[i], -change[i + 1]) > _LEAST:
            sudden[i] = sudden[i + 1] = True
    notes, number = [], 0
    while number < len(change):
        step, following = change[number], change[number + 1] if sudden[number + 1] else 0.0
        single = step * following < 0
        if not sudden[number]:
            number += 1
            continue
        end = number in (0, len(change) - 1)
        factor = (step - following) / 2 if single else step if number else -step
        if single or (end and factor > 0):
            frame = int(lit[number + (single or number > 0)])
            found[frame] = mask[frame]
            notes.append(
                Note.warning(
                    f"frame {frame} is taken as not measured: it is {_times(factor)} the frames beside it, " + _ALIKE
                )
            )
        elif not end:  # at the end it may be the fringe at the Nyquist frequency
            notes.append(
                Note.warning(
                    f"frame {int(lit[number + 1])}, or the run of frames that begins there, is {_times(step)} the "
                    f"frame before, {_ALIKE}: divide by a monitor (data.preparation.normalise=true), or cut the scan "
                    "there"
                )
            )
        number += 2 if single else 1
    return found, notes


def _usual_near(steps: Tensor, index: int) -> float:
    """Second largest of the steps (n,) near one of them: the step back to the usual exposure may be the largest."""
    near = torch.cat([steps[max(0, index - _NEAR) : index], steps[index + 1 : index + 1 + _NEAR]])
    near = near[near.isfinite()].abs().sort(descending=True).values
    return float(near[1]) if len(near) > 1 else 0.0


def _times(factor: float) -> str:
    return f"{exp(abs(factor)):.3g} times {'brighter' if factor > 0 else 'darker'} than"


def _change(photons: Tensor, mask: Tensor, unit: float, before: int, after: int) -> float:
    """Median over the pixels of the logarithm of their ratio in two frames; NaN where too few count anything."""
    a, b = photons[before] / unit, photons[after] / unit
    bright = mask[before] & mask[after] & (a + b >= _COUNTED)
    if int(bright.sum()) < _PIXELS:
        return float("nan")
    return float(((b[bright] + 0.5) / (a[bright] + 0.5)).log().median())


def find_copies(photons: Tensor, mask: Tensor, unit: float = 1.0) -> tuple[Tensor, list[Note]]:
    """Find frames that repeat the one before count by count, as no second exposure of photons does.

    Args:
        photons, mask, unit: As in find_exposures; relative intensities are not compared.

    Returns:
        (frames, rows, columns) bool, True in the later of the two; notes.
    """
    found = torch.zeros_like(mask)
    if unit != 1:  # patterns without noise may repeat
        return found, []
    lit = (photons > 0).flatten(1).sum(1)
    other = (photons[1:] != photons[:-1]).flatten(1).sum(1)
    same = ((torch.minimum(lit[1:], lit[:-1]) >= _PIXELS) & (other == 0)).nonzero()[:, 0] + 1
    if not len(same):
        return found, []
    found[same] = mask[same]
    frames = same.tolist()
    which = (
        f"frame {frames[0]} repeats" if len(frames) == 1 else f"{len(frames)} frames ({frames_listed(frames)}) repeat"
    )
    return found, [Note.warning(f"{which} the frame before count by count: a copy of it, taken as not measured")]
