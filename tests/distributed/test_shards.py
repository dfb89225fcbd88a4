import pytest

from spi_lightning.distributed import equal_shard, shard


@pytest.mark.parametrize(("items", "processes"), [(10, 3), (2, 4), (8, 2), (0, 2)])
def test_every_item_goes_to_one_process(items: int, processes: int) -> None:
    shares = [shard(range(items), rank, processes) for rank in range(processes)]
    assert sorted(item for share in shares for item in share) == list(range(items))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_equal_shares_in_order() -> None:
    assert [list(equal_shard(range(7), rank, 3)) for rank in range(3)] == [[0, 1], [2, 3], [4, 5]]
