"""A client of the daemon for asyncio; `compilecache.client` has one for ordinary code."""

from compilecache._rpc.aio import AsyncCacheClient, AsyncTransferWatch

__all__ = ["AsyncCacheClient", "AsyncTransferWatch"]
