"""Settings of a comparison of methods of 3D phasing, as its result records them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import Any, Final

from spi_lightning.errors import UserError, is_number, whole_number

_WHOLE: Final = {"starts": 1, "masks": 1, "first": 1, "halves": 0, "outputs": 0, "gallery": 0}  # and their least values
_SHARES: Final = {"held_out": 0.5, "disagreement": 1.0}  # and what they stay below


@dataclass(frozen=True)
class VolumeSettings:
    """Settings of a comparison; conf/volumes/ holds them for evaluate.py.

    Args:
        starts: Number of random starts.
        masks: Number of draws of held-out voxels; one if nothing is held out.
        held_out: Share of the measured voxels that is kept from the methods, 0 to 0.5; 0: none.
        first: Number of particles taken of a simulated set.
        peak_photons: Largest expected counts of a known object, a pattern for each, None being noise-free; None: 1e6.
        halves: Number of random starts on each of two halves of the photons, for the FSC; 0: none.
        levels: Values of chi square for success rates and times.
        disagreement: 1 - overlap with the best run from which a run counts as failed, see phasing.average.
        outputs: Number of patterns whose densities are written as files.
        gallery: Number of patterns that the page shows.
        float64: Whether to polish in float64, for chi square below 1e-6; None: for noise-free patterns.
        seed: Seed of starts, draws and halves.

    Raises:
        UserError: The first setting that is not a number or out of range.
    """

    starts: int = 5
    masks: int = 3
    held_out: float = 0.05
    first: int = 5
    peak_photons: tuple[float | None, ...] | None = None
    halves: int = 0
    levels: tuple[float, ...] = (1e-2, 3e-3, 1e-3, 1e-5, 2e-6)
    disagreement: float = 0.1
    outputs: int = 3
    gallery: int = 3
    float64: bool | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in _WHOLE.items():
            object.__setattr__(self, name, whole_number(f"volumes.{name}", getattr(self, name), least))
        for name, below in _SHARES.items():
            if not is_number(value := getattr(self, name)) or not 0 <= value < below:
                raise UserError(f"volumes.{name}={value}: give a number from 0 to {below:g}")
        _require_positive("volumes.levels", self.levels)
        object.__setattr__(self, "levels", tuple(map(float, self.levels)))
        if self.peak_photons is not None:
            _require_positive("volumes.peak_photons", self.peak_photons, "or null for no noise")
            object.__setattr__(self, "peak_photons", tuple(self.peak_photons))

    def resolved(self, counted: bool) -> VolumeSettings:
        """The settings that apply to patterns that are counts of photons, or noise-free ones that have no halves."""
        float64, masks = not counted if self.float64 is None else bool(self.float64), self.masks if self.held_out else 1
        return replace(self, float64=float64, masks=masks, halves=self.halves if counted else 0)


def _require_positive(name: str, values: Any, other: str = "") -> None:
    listed = list(values) if isinstance(values, list | tuple) else []
    allowed = [value for value in listed if (value is None and other) or (is_number(value) and 0 < value < inf)]
    if not listed or len(allowed) < len(listed):
        more = f", {other}" if other else ""
        raise UserError(f"{name}={values}: give a list of positive numbers{more}")
