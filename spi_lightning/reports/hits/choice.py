"""Choice of the displayed frames: the surest, the worst and the most uncertain."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.int64]
DISPUTED = "Methods disagree, most evenly split first"


def choose_frames(
    probability: NDArray[np.float32],
    decision: NDArray[np.int64],
    label: NDArray[np.int64] | None = None,
    threshold: float = 0.5,
    count: int = 12,
) -> dict[str, Frames]:
    """Frames of the galleries by their titles.

    Args:
        probability: (N,) probability of a single hit.
        decision: (N,) 1 where a frame is taken as a single hit.
        label: (N,) 1, 0 or -1 for unknown; None without labels.
        threshold: Frames nearest to it are the most uncertain.
        count: Largest number of frames of a gallery.

    Returns:
        Title -> (n,) indices in the order of the title; galleries without frames are left out. With labels: surest
        right, worst wrong of either kind, most uncertain. Without: highest, lowest and most uncertain probability, and
        some at even steps in rank; all frames together if they are few.
    """
    falling = np.argsort(-probability, kind="stable")
    rising = falling[::-1]
    uncertain = np.argsort(np.abs(probability - threshold), kind="stable")
    unlabelled = label is None or not (label >= 0).any()
    if unlabelled and len(falling) <= count:
        return {"All frames, highest probability first": falling}
    if label is None or unlabelled:
        steps = np.unique(np.linspace(0, len(falling) - 1, min(count, len(falling))).round().astype(np.int64))
        chosen = {
            "Highest probability": falling,
            "Lowest probability": rising,
            "Most uncertain": uncertain,
            "From highest to lowest, at even steps in rank": falling[steps],
        }
    else:
        single, other = label == 1, label == 0
        taken = decision == 1
        chosen = {
            "Single hits found, surest first": falling[(single & taken)[falling]],
            "Single hits missed, worst first": rising[(single & ~taken)[rising]],
            "False alarms, worst first": falling[(other & taken)[falling]],
            "Others rejected, surest first": rising[(other & ~taken)[rising]],
            "Most uncertain": uncertain,
        }
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
