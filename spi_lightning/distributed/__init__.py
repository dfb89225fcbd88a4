"""Work split over processes and joined again without padding copies. Knows nothing of patterns."""

from spi_lightning.distributed.shards import equal_shard, shard

__all__ = ["equal_shard", "shard"]
