"""Lists that take several pages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from compilecache import AsyncCacheClient, CacheClient
from compilecache.v1 import cache_pb2, transfer_pb2
from compilecache.v1 import cache_service_pb2 as pb

if TYPE_CHECKING:
    import grpc

    from conftest import Serve


def _caches(request: pb.ListCachesRequest, context: grpc.ServicerContext) -> pb.ListCachesResponse:
    assert request.namespace == "llama"
    if not request.page_token:
        caches = [cache_pb2.Cache(cache_key=key) for key in ("a", "b")]
        return pb.ListCachesResponse(caches=caches, next_page_token="2")
    return pb.ListCachesResponse(caches=[cache_pb2.Cache(cache_key=request.page_token)])


def _transfers(
    request: pb.ListTransfersRequest, context: grpc.ServicerContext
) -> pb.ListTransfersResponse:
    assert request.include_finished
    if not request.page_token:
        return pb.ListTransfersResponse(next_page_token="2")
    transfer = transfer_pb2.Transfer(operation_id=request.page_token)
    return pb.ListTransfersResponse(transfers=[transfer])


def test_all_pages(serve: Serve) -> None:
    with CacheClient(serve(ListCaches=_caches, ListTransfers=_transfers)) as client:
        keys = [cache.cache_key for cache in client.all_caches(namespace="llama")]
        ids = [transfer.operation_id for transfer in client.all_transfers(include_finished=True)]
    assert (keys, ids) == (["a", "b", "2"], ["2"])


def test_all_pages_with_asyncio(serve: Serve) -> None:
    async def run() -> tuple[list[str], list[str]]:
        address = serve(ListCaches=_caches, ListTransfers=_transfers)
        async with AsyncCacheClient(address) as client:
            keys = [cache.cache_key async for cache in client.all_caches(namespace="llama")]
            transfers = client.all_transfers(include_finished=True)
            return keys, [transfer.operation_id async for transfer in transfers]

    assert asyncio.run(run()) == (["a", "b", "2"], ["2"])
