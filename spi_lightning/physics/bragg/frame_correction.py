"""Correction of the frames of a rocking scan, mask of measured voxels, and frames of another exposure or repeated."""

from itertools import pairwise
from math import exp
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.notes import Note

from .frame_order import frames_listed

_NO_BEAM: Final = 0.05  # a monitor below this share of its median means no beam, whatever its offset
_MOST_DROPOUTS: Final = 0.2  # share of frames without beam from which the photons are compared too
_DROPOUT: Final = 0.5  # a monitor below this share of its median means that the beam was off


def correct_frames(
    counts: Tensor,
    whitefield: Tensor | None = None,
    bad_pixels: Tensor | None = None,
    dark: Tensor | None = None,
    monitor: Tensor | None = None,
    whitefield_mean: float | None = None,
    dark_limit: float = 1.0,
    saturation: float | None = None,
    normalise: bool = False,
    noted_by_reader: bool = False,
) -> tuple[Tensor, Tensor, list[Note]]:
    """Correct counts of a photon-counting detector, and mask what was not measured.

    Args:
        counts: (frames, rows, columns) counts; NaN and negative values are not measured, infinite ones are saturated.
        whitefield: (rows, columns) response; frames are divided by it and multiplied by its mean.
        bad_pixels: (rows, columns) mask, nonzero = bad.
        dark: (rows, columns) dark counts; above ``dark_limit`` a pixel is bad. Nothing is subtracted.
        monitor: (frames,) incident intensity; a frame below half the median was taken without beam: not measured.
        whitefield_mean: Mean response of the full detector; None: that of the good pixels.
        dark_limit: Largest dark counts of a good pixel.
        saturation: Counts at or above this value are not measured; None: no limit.
        normalise: Whether to divide frames by monitor / median.
        noted_by_reader: Whether notes of the reader name NaN, negative and infinite values already.

    Returns:
        Corrected counts (frames, rows, columns) float32, 0 where not measured; mask bool; notes.

    Raises:
        UserError: Shapes do not match, the monitor to divide by is absent, or nothing was measured.
    """
    notes: list[Note] = []
    values, mask = _usable(counts.float(), saturation, noted_by_reader, notes)
    good = _good_pixels(values, whitefield, bad_pixels, dark, dark_limit)
    if whitefield is not None and not good.any():
        raise UserError("no pixel is left: whitefield (0 or no number), bad pixels and dark exclude them all")
    if whitefield is not None:
        values = _divided(values, mask & good, torch.where(good, whitefield.float(), 1.0), whitefield_mean, good, notes)
    add_note(notes, (~good).sum(), f"of {good.numel()} detector pixels are bad: taken as not measured")
    mask &= good
    if monitor is None and normalise:
        raise UserError(
            "data.preparation.normalise=true: the scan has no monitor to divide by; name one with data.keys.monitor="
        )
    if monitor is not None:
        values, mask = _follow_monitor(values, mask, monitor, normalise, notes)
    if not mask.any():
        raise UserError("no voxel of the scan measured anything: check bad pixels, dark and saturation")
    return torch.where(mask, values, 0.0), mask, notes


def _divided(
    values: Tensor, mask: Tensor, response: Tensor, mean: float | None, good: Tensor, notes: list[Note]
) -> Tensor:
    """Frames divided by the response of the pixels, times its mean; adds a note."""
    mean = mean or float(response[good].mean())
    corrected = values * (mean / response)
    before, after = (float(torch.where(mask, each, 0.0).max()) for each in (values, corrected))
    least, most = (float(each) / mean for each in response[good].aminmax())
    notes.append(
        Note.of(
            f"frames are divided by the whitefield (flat field; {least:.2f} to {most:.2f} of its mean): the largest "
            f"voxel of {before:,.6g} becomes {after:,.6g}"
        )
    )
    return corrected


def _usable(
    values: Tensor, saturation: float | None, noted_by_reader: bool, notes: list[Note]
) -> tuple[Tensor, Tensor]:
    """Counts, 0 where not measured, and the mask of finite, non-negative ones below saturation."""
    mask = torch.isfinite(values) & (values >= 0)
    if not noted_by_reader:
        add_note(notes, values.isnan().sum(), "voxels hold NaN: taken as not measured")
        add_note(notes, (values < 0).sum(), "voxels hold negative counts: taken as not measured")
        add_note(notes, values.isposinf().sum(), "voxels are saturated: taken as not measured")
    if saturation is not None:
        saturated = mask & (values >= saturation)
        add_note(notes, saturated.sum(), f"voxels are saturated, at or above {saturation:g}: taken as not measured")
        mask &= ~saturated
    return values, mask


def _good_pixels(
    frames: Tensor, whitefield: Tensor | None, bad_pixels: Tensor | None, dark: Tensor | None, dark_limit: float
) -> Tensor:
    """Mask (rows, columns) of good pixels; UserError for an image of another shape."""
    good = torch.ones(frames.shape[1:], dtype=torch.bool, device=frames.device)
    for name, image in (("whitefield", whitefield), ("bad_pixels", bad_pixels), ("dark", dark)):
        if image is not None and image.shape != good.shape:
            raise UserError(f"{name} has shape {tuple(image.shape)}, the frames {tuple(good.shape)}: crop it alike")
    if bad_pixels is not None:
        good &= bad_pixels == 0
    if dark is not None:
        good &= dark <= dark_limit
    if whitefield is not None:
        good &= torch.isfinite(whitefield) & (whitefield > 0)
    return good


def saturated_voxels(counts: Tensor, saturation: float | None = None, bad_pixels: Tensor | None = None) -> Tensor:
    """Mask of a scan (frames, rows, columns) where good pixels are infinite or at least ``saturation`` photons."""
    full = counts.isposinf() if saturation is None else counts >= saturation
    return full if bad_pixels is None else full & (bad_pixels == 0)


def _follow_monitor(
    values: Tensor, mask: Tensor, monitor: Tensor, normalise: bool, notes: list[Note]
) -> tuple[Tensor, Tensor]:
    """Drop frames without beam and, with ``normalise``, divide by the monitor; ignore one that the photons contradict.

    Raises:
        UserError: The monitor has another length than the scan, or is contradicted and needed to divide by.
    """
    if monitor.shape != (len(values),):
        raise UserError(f"monitor has shape {tuple(monitor.shape)} for {len(values)} frames")
    beam = torch.where(torch.isfinite(monitor), monitor.double(), 0.0)
    if float(beam.median()) < 0:
        beam = -beam
        notes.append(Note.of("the monitor is negative, a current of the other polarity: its size is taken"))
    usual = beam[beam > 0].median() if bool((beam > 0).any()) else beam.new_tensor(1.0)
    off = beam < _DROPOUT * usual
    lit = _lit(torch.where(mask, values, 0.0).sum((1, 2)).double(), beam, usual)
    if int(off.sum()) > _MOST_DROPOUTS * len(off) and 2 * int(lit.sum()) > int(off.sum()):
        belied = (
            f"the monitor is zero, negative or NaN in {int(lit.sum())} of {len(off)} frames that hold as many photons "
            f"as the others ({frames_listed(lit.nonzero()[:, 0].tolist())})"
        )
        if normalise:
            raise UserError(
                f"{belied} and cannot be divided by: leave out data.preparation.normalise=true, or name another one "
                "with data.keys.monitor="
            )
        notes.append(Note.of(f"{belied}: set aside"))
        return values, mask
    if not normalise:
        off &= torch.isfinite(monitor)  # an unknown value is no evidence of a dropout
    if off.any():
        frames = frames_listed(off.nonzero()[:, 0].tolist())
        notes.append(Note.of(f"the monitor dropped out in {int(off.sum())} frames ({frames}): taken as not measured"))
    if normalise:
        notes.append(Note.of("frames are divided by the monitor, relative to its median"))
        values = values * (usual / torch.where(off, usual, beam)).to(values)[:, None, None]
    return values, mask & ~off[:, None, None]


def _lit(photons: Tensor, beam: Tensor, usual: Tensor) -> Tensor:
    """Frames (F,) bool without beam by the monitor that hold as many photons as the darkest frame with beam."""
    without, there = beam < _NO_BEAM * usual, beam >= _DROPOUT * usual
    least = photons[there].min() if bool(there.any()) else photons.new_tensor(0.0)
    return without & (photons > 0) & (photons >= 0.5 * least)


def add_note(notes: list[Note], count: Tensor, line: str) -> None:
    """Append a note with the count () of pixels, voxels or frames, unless it is 0."""
    if int(count):
        notes.append(Note.of(f"{int(count)} {line}"))


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
