"""Distribution of items over processes without padding, and the memory allocator of a process."""

from .memory import keep_freed_memory, return_freed_memory
from .shards import equal_shard, shard

__all__ = ["equal_shard", "keep_freed_memory", "return_freed_memory", "shard"]
