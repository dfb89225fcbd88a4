"""Ranges of numbers by the name of their setting: sizes above 0, shares from 0 to 1, rates that are numbers."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from spi_lightning.errors import UserError


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


POSITIVE: Final = _words(
    "adu_per_photon at_once batch_size beta_factor bin block_size crop depths diameter distance focus_diameter "
    "iterations latent levels many margin median num_div object_size outer padding patterns_per_model per_class "
    "period photon_energy photons_per_count pixel_size pulse_energy radius replicates resolution rounds samples shape "
    "size starts stem_stride threads top voxels width widths"
)
NOT_NEGATIVE: Final = _words(
    "abstain_within background beam_jitter beamstop blur curve data.threshold decay disagreement edge_blur examples "
    "exclude flat folds frame_columns frames gallery gap halo_photons halo_radius halo_sigma hits.threshold hole "
    "inner kernel_penalty kinds least_oversampling maximum_photons minimum_photons need_scaling noise num_workers "
    "occlusion patience peak_photons polish_steps positive_weight seed shift sigma size_spread start_noise "
    "streak_photons streak_width stretch usable_photons"
)
SHARES: Final = _words(
    "blanks core_probability coverage cut dead_fraction decision.threshold dropout fraction fractions halo_share "
    "held_out half_hidden probability rise smoothing streak_probability validation"
)
FILLED: Final = _words("bodies depths kinds layers members order shape widths")  # lists and mappings of at least one
NO_LIMIT_BELOW_ZERO: Final = _words("max_epochs max_steps")  # Lightning's -1
LARGEST_RATE: Final = 3.4e38  # of single precision
LARGEST_SEED: Final = 2**32  # of Lightning and NumPy


def check_range(name: str, value: Any) -> None:
    """Raise UserError for a number that is not a number, or that no setting of this name can have.

    Args:
        name: Full name of the setting; its last part names the quantity.
        value: Value of the setting; of a list or mapping every number is checked.
    """
    group, _, kind = name.rpartition(".")
    kinds = {kind, f"{group.rpartition('.')[2]}.{kind}"}
    if kind in FILLED and isinstance(value, list | tuple | Mapping) and not value:
        raise UserError(f"{name}={_written(value)} is empty: give one value or more")
    for number in _numbers(value):
        if math.isnan(number):
            raise UserError(f"{name}={_written(value)} is not a number")
        if math.isinf(number) and not kind.startswith("maximum"):
            raise UserError(f"{name}={_written(value)} is infinite: give a number")
        if kind == "seed" and number >= LARGEST_SEED:
            raise UserError(f"{name}={_written(value)} must be below {LARGEST_SEED}")
        if kind in NO_LIMIT_BELOW_ZERO and number == 0:
            raise UserError(f"{name}=0 would train nothing: give a number above 0, or -1 for no limit")
        if kind == "lr" and not 0 <= number < LARGEST_RATE:
            raise UserError(f"{name}={_written(value)} is not a learning rate: give a number above 0, such as 1e-3")
        if kinds & POSITIVE and not number > 0:
            raise UserError(f"{name}={_written(value)} must be above 0")
        if kinds & NOT_NEGATIVE and number < 0:
            raise UserError(f"{name}={_written(value)} must not be negative")
        if kinds & SHARES and not 0 <= number <= 1:
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
