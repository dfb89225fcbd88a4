"""Frames of a rocking scan in even steps of the angle: sorted, doubled ones averaged, missing ones left open."""

import torch
from torch import Tensor

from spi_lightning.fields import UserError

_TOLERANCE = 0.3  # of a step
_MISSING = 0.2  # a scan that lacks more than this share is no scan


def order_frames(
    counts: Tensor, angles: Tensor, monitor: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor | None, list[str]]:
    """Put frames in order of their angle, one for each step; the Fourier transform needs even steps.

    A scan towards smaller angles stays one. The step is the median difference of neighbouring angles.

    Args:
        counts: (F, H, W).
        angles: (F,) degree.
        monitor: (F,) or None.

    Returns:
        counts (G, H, W) float32, NaN in frames that are missing; angles (G,) float64, evenly spaced; monitor (G,) or
        None; notes.

    Raises:
        UserError: Other numbers of angles or monitor values than frames, angles that are no numbers or uneven, more
            than a fifth of the frames missing.
    """
    if angles.shape != (len(counts),):
        raise UserError(f"the scan has {len(counts)} frames and {angles.numel()} angles: some files are missing")
    if monitor is not None and monitor.shape != (len(counts),):
        raise UserError(f"the scan has {len(counts)} frames and {monitor.numel()} values of the monitor")
    angles = angles.double()
    if not bool(torch.isfinite(angles).all()) or len(angles) < 3:
        raise UserError("the angles of the scan are not all numbers, or fewer than 3: check data.keys.angle")
    order, notes = angles.argsort(stable=True), []
    falling = bool(angles[-1] < angles[0])
    order = order.flip(0) if falling else order
    if not torch.equal(order, torch.arange(len(order))) and not _only_ties(angles, order):
        notes.append("the frames were not in order of their angle: sorted")
    steps = angles[order].diff()
    distinct = steps[steps.abs() > _TOLERANCE * steps.abs().median().clamp_min(1e-12)]
    if len(distinct) < 2:
        raise UserError("the angles of the scan are all the same: check data.keys.angle")
    step = float(distinct.median())
    place = (angles - angles[order[0]]) / step
    slot = place.round().long()
    uneven = float((place - slot).abs().max())
    if uneven > _TOLERANCE:
        raise UserError(
            f"the angles of the scan are uneven by {uneven:.0%} of a step of {step:g} degree: "
            "the Fourier transform needs even steps; interpolate the frames first"
        )
    if falling:
        first, last = float(angles[order[0]]), float(angles[order[-1]])
        notes.append(
            f"the angles fall, from {first:g} to {last:g} degree: step_deg is negative, which matters for the "
            "laboratory frame"
        )
    step *= _mean_step(place, slot)
    return _filled(counts, angles, slot, step, monitor, notes)


def _mean_step(place: Tensor, slot: Tensor) -> float:
    """The step over all of the scan, in the median one's: slope of the places (F,) over their slots."""
    away = slot.double() - slot.double().mean()
    return float((away * place).sum() / away.square().sum())


def frames_listed(frames: list[int]) -> str:
    """Numbers of up to eight frames, for a note."""
    return ", ".join(str(frame) for frame in frames[:8]) + (", ..." if len(frames) > 8 else "")


def _filled(
    counts: Tensor, angles: Tensor, slot: Tensor, step: float, monitor: Tensor | None, notes: list[str]
) -> tuple[Tensor, Tensor, Tensor | None, list[str]]:
    """Put every frame into its slot; average those that share one, leave NaN where there is none."""
    slots = int(slot.max()) + 1
    taken = torch.bincount(slot, minlength=slots)
    missing, doubled = (taken == 0).nonzero()[:, 0].tolist(), int((taken > 1).sum())
    if len(missing) > _MISSING * slots:
        raise UserError(f"{len(missing)} of {slots} frames of the scan are missing: too many to phase")
    if doubled:
        notes.append(f"{doubled} angles were measured more than once: averaged")
    if missing:
        notes.append(f"{len(missing)} of {slots} frames are missing ({frames_listed(missing)}): taken as not measured")
    even = angles[slot == 0].mean() + step * torch.arange(slots, dtype=torch.float64)
    shape = (slots, *counts.shape[1:])
    divisor = taken.float()
    total = torch.zeros(shape).index_add_(0, slot, counts.float())
    filled = torch.where((taken > 0)[:, None, None], total / divisor.clamp_min(1)[:, None, None], torch.nan)
    if monitor is None:
        return filled, even, None, notes
    beam = torch.zeros(slots, dtype=torch.float64).index_add_(0, slot, monitor.double())
    return filled, even, torch.where(taken > 0, beam / taken.clamp_min(1), beam.max()), notes


def _only_ties(angles: Tensor, order: Tensor) -> bool:
    """Whether sorting changed nothing but frames of equal angle."""
    return torch.equal(angles[order], angles)
