"""Settings of the EMC of this package, in the words of Dragonfly's section [emc]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError, whole_number
from spi_lightning.physics.rotations.orientations import symmetry_group

POINT_GROUPS: Final = {"1": "none", "S4": "octahedral", "A5": "icosahedral"}


@dataclass(frozen=True)
class EmcSettings:
    """Settings of the EMC, named as Dragonfly names them.

    Attributes:
        num_div: Steps along each edge of the 600-cell: 10 (5 n^3 + n) orientations.
        need_scaling: Whether the fluence differs from pattern to pattern and is found.
        beta: Exponent of the likelihood at the start of annealing; ``auto``: exp(-6.5 (photons / 1e5)^0.15) of each
            pattern.
        beta_factor: Factor of beta in the first iteration.
        beta_schedule: Growth and period: beta is multiplied by the first every so many iterations, up to 1.
        alpha: Share of the earlier intensity that is kept in each iteration.
        point_group: Symmetry imposed on the intensity: ``none``, ``octahedral`` or ``icosahedral``, or in Dragonfly's
            words 1, S4 or A5.
        friedel: Whether the intensity is made symmetric under q -> -q.

    Raises:
        UserError: A number that is not whole or out of its range, or an unknown point group.
    """

    num_div: int = 6
    need_scaling: int = 1
    beta: str | float = "auto"
    beta_factor: float = 1.0
    beta_schedule: str = "1.25 1"
    alpha: float = 0.0
    point_group: str = "none"
    friedel: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "num_div", whole_number("emc.num_div", self.num_div, 1))
        object.__setattr__(self, "point_group", POINT_GROUPS.get(str(self.point_group), str(self.point_group)))
        symmetry_group(self.point_group)
        if not 0 <= float(self.alpha) < 1:
            raise UserError(f"emc.alpha={self.alpha}: give a share from 0 to below 1")
        for name in ("beta_factor", *(() if self.beta == "auto" else ("beta",))):
            if not _number(getattr(self, name)) > 0:
                raise UserError(f"emc.{name}={getattr(self, name)}: give a number above 0")
        self.growth()

    def growth(self) -> tuple[float, int]:
        """Factor by which beta grows, and the number of iterations after which it does."""
        words = str(self.beta_schedule).split()
        factor, period = (_number(word) for word in (words if len(words) == 2 else ("nan", "nan")))
        if not (factor >= 1 and period >= 1 and period.is_integer()):
            raise UserError(f"emc.beta_schedule={self.beta_schedule}: give growth and period, such as 1.25 1")
        return factor, int(period)

    def exponents(self, iteration: int, photons: NDArray[np.float64]) -> NDArray[np.float64]:
        """Exponent beta of each pattern in an iteration, from 1, by its photons: (N,), at most 1."""
        factor, period = self.growth()
        start = (
            np.exp(-6.5 * (photons * 1e-5) ** 0.15) if self.beta == "auto" else np.full(len(photons), float(self.beta))
        )
        return np.asarray(np.minimum(start * self.beta_factor * factor ** ((iteration - 1) // period), 1.0))


def read_emc(lines: Mapping[str, Any]) -> EmcSettings:
    """Settings from lines of Dragonfly's section [emc].

    Raises:
        UserError: A line that the EMC of this package does not know, or a value that it refuses.
    """
    known = [field.name for field in fields(EmcSettings)]
    for name, value in lines.items():
        if name not in known:
            raise UserError(
                f"emc.{name}={value}: the EMC of this package knows {', '.join(known)}; Dragonfly takes all of its own "
                "with dragonfly=VENV"
            )
    return EmcSettings(**lines)


def _number(value: object) -> float:
    """A value as float; NaN, for which every comparison is false, where it is none."""
    try:
        return float(str(value))
    except ValueError:
        return float("nan")
