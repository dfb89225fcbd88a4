"""Correction of the frames of a photon-counting detector, and the mask of measured voxels."""

from typing import Final

import torch
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
