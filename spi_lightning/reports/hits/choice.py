"""Choice of the displayed frames: selected ones first, then uncertain ones, then errors."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import IS_HIT
from spi_lightning.results.hits import TABLE, HitResult

Frames = NDArray[np.int64]
SELECTED: Final = "Selected frames, surest first"
UNCERTAIN: Final = "Uncertain frames, nearest to the threshold first"
NEAREST: Final = "No frame is uncertain: those nearest to the threshold"
MISSED: Final = "Single hits missed, worst first"
FALSE_ALARMS: Final = "False alarms, worst first"
REJECTED: Final = "Frames not taken, surest first"
STEPS: Final = "From highest to lowest probability, at even steps in rank"
CONTRADICTED: Final = "Labels that every method contradicts, surest first"
DISPUTED: Final = "Methods disagree, most evenly split first"


def choose_frames(
    probability: NDArray[np.float32],
    decision: NDArray[np.int64],
    abstain: NDArray[np.bool_],
    label: NDArray[np.int64] | None = None,
    threshold: float = 0.5,
    count: int = 12,
) -> dict[str, Frames]:
    """Frames of the galleries by their titles.

    Args:
        probability: (N,) probability of a single hit.
        decision: (N,) 1 where a frame is taken as a single hit.
        abstain: (N,) True where the decision is uncertain.
        label: (N,) 1, 0 or -1 for unknown; None without labels.
        threshold: Frames nearest to it are the most uncertain.
        count: Largest number of frames of a gallery.

    Returns:
        Title -> (n,) indices in the order of the title; galleries without frames are left out. Frames at even steps in
        rank are there only without labels, where most frames are in no other gallery.
    """
    falling = np.argsort(-probability, kind="stable")
    rising = falling[::-1]
    near = np.argsort(np.abs(probability - threshold), kind="stable")
    taken = decision == 1
    chosen = {
        SELECTED: falling[(taken & ~abstain)[falling]],
        UNCERTAIN if abstain.any() else NEAREST: near[abstain[near]] if abstain.any() else near,
    }
    if label is not None:
        chosen[MISSED] = rising[((label == 1) & ~taken)[rising]]
        chosen[FALSE_ALARMS] = falling[((label == 0) & taken)[falling]]
    chosen[REJECTED] = rising[(~taken & ~abstain)[rising]]
    if (label is None or not (label >= 0).any()) and len(falling) > 6 * count:
        chosen[STEPS] = falling[np.linspace(0, len(falling) - 1, count).round().astype(np.int64)]
    return {title: frames[:count] for title, frames in chosen.items() if len(frames)}


def choose_disputed(
    decisions: Sequence[Frames], probabilities: Sequence[NDArray[np.float32]], count: int = 12
) -> Frames:
    """Frames (n,) that some methods take and others do not, the most evenly split first, then the widest apart.

    Args:
        decisions, probabilities: (N,) of every method.
        count: Largest number of frames.
    """
    share = np.mean(decisions, axis=0)
    apart = np.ptp(np.stack(probabilities), axis=0)
    order = np.lexsort((-apart, np.abs(share - 0.5)))
    disputed: Frames = order[((share > 0) & (share < 1))[order]][:count]
    return disputed


def left_out_of(selected: int, taken: int) -> str:
    """End of a sentence on frames that are taken as single hits but not selected; empty if there are none."""
    if selected >= taken:
        return ""
    return f"; {taken - selected} taken but uncertain are left out (selection.uncertain=true selects them too)"


def hits_found(result: HitResult) -> str:
    """End of a sentence on the frames that hold a hit, single or not; empty if hits were not looked for."""
    if IS_HIT not in result.columns:
        return ""
    return f"; {int(result.columns[IS_HIT].sum()):,} frames hold a hit, single or not (is_hit in {TABLE})"
