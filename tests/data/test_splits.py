import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spi_lightning.data import split_by_particle
from spi_lightning.errors import UserError

FRACTIONS = {"train": 0.6, "val": 0.2, "test": 0.2}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=60, max_size=300), st.integers(0, 5))
def test_every_pattern_is_in_one_split_and_no_particle_in_two(particles: list[int], seed: int) -> None:
    particle_id = np.array(particles + list(range(100, 110)))
    splits = split_by_particle(particle_id, FRACTIONS, seed)
    assert sorted(np.concatenate(list(splits.values()))) == list(range(len(particle_id)))
    owners = [set(particle_id[rows]) for rows in splits.values()]
    assert not (owners[0] & owners[1] or owners[0] & owners[2] or owners[1] & owners[2])


def test_fractions_hold_within_one_pattern_for_each_label() -> None:
    label = np.array([1] * 9 + [0] * 16)  # as in the measured PR772 patterns
    splits = split_by_particle(np.arange(25), FRACTIONS, 0, label)
    for value, total in ((1, 9), (0, 16)):
        counts = [int((label[rows] == value).sum()) for rows in splits.values()]
        assert np.abs(np.array(counts) - total * np.array([0.6, 0.2, 0.2])).max() <= 1


def test_the_seed_decides() -> None:
    first, again, other = (split_by_particle(np.arange(100), FRACTIONS, seed)["train"] for seed in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_a_split_of_nothing_is_allowed_only_on_purpose() -> None:
    splits = split_by_particle(np.arange(10), {"train": 0.8, "val": 0.2, "test": 0.0}, 0)
    assert [len(rows) for rows in splits.values()] == [8, 2, 0]
    with pytest.raises(UserError, match=r"'val' without patterns: 10 patterns of 1 particles"):
        split_by_particle(np.zeros(10, int), FRACTIONS, 0)
    with pytest.raises(UserError, match="add up to 1"):
        split_by_particle(np.arange(10), {"train": 0.8, "val": 0.1, "test": 0.0}, 0)
