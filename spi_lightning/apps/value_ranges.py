"""Numbers that no setting of a name can have: negative sizes, a batch of nothing, a rate that is not a number."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from spi_lightning.fields import UserError


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


POSITIVE: Final = _words(
    "bin bins block_size crop depths diameter distance latent levels margin many median object_size padding "
    "patterns_per_model period photon_energy photons_per_count pixel_size radius rounds samples shape size stem_stride "
    "voxels width widths"
)
NOT_NEGATIVE: Final = _words(
    "beam_jitter blur decay edge_blur flat gap halo_photons halo_radius halo_sigma hole kernel_penalty kinds "
    "maximum_photons minimum_photons num_workers patience peak_photons polish_steps positive_weight seed sigma "
    "size_spread stretch streak_photons streak_width"
)
SHARES: Final = _words(
    "core_probability coverage cut dead_fraction dropout halo_share held_out hints probability rise smoothing "
    "streak_probability validation"
)
FILLED: Final = _words("bodies depths kinds layers members order shape widths")  # lists and mappings of at least one


def check_range(name: str, value: Any) -> None:
    """Raise UserError for a number that is not a number, or that no setting of this name can have.

    Args:
        name: Full name of the setting; its last part says what it is.
        value: Its value; of a list or mapping every number is looked at.
    """
    kind = name.rpartition(".")[2]
    if kind in FILLED and isinstance(value, list | tuple | Mapping) and not value:
        raise UserError(f"{name}={_written(value)} is empty: give one value or more")
    for number in _numbers(value):
        if math.isnan(number):
            raise UserError(f"{name}={_written(value)} is not a number")
        if kind in POSITIVE and not number > 0:
            raise UserError(f"{name}={_written(value)} must be above 0")
        if kind in NOT_NEGATIVE and number < 0:
            raise UserError(f"{name}={_written(value)} must not be negative")
        if kind in SHARES and not 0 <= number <= 1:
            raise UserError(f"{name}={_written(value)} must lie between 0 and 1")


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, Mapping):  # a part with a _target_ has settings of its own
        value = [] if "_target_" in value else list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from _numbers(each)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


def _written(value: Any) -> str:
    return str(value).replace(" ", "").replace("'", "")
