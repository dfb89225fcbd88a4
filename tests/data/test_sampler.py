from itertools import chain

import numpy as np
import pytest

from spi_lightning.data.sampler import EpochBatches, ShardedBatches, shuffled


def order(epoch: int) -> np.ndarray:
    return shuffled(50, 7, epoch)


def test_an_epoch_uses_every_pattern_at_most_once_and_the_next_another_order() -> None:
    sampler = EpochBatches(order, 50, 8)
    first = list(sampler)
    assert len(sampler) == len(first) == 6
    drawn = np.concatenate(first)
    assert len(set(drawn)) == 48
    sampler.epoch = 1
    assert not np.array_equal(drawn, np.concatenate(list(sampler)))
    sampler.epoch = 0
    assert np.array_equal(drawn, np.concatenate(list(sampler)))


def test_it_goes_on_where_it_was() -> None:
    whole, resumed = EpochBatches(order, 50, 8), EpochBatches(order, 50, 8)
    resumed.position = 4
    assert list(whole)[4:] == list(resumed)


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_together_see_what_one_would_see(processes: int) -> None:
    alone = list(EpochBatches(order, 50, 8))
    shares = [list(EpochBatches(order, 50, 8, rank, processes)) for rank in range(processes)]
    assert [list(chain(*parts)) for parts in zip(*shares, strict=True)] == alone
    assert len({len(part) for share in shares for part in share}) == 1


def test_a_set_smaller_than_a_batch_is_one_batch() -> None:
    assert [len(batch) for batch in EpochBatches(lambda _: np.arange(5), 5, 8)] == [5]


@pytest.mark.parametrize(("length", "processes"), [(50, 1), (50, 3), (5, 4), (8, 2)])
def test_evaluation_batches_are_dealt_whole_and_none_twice(length: int, processes: int) -> None:
    alone = list(ShardedBatches(length, 8))
    shares = [list(ShardedBatches(length, 8, rank, processes)) for rank in range(processes)]
    assert list(chain(*alone)) == list(range(length))
    assert sorted(batch for batch in chain(*shares) if batch) == alone
    assert all(shares)  # an empty batch, rather than none
