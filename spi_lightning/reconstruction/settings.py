"""Settings of the reconstruction of one pattern; a mistake is refused when they are made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import torch
from torch import Tensor

from spi_lightning.errors import UserError, whole_number
from spi_lightning.phasing import Recipe, read_recipe
from spi_lightning.phasing.constraints import CONSTRAINTS
from spi_lightning.physics.partial_coherence import require_width

_BELOW: Final = {"held_out": 0.5, "disagreement": 2.0, "least_oversampling": 100.0, "start_noise": 100.0}
_POLISH_STEPS: Final = 200  # where polish_steps=auto has a polish
AUTO: Final = "auto"
FLAT_RECIPE: Final = (
    "50*ER + 20*(80*HIO(0.9) + 20*ER) + 100*ER + shrinkwrap(2.0, 0.1, decay=0.98, last_sigma=1.0, after=50)/20"
)
CRYSTAL_RECIPE: Final = "3*(20*ER + 180*HIO(0.9)) + 20*ER + shrinkwrap(1.0, 0.1)/10"
DEFAULTS: Final[Mapping[str, tuple[str, str, str]]] = {
    "plane": (FLAT_RECIPE, "positive", "autocorrelation"),
    "crystal": (CRYSTAL_RECIPE, "complex", "box"),
    "merged": (FLAT_RECIPE, "positive", "autocorrelation"),
}
"""Recipe, constraint and first support that ``auto`` stands for, by the kind of pattern, see Measurement.kind."""


@dataclass(frozen=True)
class Phasing:
    """Iterations of phase retrieval and the constraint on the density; the group conf/phasing.

    Attributes:
        recipe: Updates in their order, as a line such as ``200*HIO(0.9) + 50*ER`` or as the list of its YAML form, see
            phasing.read_recipe; ``auto``: that of DEFAULTS for the kind of pattern.
        constraint: ``positive`` (real, not negative), ``real`` or ``complex``; ``auto``: complex for a volume, since
            the density of a strained crystal has a phase, else positive.

    Raises:
        UserError: A mistake in the recipe, or an unknown constraint.
    """

    recipe: str | Sequence[Any] | Recipe = AUTO
    constraint: str = AUTO

    def __post_init__(self) -> None:
        known = isinstance(self.recipe, str | Sequence | Recipe)
        if not known or (isinstance(self.recipe, str) and self.recipe.strip().isdigit()):
            raise UserError(f"phasing.recipe={self.recipe}: give a recipe such as 200*HIO(0.9) + 50*ER")
        if self.recipe != AUTO:
            self.read()
        if self.constraint not in (AUTO, *CONSTRAINTS):
            raise UserError(f"phasing.constraint={self.constraint!r}: known are {', '.join((AUTO, *CONSTRAINTS))}")

    def read(self) -> Recipe:
        """The recipe as steps and groups, once for_kind has chosen it."""
        return read_recipe(self.recipe)

    def for_kind(self, kind: str) -> Phasing:
        """These iterations and this constraint, of which ``auto`` is chosen by the kind of pattern."""
        recipe, constraint, _ = DEFAULTS[kind]
        return Phasing(
            recipe if self.recipe == AUTO else self.recipe, constraint if self.constraint == AUTO else self.constraint
        )


@dataclass(frozen=True)
class ReconstructionSettings:
    """Every choice of the reconstruction of one pattern; conf/phase.yaml has them under the same names.

    Attributes:
        phasing: Recipe of the iterations and constraint on the density.
        starts: Number of independent starts, run as one batch.
        start: ``random`` phases; run folder, checkpoint or name (shipped weights) of a network of densities, 2D or 3D;
            or densities to begin with, (spatial) or (starts, spatial).
        start_noise: Standard deviation of the phase noise added to a network's density, so that starts differ, rad.
        support: First support: ``auto`` (box of a scan, else autocorrelation), ``autocorrelation``,
            ``circle``, ``box``, ``double_intersection``, ``triple_intersection`` or ``ideal``; run folder, checkpoint
            or name of a support network; ``.npy`` file of True and False; or (spatial) bool.
        support_threshold: Fraction of the largest autocorrelation above which a pixel belongs to its region.
        least_oversampling: Pixels of the array over those of the particle along each axis, below which a pattern gets
            no support from its autocorrelation.
        held_out: Share of the measured pixels that float and evaluate the result; 0: none.
        halves: Whether two halves of the photons are phased too, for their Fourier shell correlation.
        polish_steps: Steps of L-BFGS on every start in its last support; ``auto``: 200 for complex volumes, else 0.
        point_spread: First root mean square width of a blur by partial coherence that the polish fits too, pixel;
            None: a coherent pattern.
        disagreement: Distance 1 - overlap with the best start from which a start counts as failed.
        seed: Seed of the starts, of the held-out pixels and of the halves.
        device: Device to compute on: ``auto`` (the GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, ...

    Raises:
        UserError: A value that is not a number, or out of range.
    """

    phasing: Phasing = field(default_factory=Phasing)
    starts: int = 20
    start: str | Tensor = "random"
    start_noise: float = 0.7
    support: str | Tensor = AUTO
    support_threshold: float = 0.004
    least_oversampling: float = 2.0
    held_out: float = 0.05
    halves: bool = False
    polish_steps: int | Literal["auto"] = "auto"
    point_spread: float | None = 0.5
    disagreement: float = 0.1
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in ("start", "support"):
            if not isinstance(value := getattr(self, name), str | Tensor):  # arrays of NumPy, too
                object.__setattr__(self, name, torch.as_tensor(value))
        object.__setattr__(self, "starts", whole_number("starts", self.starts, 1))  # 1e4 is one
        object.__setattr__(self, "seed", whole_number("seed", self.seed, 0))
        for name, below in _BELOW.items():
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 <= value < below:
                raise UserError(f"{name}={value}: give a number from 0 to {below:g}")
        if not isinstance(self.support_threshold, int | float) or not 0 < self.support_threshold < 1:
            raise UserError(
                f"support_threshold={self.support_threshold}: give a number above 0 and below 1, such as 0.004; it is "
                "a fraction of the largest autocorrelation"
            )
        if not isinstance(self.halves, bool):
            raise UserError(f"halves={self.halves}: give true or false")
        require_width(self.point_spread, "point_spread")
        self.steps_of_polish(3)

    def steps_of_polish(self, ndim: int) -> int:
        """Steps of the polish of a pattern with ``ndim`` axes; 0: none. Raises UserError where there can be none."""
        constraint = self.phasing.constraint
        if self.polish_steps == "auto":
            return _POLISH_STEPS if constraint == "complex" and ndim == 3 else 0
        if not isinstance(self.polish_steps, int | float) or not math.isfinite(self.polish_steps):
            raise UserError(f"polish_steps={self.polish_steps}: give a whole number of steps, 0 for none, or auto")
        steps = whole_number("polish_steps", self.polish_steps, 0)
        if steps and constraint not in (AUTO, "complex"):
            raise UserError(
                f"polish_steps={steps} would leave phasing.constraint={constraint}: give polish_steps=0, or "
                "phasing.constraint=complex"
            )
        return steps

    def for_kind(self, kind: str) -> ReconstructionSettings:
        """These settings, of which ``auto`` is chosen by the kind of pattern; UserError as when made."""
        chosen = isinstance(self.support, str) and self.support == AUTO
        support = DEFAULTS[kind][2] if chosen else self.support
        return replace(self, phasing=self.phasing.for_kind(kind), support=support)

    def chosen(self, kind: str) -> str:
        """Words for what ``auto`` stands for in a kind of pattern; empty where nothing is ``auto``."""
        whole, words = self.for_kind(kind), []
        for name in ("recipe", "constraint"):
            if getattr(self.phasing, name) == AUTO:
                words.append(f"phasing.{name}={getattr(whole.phasing, name)}")
        return " ".join([*words, *([f"support={whole.support_name}"] if self.support_name == AUTO else [])])

    @property
    def support_name(self) -> str:
        """Word for the first support in messages and notes."""
        return self.support if isinstance(self.support, str) else "array"

    @property
    def start_name(self) -> str:
        """Word for the first densities in messages and notes."""
        return self.start if isinstance(self.start, str) else "array"
