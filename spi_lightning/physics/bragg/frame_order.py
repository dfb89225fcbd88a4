"""Frames of a rocking scan in even steps of the angle: sorted, repeated ones averaged, missing ones NaN."""

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.notes import Note

_TOLERANCE = 0.3  # of a step
_NO_ANGLE = 1e9  # degree; beyond it no motor turns, and numbers overflow
_MISSING = 0.2  # largest share of missing frames
_JUMP = 0.2  # of a step, from which the frames after a jump belong between those of even steps
_CLEAR = 6  # standard deviations of the angles' noise
_PART = 3  # frames at least on either side of a jump
_REACH = 8  # angles through which the first line goes, and that are looked at together


def order_frames(
    counts: Tensor, angles: Tensor, monitor: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor | None, list[Note]]:
    """Put frames in order of their angle, one for each step; the Fourier transform needs even steps.

    A scan towards smaller angles keeps its direction. The step is that of a line through all angles, so that the noise
    of an encoder does not add up. An angle that is not a number is taken from the line.

    Args:
        counts: (F, H, W) frames as measured.
        angles: (F,) rocking angles, degree.
        monitor: (F,) incident intensity, or None.

    Returns:
        counts (G, H, W) float32, NaN in frames that are missing; angles (G,) float64, evenly spaced; monitor (G,) or
        None; notes.

    Raises:
        UserError: The numbers of angles or monitor values differ from that of frames, angles are uneven, or more than
            a fifth of the frames or angles is missing.
    """
    if angles.shape != (len(counts),):
        raise UserError(f"the scan has {len(counts)} frames and {angles.numel()} angles: frames or angles are missing")
    if monitor is not None and monitor.shape != (len(counts),):
        raise UserError(f"the scan has {len(counts)} frames and {monitor.numel()} values of the monitor")
    if len(angles) < 3:
        raise UserError("the scan has fewer than 3 angles: check data.keys.angle")
    notes: list[Note] = []
    angles = _without_gaps(angles.double(), notes)
    falling = bool(angles[0] - angles[-1] > (angles.max() - angles.min()) / 2)  # a pass back ends where it began
    order = angles.argsort(stable=True, descending=falling)
    if not torch.equal(angles[order], angles) and _turns_back(angles):  # not only frames of equal angle
        notes.append(Note.of("the frames were not in order of their angle: sorted"))
    first, step = _line(angles[order])
    position = (angles - first) / step
    slot = position.round().long()
    slot, first = slot - slot.min(), first + step * float(slot.min())
    off = ((angles - first) / step - slot).abs()
    _refuse_jump(((angles - first) / step - slot)[order], order, step)
    if float(off.max()) > _TOLERANCE or _drift(((angles - first) / step - slot)[order]) > _TOLERANCE / 2:
        raise UserError(
            f"the angles of the scan are uneven by {float(off.max()):.0%} of a step of {step:g} degree (frame "
            f"{int(off.argmax())}): the Fourier transform needs even steps; interpolate the frames first"
        )
    if falling:
        notes.append(
            Note.of(
                f"the angles fall, from {float(angles[order[0]]):g} to {float(angles[order[-1]]):g} degree: step_deg "
                "is negative, which matters for the laboratory frame"
            )
        )
    return _filled(counts, first, slot, step, monitor, notes)


def _refuse_jump(off: Tensor, order: Tensor, step: float) -> None:
    """UserError where the deviations (F,) from even steps, in steps, all change at one frame by far more than noise.

    A line through both parts spreads such a jump over many frames, so a line and a jump are fitted.
    """
    count = len(off)
    number = torch.arange(count, dtype=torch.float64)
    best, jump, index = float("inf"), 0.0, 0
    for n in range(_PART, count - _PART + 1):
        basis = torch.stack([torch.ones_like(number), number / count, (number >= n).double()], dim=1)
        found = torch.linalg.lstsq(basis, off[:, None]).solution[:, 0]
        left = float((off - basis @ found).square().sum())
        if left < best:
            best, jump, index = left, float(found[2]), n
    noise = (best / max(1, count - 4)) ** 0.5
    if abs(jump) > max(_JUMP, _CLEAR * noise):
        raise UserError(
            f"the angles of the scan are uneven: they jump by {abs(jump):.0%} of a step of {abs(step):g} degree "
            f"between frames {int(order[index - 1])} and {int(order[index])}, beside their even steps: the Fourier "
            "transform needs even steps; interpolate the frames first"
        )


def _drift(off: Tensor) -> float:
    """Largest deviation from even steps (F,) that neighbouring frames share, unlike encoder noise."""
    width = min(_REACH, max(3, len(off) // 4))
    return float(off.unfold(0, width, 1).mean(1).abs().max())


def _without_gaps(angles: Tensor, notes: list[Note]) -> Tensor:
    """Angles (F,) that are not numbers replaced by those on the line through the others, over the frame's number.

    Raises:
        UserError: Too many angles are not numbers, or the others are not on a line.
    """
    known = torch.isfinite(angles) & (angles.abs() < _NO_ANGLE)
    if known.all():
        return angles
    number = torch.arange(len(angles)).double()
    if int(known.sum()) < 3 or float((~known).float().mean()) > _MISSING:
        raise UserError("the angles of the scan are not all numbers: check data.keys.angle")
    slope, start = _fit(number[known], angles[known])
    if slope == 0 or float((angles[known] - start - slope * number[known]).abs().max()) > _TOLERANCE * abs(slope):
        raise UserError(
            "the angles of the scan are not all numbers, and the others are in no even steps that would tell which "
            "are missing: check data.keys.angle"
        )
    notes.append(
        Note.of(
            f"{int((~known).sum())} angles are not numbers (frames "
            f"{frames_listed((~known).nonzero()[:, 0].tolist())}): taken from the even steps of the others"
        )
    )
    return torch.where(known, angles, start + slope * number)


def _line(angles: Tensor) -> tuple[float, float]:
    """First angle and step of sorted angles (F,), of which some may be missing or doubled, by a line through all.

    The line is made longer bit by bit, as the error of the median step would add up over many frames.
    """
    steps = angles.diff()
    usual = min(float(steps.abs().mean()), float(steps.abs().quantile(0.75)))
    distinct = steps[steps.abs() > _TOLERANCE * usual] if usual else steps[:0]
    if len(distinct) < 2:
        raise UserError("the angles of the scan are all the same: check data.keys.angle")
    first, step, reach = float(angles[0]), float(distinct.median()), min(_REACH, len(angles))
    while True:
        slot = ((angles[:reach] - first) / step).round()
        if float(slot.max()) > float(slot.min()):
            step, first = _fit(slot, angles[:reach])
        if reach == len(angles):
            return first, step
        reach = min(len(angles), reach + max(2, reach // 2))


def _fit(x: Tensor, y: Tensor) -> tuple[float, float]:
    """Slope, and value at 0, of the line through y over x, both (N,)."""
    away = x - x.mean()
    slope = float((away * y).sum() / away.square().sum())
    return slope, float(y.mean()) - slope * float(x.mean())


def _turns_back(angles: Tensor) -> bool:
    """Whether frames are out of order by more than the noise of an encoder."""
    steps = angles.diff()
    return bool((steps * (angles[-1] - angles[0]).sign() < -_TOLERANCE * steps.abs().median()).any())


def frames_listed(frames: list[int]) -> str:
    """Numbers of up to eight frames, for a note."""
    return ", ".join(str(frame) for frame in frames[:8]) + (", ..." if len(frames) > 8 else "")


def _filled(
    counts: Tensor, first: float, slot: Tensor, step: float, monitor: Tensor | None, notes: list[Note]
) -> tuple[Tensor, Tensor, Tensor | None, list[Note]]:
    """Put every frame into its slot; average those that share one, leave NaN where there is none."""
    slots = int(slot.max()) + 1
    taken = torch.bincount(slot, minlength=slots)
    missing, doubled = (taken == 0).nonzero()[:, 0].tolist(), int((taken > 1).sum())
    if len(missing) > _MISSING * slots:
        raise UserError(f"{len(missing)} of {slots} frames of the scan are missing: too many to phase")
    if doubled:
        notes.append(Note.of(f"{doubled} angles were measured more than once: averaged"))
    if missing:
        notes.append(
            Note.of(f"{len(missing)} of {slots} frames are missing ({frames_listed(missing)}): taken as not measured")
        )
    even = first + step * torch.arange(slots, dtype=torch.float64)
    shape = (slots, *counts.shape[1:])
    divisor = taken.float()
    total = torch.zeros(shape).index_add_(0, slot, counts.float())
    filled = torch.where((taken > 0)[:, None, None], total / divisor.clamp_min(1)[:, None, None], torch.nan)
    if monitor is None:
        return filled, even, None, notes
    beam = torch.zeros(slots, dtype=torch.float64).index_add_(0, slot, monitor.double())
    beam = beam / taken.clamp_min(1)
    return filled, even, torch.where(taken > 0, beam, beam[taken > 0].median()), notes
