"""Decision from the probability of a single hit: threshold, and the band in which a method abstains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class DecisionRule:
    """Rule from a probability to a decision.

    Args:
        threshold: Probability from which a frame is taken as a single hit.
        abstain_within: Half width of the band around the threshold in which the method abstains; 0: never.

    Raises:
        UserError: The threshold is not inside (0, 1) or the band is negative.
    """

    threshold: float = 0.5
    abstain_within: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise UserError(f"decision.threshold={self.threshold:g} must lie between 0 and 1")
        if self.abstain_within < 0:
            raise UserError(f"decision.abstain_within={self.abstain_within:g} must not be negative")

    def __call__(
        self, probability: Floats, undecided: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(N,) probabilities -> decisions (N,) int64 and abstentions (N,) bool; undecided frames are not taken."""
        decision = (probability >= self.threshold).astype(np.int64)
        abstain = np.abs(probability - self.threshold) < self.abstain_within
        if undecided is not None:
            decision[undecided], abstain[undecided] = 0, True
        return decision, abstain
