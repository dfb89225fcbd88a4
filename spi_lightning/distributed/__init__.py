"""Work split over processes and joined again without padding copies, and their memory. Knows nothing of patterns."""

from .memory import keep_freed_memory, return_freed_memory
from .shards import equal_shard, shard

__all__ = ["equal_shard", "keep_freed_memory", "return_freed_memory", "shard"]
