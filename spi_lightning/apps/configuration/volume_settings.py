"""Are the settings of conf/volumes/ numbers that make sense? Asked before any file is read."""

from collections.abc import Sequence
from math import inf, isfinite
from typing import Any

from omegaconf import DictConfig, ListConfig

from spi_lightning.errors import UserError, whole_number

_WHOLE = {"seeds": 1, "masks": 1, "first": 1, "halves": 0, "outputs": 0, "gallery": 0}  # and their least values
_SHARES = {"held_out": 0.5, "disagreement": 1.0}  # and what they stay below


def require_sense(asks: DictConfig) -> None:
    """Raise UserError with the name of the first setting that is no number or out of range."""
    for name, least in _WHOLE.items():
        whole_number(f"volumes.{name}", asks[name], least)
    for name, below in _SHARES.items():
        if not _is_number(asks[name]) or not 0 <= asks[name] < below:
            raise UserError(f"volumes.{name}={asks[name]}: give a number from 0 to {below:g}.")
    _require_positive("volumes.levels", asks.levels)
    if asks.peak_photons is not None:
        _require_positive("volumes.peak_photons", asks.peak_photons, "or null for no noise")


def _require_positive(name: str, values: Any, other: str = "") -> None:
    listed: Sequence[Any] = list(values) if isinstance(values, ListConfig) else []
    allowed = [value for value in listed if (value is None and other) or (_is_number(value) and 0 < value < inf)]
    if not listed or len(allowed) < len(listed):
        more = f", {other}" if other else ""
        raise UserError(f"{name}={values}: give a list of positive numbers{more}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
