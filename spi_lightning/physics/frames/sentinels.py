"""Sentinels in stored counts: values that detectors and file formats write where nothing was measured.

Formats without NaN mark gaps, dead and overflowed pixels by numbers: the largest integer of the type (EIGER: 2^32 - 1
in gaps and 2^32 - 2 in defective pixels; 65535 or 255 at smaller bit depths), -1 and -2 in signed types (PILATUS),
fill values of HDF5 and netCDF. Whether a value is such a mark is decided by its size and by its constancy over frames:

1. Integers of 2^31 - 1 and above are not counts in any frame; nor are a signed type's smallest value and, in
   floats, exactly 2^31 - 1 and its like, the largest float, and values a million times beyond all others.
2. The largest integers of a type of 8 or 16 bits, or of a type narrower than the one stored, are marks where a pixel
   holds them in every frame. In some frames only they are counts, perhaps saturated.
3. Negative values are marks where a pixel holds the same one in every frame, or where they are few numbers in coherent
   areas; negative values that scatter are noise of a detector read in units of its own.
4. A fill value that the file states, and NaN, are marks where a pixel holds them in every frame; a fill value beyond
   all counts in any frame.
5. Integers of 10^5 and more that a pixel holds in every frame while the others change and stay far below are marks;
   so are pixels that in every frame hold millions, whichever, while no other pixel comes near.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

LIMIT: Final = 2**31 - 1  # no pixel counts so many photons in one frame
NARROW: Final[dict[float, str]] = {
    2**bits - less: f"{bits} bits{also}" for bits in (8, 16, 20, 24) for less, also in ((1, ""), (2, " but one"))
}
_NO_COUNTS: Final = "no counts"
_INTEGER_LIMITS: Final = tuple(2.0**bits - less for bits in (31, 32, 63, 64) for less in (0, 1, 2))
_MOST: Final = 8  # largest number of different marks in floats; more are values of an unusual unit
_MANY_FRAMES: Final = 8  # frames in which noise does not repeat by chance
_BEYOND: Final = 1e6  # ratio to the next largest value from which a float is not an intensity
_HUGE: Final = 1e15  # floats below may be intensities in any unit
_FEW: Final = 2e-3  # share of a frame's pixels that may hold negative marks without lying side by side
_NEGATIVES: Final = 3  # numbers that a detector uses as negative marks
_STUCK: Final = 1e5  # counts, which photons do not give again and again
_MILLIONS: Final = 1e6  # counts a frame that no pixel holds in all of them
_FAR: Final = 10.0  # ratio to all values that change, from which one that does not is none of them
_NOTHING_BETWEEN: Final = 1e3  # ratio in which next to no pixel lies between the marks and the counts


@dataclass(frozen=True)
class Sentinel:
    """Stored value that means "not measured".

    Attributes:
        value: Value as stored; NaN also for infinite ones.
        pixels: Detector pixels that hold it in every frame, or voxels that hold it in some frames.
        why: Evidence that the value is not a count.
        always: Whether ``pixels`` counts pixels that hold it in every frame.
        larger: Whether larger values are sentinels too.
    """

    value: float
    pixels: int
    why: str
    always: bool = True
    larger: bool = False

    def line(self, examined: int | None = None, frames: int = 0) -> str:
        """Note for the user, with the numbers of frames that were examined and of all frames."""
        what, every, masked = "pixels" if self.always else "voxels", "in every frame", ""
        if examined is not None:
            every += f" searched ({examined} of {frames})"
            masked = f", masked in all {frames} frames" if self.always else f" ({examined} of {frames} frames searched)"
        if np.isnan(self.value):
            are = f"{what[:-1]} is" if self.pixels == 1 else f"{what} are"
            return f"{self.pixels} {are} NaN or infinite {every}: not measured{masked}"
        hold = (f"{what[:-1]} holds" if self.pixels == 1 else f"{what} hold") + f" {_number(self.value)}"
        hold += " or more" if self.larger else ""
        return f"{self.pixels} {hold} {every if self.always else 'in some frames'}, {self.why}: not measured{masked}"


def find_sentinels(frames: NDArray[Any], fill: Sequence[float] = ()) -> tuple[Mask, list[Sentinel]]:
    """Find values that stand for "not measured".

    Args:
        frames: (N, H, W) counts as stored, any real type; dropped frames, of one value throughout, are left out where
            they are fewer than half.
        fill: Fill values that the file states for this array; 0 is ignored.

    Returns:
        (N, H, W) bool, True where a sentinel stands; one entry for each value, the most frequent first.
    """
    none = np.zeros(frames.shape, dtype=bool)
    if frames.size == 0 or frames.dtype.kind not in "uif":
        return none, []
    flat = frames.reshape(len(frames), -1)
    telling = [i for i, frame in enumerate(flat) if (frame != frame[0]).any()]
    if 2 * len(telling) < len(frames):
        telling = list(range(len(frames)))
    used = frames if len(telling) == len(frames) else frames[telling]
    low, high = used.min(0), used.max(0)  # NaN spreads to both
    steady = low == high
    if frames.dtype.kind == "f":
        lost = ~np.isfinite(used).any(0)
        low, steady = np.where(lost, np.nan, low), steady | lost
    found: list[Sentinel] = []
    mask = none
    for values, why in _steady_marks(low, high, steady, len(used), frames.dtype, fill):
        where = steady & _equal(low, values)
        if where.any():
            found.append(Sentinel(as_number(values), int(where.sum()), why))
            mask |= where
    for where, entry in _far_beyond(low, high, steady, np.asarray(mask.all(0)), used):
        found.append(entry)
        mask |= where
    for values, why in _single_marks(frames, mask, high, low, fill):
        larger = why == _NO_COUNTS
        where = (frames >= values if larger else _equal(frames, values)) & ~mask
        always = where[telling].all(0)
        for part, whole in ((always, True), (where & ~always, False)):
            if part.any():
                found.append(Sentinel(as_number(values), int(part.sum()), why, whole, larger))
        mask |= where
    return mask, sorted(found, key=lambda entry: (not entry.always, -entry.pixels))


def _steady_marks(
    low: NDArray[Any],
    high: NDArray[Any],
    steady: Mask,
    frames: int,
    dtype: np.dtype[Any],
    fill: Sequence[float],
) -> list[tuple[Any, str]]:
    """Values that are marks where a pixel holds them in every frame, and why; from the (H, W) extremes."""
    there = np.unique(low[steady])
    changing_low, changing_high = (values[~steady & (values == values)] for values in (low, high))
    least, most = (changing_low.min(initial=0), changing_high.max(initial=0))
    # detector noise repeats by chance in few frames
    sure = frames >= _MANY_FRAMES or float((changing_low < 0).mean() if changing_low.size else 0) < 0.01
    reasons: dict[Any, str] = {}
    if dtype.kind == "f":
        reasons[np.nan] = "no number"
    if dtype.kind != "u" and frames > 1:
        negative = there[np.isfinite(there) & (there < 0)]
        reasons |= {value: "a negative number" for value in negative if sure or value < least}
    if frames > 2:
        reasons |= {value: f"the largest of {NARROW[value]}" for value in _held(NARROW, there) if value > most}
    if dtype.kind in "ui":
        largest = np.iinfo(dtype).max
        reasons |= {largest - 1: f"the largest {dtype} but one"} if largest - 1 in reasons else {}
        reasons[largest] = f"the largest {dtype}"
    reasons |= {value: "the fill value" for value in _cast(fill, dtype) if value != 0}
    return list(reasons.items())


def _far_beyond(
    low: NDArray[Any], high: NDArray[Any], steady: Mask, masked: Mask, frames: NDArray[Any]
) -> list[tuple[Mask, Sentinel]]:
    """Pixels (H, W) whose integers are beyond all others in every frame: one number again and again, or millions.

    A peak that is measured falls off to the counts around it; of marks next to no pixel lies between.
    """
    found: list[tuple[Mask, Sentinel]] = []
    if frames.dtype.kind not in "ui" or not high.max() >= _STUCK:
        return found
    changing = ~steady & ~masked
    most = float(high[changing].max(initial=0))
    if len(frames) >= _MANY_FRAMES and 2 * int(changing.sum()) > int((high[~masked] > 0).sum()):
        stuck = steady & ~masked & (low >= _STUCK) & (low > _FAR * most)
        values = np.unique(low[stuck])
        larger = len(values) > _MOST
        for value in values[:1] if larger else values:
            where = stuck if larger else stuck & (low == value)
            why = "the same in all of them and far brighter than all others"
            found.append((where, Sentinel(as_number(value), int(where.sum()), why, larger=larger)))
        masked = masked | stuck
    millions = ~masked & (low >= _MILLIONS)
    if millions.any():
        least = low[millions].min()
        between = int((~masked & ~millions & (high > least / _NOTHING_BETWEEN)).sum())
        if 20 * between <= int(millions.sum()) and not (millions | masked).all():
            why = "with next to nothing between them and the counts"
            found.append((millions, Sentinel(as_number(least), int(millions.sum()), why, larger=True)))
    return found


def _held(values: Iterable[float], there: NDArray[Any]) -> list[float]:
    """Those values that an array holds."""
    wide = there.astype(np.float64)
    return [value for value in values if (wide == value).any()]


def _single_marks(
    frames: NDArray[Any], mask: Mask, high: NDArray[Any], low: NDArray[Any], fill: Sequence[float]
) -> list[tuple[Any, str]]:
    """Values that are marks in any frame, and why."""
    marks: dict[Any, str] = {}
    dtype = frames.dtype
    if dtype.kind in "ui":
        information = np.iinfo(dtype)
        if information.max >= LIMIT and high.max() >= LIMIT:
            values = np.unique(frames[(frames >= LIMIT) & ~mask])
            marks |= {LIMIT: _NO_COUNTS} if len(values) > _MOST else dict.fromkeys(values, "no count")
        if dtype.kind == "i" and low.min() == information.min:
            marks[information.min] = f"the smallest {dtype}"
    else:
        marks |= _float_marks(frames, mask)
    lowest = np.fmin.reduce(low, axis=None)
    filled = [value for value in _cast(fill, dtype) if value != 0 and value not in marks]
    if lowest >= 0 and not filled:
        return list(marks.items())
    rest = ~mask if dtype.kind in "ui" else ~mask & np.isfinite(frames)
    for value, why in marks.items():
        rest &= frames < value if why == _NO_COUNTS else frames != value
    for value in filled:
        others = rest & (frames != value)
        if value < 0 or not others.any() or value > frames[others].max():
            marks[value] = "the fill value"
            rest = others
    return list((_negative_marks(frames, rest) | marks if lowest < 0 else marks).items())


def _float_marks(frames: NDArray[Any], mask: Mask) -> dict[Any, str]:
    """Floats that no measurement gives: limits of integers, and what lies far beyond the rest."""
    size = np.abs(frames[np.isfinite(frames) & ~mask])
    if float(size.max(initial=0)) < LIMIT:
        return {}
    exact = {float(np.asarray(value, dtype=frames.dtype)) for value in _INTEGER_LIMITS}
    below = float(size[(size < _HUGE) & ~np.isin(size, list(exact))].max(initial=0))
    marks: dict[Any, str] = {}
    for value in np.unique(frames[np.isfinite(frames) & ~mask & (np.abs(frames) >= LIMIT)]):
        distance = abs(float(value))
        if distance in exact:
            marks[value] = "the largest integer of its bits"
        elif distance >= _HUGE and distance > _BEYOND * below:
            marks[value] = "beyond all other values"
        if len(marks) > _MOST:
            return {}
    return marks


def _negative_marks(frames: NDArray[Any], rest: Mask) -> dict[Any, str]:
    """Few negative numbers that lie side by side, in frames that are else 0 and above."""
    negative = rest & (frames < 0)
    values = np.unique(frames[negative])
    if not 0 < len(values) <= _NEGATIVES or (values != np.rint(values)).any() or not frames[rest].max() > 0:
        return {}
    share = float(negative.mean())
    if share > _FEW or len(frames) > 1:
        beside = np.zeros_like(negative)
        beside[:, 1:] |= negative[:, :-1]
        beside[:, :-1] |= negative[:, 1:]
        beside[:, :, 1:] |= negative[:, :, :-1]
        beside[:, :, :-1] |= negative[:, :, 1:]
        together, by_chance = float(beside[negative].mean()), 1 - (1 - share) ** 4
        if together < 0.5 + 0.5 * by_chance:
            return {}
    return dict.fromkeys(values, "a negative number")


def _cast(values: Sequence[float], dtype: np.dtype[Any]) -> list[Any]:
    """Values as the type holds them; those that it cannot hold are left out."""
    held: list[Any] = []
    for value in values:
        if dtype.kind == "f":
            held.append(np.asarray(value, dtype=dtype)[()])
        elif np.isfinite(value) and np.iinfo(dtype).min <= int(value) <= np.iinfo(dtype).max:
            held.append(int(value))
    return held


def _equal(values: NDArray[Any], mark: Any) -> Mask:
    """Mask of an array where it equals a mark, NaN included."""
    return np.isnan(values) if np.isnan(mark) else np.asarray(values == mark)


def as_number(value: Any) -> float:
    """Scalar of any array type as a Python float."""
    number: float = value.item() if isinstance(value, np.generic) else value
    return number


def _number(value: float) -> str:
    """Integers in full, floats to seven digits."""
    return str(int(value)) if isinstance(value, int) or (abs(value) < 1e15 and value == int(value)) else f"{value:.7g}"
