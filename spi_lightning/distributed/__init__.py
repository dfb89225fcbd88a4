"""Distribution of items over processes without padding, the memory allocator of a process, and its device."""

from .device import find_device
from .memory import keep_freed_memory, return_freed_memory
from .shards import equal_shard, shard

__all__ = ["equal_shard", "find_device", "keep_freed_memory", "return_freed_memory", "shard"]
