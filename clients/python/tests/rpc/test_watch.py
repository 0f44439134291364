"""Watching, with both clients."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import grpc
import pytest

from compilecache import AsyncCacheClient, CacheClient, CacheServiceError
from compilecache.v1 import cache_service_pb2 as pb
from compilecache.v1 import transfer_pb2
from conftest import Hangs, abort_richly
from patience import LONG_ENOUGH_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Serve


class _Endless:
    """Sends one state and no more, and tells when the call has ended."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.ended = threading.Event()

    def __call__(
        self, request: pb.WatchTransferRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.WatchTransferResponse]:
        context.add_callback(self.ended.set)
        self.begun.set()
        yield _state(1)
        self.ended.wait()


def _state(bytes_done: int) -> pb.WatchTransferResponse:
    return pb.WatchTransferResponse(transfer=transfer_pb2.Transfer(bytes_done=bytes_done))


def _three_states(
    request: pb.WatchTransferRequest, context: grpc.ServicerContext
) -> Iterator[pb.WatchTransferResponse]:
    assert request.operation_id == "op1"
    assert ("authorization", "Bearer secret") in context.invocation_metadata()
    yield from map(_state, [1, 2, 3])


def _not_found(request: object, context: grpc.ServicerContext) -> None:
    abort_richly(context, grpc.StatusCode.NOT_FOUND, "TRANSFER_NOT_FOUND", "no such transfer")


class TestSync:
    def test_gives_each_state_and_ends(self, serve: Serve) -> None:
        with CacheClient(serve(WatchTransfer=_three_states), token="secret") as client:
            assert [transfer.bytes_done for transfer in client.watch("op1")] == [1, 2, 3]

    def test_raises_the_service_s_error(self, serve: Serve) -> None:
        address = serve(WatchTransfer=_not_found)
        with CacheClient(address) as client, pytest.raises(CacheServiceError) as caught:
            next(client.watch("op1"))
        assert (caught.value.code, caught.value.reason) == ("NOT_FOUND", "TRANSFER_NOT_FOUND")

    def test_another_thread_can_cancel_it(self, serve: Serve) -> None:
        endless = _Endless()
        with CacheClient(serve(WatchTransfer=endless)) as client:
            watch = client.watch("op1")
            assert next(watch).bytes_done == 1
            threading.Timer(0.1, watch.cancel).start()
            with pytest.raises(CacheServiceError) as caught:
                next(watch)
        assert caught.value.code == "CANCELLED"
        assert endless.ended.wait(LONG_ENOUGH_SECONDS)

    def test_leaving_its_block_ends_the_call(self, serve: Serve) -> None:
        endless = _Endless()
        with CacheClient(serve(WatchTransfer=endless)) as client:
            with client.watch("op1") as watch:
                next(watch)
            assert endless.ended.wait(LONG_ENOUGH_SECONDS)

    def test_a_loop_that_is_left_ends_the_call(self, serve: Serve) -> None:
        endless = _Endless()
        with CacheClient(serve(WatchTransfer=endless)) as client:
            for _ in client.watch("op1"):
                break
            assert endless.ended.wait(LONG_ENOUGH_SECONDS)

    def test_closing_the_client_ends_the_call(self, serve: Serve) -> None:
        client = CacheClient(serve(WatchTransfer=_Endless()))
        watch = client.watch("op1")
        next(watch)
        threading.Timer(0.1, client.close).start()
        with pytest.raises(CacheServiceError) as caught:
            next(watch)
        assert caught.value.code == "CANCELLED"

    def test_ends_when_its_time_is_up(self, serve: Serve) -> None:
        address = serve(WatchTransfer=_Endless())
        with CacheClient(address) as client, pytest.raises(CacheServiceError) as caught:
            list(client.watch("op1", timeout_seconds=0.2))
        assert caught.value.code == "DEADLINE_EXCEEDED"


class TestAsyncio:
    def test_gives_each_state_and_ends(self, serve: Serve) -> None:
        async def run() -> list[int]:
            address = serve(WatchTransfer=_three_states)
            async with AsyncCacheClient(address, token="secret") as client:
                return [transfer.bytes_done async for transfer in client.watch("op1")]

        assert asyncio.run(run()) == [1, 2, 3]

    def test_raises_the_service_s_error(self, serve: Serve) -> None:
        async def run() -> None:
            async with AsyncCacheClient(serve(WatchTransfer=_not_found)) as client:
                await client.watch("op1").__anext__()

        with pytest.raises(CacheServiceError) as caught:
            asyncio.run(run())
        assert (caught.value.code, caught.value.reason) == ("NOT_FOUND", "TRANSFER_NOT_FOUND")

    def test_another_task_can_cancel_it(self, serve: Serve) -> None:
        endless = _Endless()

        async def run() -> None:
            async with AsyncCacheClient(serve(WatchTransfer=endless)) as client:
                watch = client.watch("op1")
                assert (await watch.__anext__()).bytes_done == 1
                asyncio.get_running_loop().call_later(0.1, watch.cancel)
                await watch.__anext__()

        with pytest.raises(CacheServiceError) as caught:
            asyncio.run(run())
        assert caught.value.code == "CANCELLED"
        assert endless.ended.wait(LONG_ENOUGH_SECONDS)

    def test_cancelling_the_task_that_iterates_ends_the_call(self, serve: Serve) -> None:
        endless = _Endless()

        async def run() -> None:
            async with AsyncCacheClient(serve(WatchTransfer=endless)) as client:

                async def follow() -> None:
                    async for _ in client.watch("op1"):
                        pass

                following = asyncio.create_task(follow())
                assert await asyncio.to_thread(endless.begun.wait, LONG_ENOUGH_SECONDS)
                following.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await following
                assert await asyncio.to_thread(endless.ended.wait, LONG_ENOUGH_SECONDS)

        asyncio.run(run())

    def test_cancelling_the_task_that_awaits_a_call_ends_the_call(self, serve: Serve) -> None:
        hanging = Hangs(pb.GetTransferResponse())

        async def run() -> None:
            async with AsyncCacheClient(serve(GetTransfer=hanging)) as client:
                calling = asyncio.create_task(client.get_transfer("op1"))
                assert await asyncio.to_thread(hanging.called.wait, LONG_ENOUGH_SECONDS)
                calling.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await calling
                assert await asyncio.to_thread(hanging.left.wait, LONG_ENOUGH_SECONDS)

        asyncio.run(run())

    def test_leaving_its_block_ends_the_call(self, serve: Serve) -> None:
        endless = _Endless()

        async def run() -> None:
            async with AsyncCacheClient(serve(WatchTransfer=endless)) as client:
                async with client.watch("op1") as watch:
                    await watch.__anext__()
                assert await asyncio.to_thread(endless.ended.wait, LONG_ENOUGH_SECONDS)

        asyncio.run(run())

    def test_ends_when_its_time_is_up(self, serve: Serve) -> None:
        async def run() -> None:
            async with AsyncCacheClient(serve(WatchTransfer=_Endless())) as client:
                async for _ in client.watch("op1", timeout_seconds=0.2):
                    pass

        with pytest.raises(CacheServiceError) as caught:
            asyncio.run(run())
        assert caught.value.code == "DEADLINE_EXCEEDED"
