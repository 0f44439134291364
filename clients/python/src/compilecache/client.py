"""A client of the daemon for ordinary code; `compilecache.aio` has one for asyncio."""

from compilecache._rpc.client import CacheClient, TransferWatch

__all__ = ["CacheClient", "TransferWatch"]
