"""Work split over processes and joined again without padding copies, and their memory. Knows nothing of patterns."""

from spi_lightning.distributed.memory import keep_freed_memory, return_freed_memory
from spi_lightning.distributed.shards import equal_shard, shard

__all__ = ["equal_shard", "keep_freed_memory", "return_freed_memory", "shard"]
