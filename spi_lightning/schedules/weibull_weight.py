"""Weight of the correlation term of Wu et al. (2021), which falls during the refinement (Eq. 8)."""

import math

from spi_lightning.errors import UserError


class WeibullWeight:
    """Weibull weight b1(n) = a0 (k / l) (n / l)^(k - 1) exp(-(n / l)^k) + a1, n growing to ``scale`` with the epochs.

    The paper gives k = 1, l = 0.5, and a0 and a1 such that b1 falls "gradually" from 1e4 to 1. With n the number of the
    epoch b1 would be 1 after five of 40,000 epochs, so n runs from 0 to ``scale`` here. a0 and a1 follow from the
    two end values, exactly. a1 is positive for scale >= 4.605; its value in the paper (Fig. S5) is not in the text.
    For k > 1 the distribution is 0 at n = 0: n then runs from its maximum, l ((k - 1) / k)^(1 / k), so that b1 falls
    for every k and stays between the end values.

    Args:
        start, end: Weights at the beginning and at the end.
        k, lam: Shape and scale of the Weibull distribution; k = 1 is an exponential.
        scale: Value of n at the end of the refinement.
        a0, a1: Explicit coefficients, both or neither; ``start`` and ``end`` are then ignored, and n runs from 0.

    Raises:
        UserError: k is below 1 (infinite at the beginning), lam or scale is not positive, scale is not beyond the
            maximum of the distribution, or only one of a0 and a1 is given.

    Source: Wu et al. (2021), Eq. 8.
    """

    def __init__(
        self,
        start: float = 1e4,
        end: float = 1.0,
        k: float = 1.0,
        lam: float = 0.5,
        scale: float = 5.0,
        a0: float | None = None,
        a1: float | None = None,
    ) -> None:
        if k < 1 or lam <= 0 or scale <= 0:
            raise UserError(f"loss.weight: k={k:g} must be 1 or more, lam={lam:g} and scale={scale:g} positive")
        if (a0 is None) != (a1 is None):
            raise UserError("loss.weight: give a0 and a1 both, or neither")
        self.k, self.lam, self.scale, self.start, self.end = k, lam, scale, start, end
        self.first = lam * math.pow((k - 1) / k, 1 / k) if a0 is None else 0.0
        if self.first >= scale:
            raise UserError(
                f"loss.weight: scale={scale:g} must be above {self.first:.3g}, where a weight of k={k:g} and "
                f"lam={lam:g} begins to fall"
            )
        self.a0 = (start - end) / (self._density(self.first) - self._density(scale)) if a0 is None else a0
        self.a1 = end - self.a0 * self._density(scale) if a1 is None else a1
        self.explicit = a0 is not None

    def _density(self, n: float) -> float:
        x = n / self.lam
        return self.k / self.lam * math.pow(x, self.k - 1) * math.exp(-math.pow(x, self.k))

    def __call__(self, progress: float) -> float:
        """Weight after a share ``progress`` of the refinement, 0 to 1; constant beyond 1."""
        if not self.explicit and progress <= 0:
            return self.start
        if not self.explicit and progress >= 1:
            return self.end
        n = self.first + (self.scale - self.first) * min(max(progress, 0.0), 1.0)
        return self.a0 * self._density(n) + self.a1


class ConstantWeight:
    """Constant weight: ``ConstantWeight(1.0)(progress) == 1.0``."""

    def __init__(self, value: float = 1.0) -> None:
        self.value = value

    def __call__(self, progress: float) -> float:
        """Constant weight for any progress."""
        return self.value
