"""A channel to one daemon for asyncio; `connection` has the one for threads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar, cast

import grpc
import grpc.aio

from compilecache._base.deadlines import SHORT_CALL_SECONDS
from compilecache._base.local_directory import create_local_directory, remove_made_directories
from compilecache._rpc.address import grpc_target
from compilecache._rpc.errors_from_calls import error_from_rpc
from compilecache._rpc.identity import Sight
from compilecache._rpc.transfer_call import only_answer, operation_id_in, start_transfer_call
from compilecache.exceptions import CacheServiceError
from compilecache.v1 import cache_service_pb2 as pb
from compilecache.v1.cache_service_pb2_grpc import CacheServiceStub

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import Callable

    from compilecache._rpc.identity import SeenRequest
    from compilecache._rpc.settings import ConnectionSettings
    from compilecache.v1.cache_service_pb2_grpc import CacheServiceAsyncStub
    from compilecache.v1.transfer_pb2 import Transfer

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")
_Answer = TypeVar("_Answer")
_Outcome = TypeVar("_Outcome", pb.LoadResponse, pb.SaveResponse)


class AsyncConnection:
    """Makes the calls of an `AsyncCacheClient`, and words their errors."""

    def __init__(self, settings: ConnectionSettings) -> None:
        """Connect with the first call."""
        self._settings = settings
        options = settings.channel_options()
        target, credentials = grpc_target(settings.address), settings.credentials()
        self._channel = (
            grpc.aio.secure_channel(target, credentials, options)
            if credentials
            else grpc.aio.insecure_channel(target, options)
        )
        # The type has another name for channels of asyncio, and the class has not.
        self.stub = cast("CacheServiceAsyncStub", CacheServiceStub(self._channel))

    async def call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[_Request, _Response],
        request: _Request,
        timeout_seconds: float | None,
    ) -> _Response:
        """Make a call that moves no cache."""
        try:
            return await method(
                request,
                timeout=self._settings.call_timeout_seconds(timeout_seconds, SHORT_CALL_SECONDS),
                metadata=self._settings.metadata,
            )
        except grpc.RpcError as error:
            raise error_from_rpc(error, self._settings.address) from error

    async def wait_for_transfer(
        self,
        method: str,
        request: pb.LoadRequest | pb.SaveRequest,
        response_type: type[_Outcome],
        timeout_seconds: float | None,
        on_start: Callable[[str], object] | None,
    ) -> _Outcome:
        """Make a Load or Save, and tell `on_start` of the transfer while it runs."""
        call = None
        try:
            call = start_transfer_call(
                self._channel, self._settings, method, request, response_type, timeout_seconds
            )
            operation_id = operation_id_in(await call.initial_metadata())
            if on_start and operation_id:
                on_start(operation_id)
            responses: list[_Outcome] = [response async for response in call]
        except grpc.RpcError as error:
            raise error_from_rpc(error, self._settings.address) from error
        # Such as a task that is cancelled: the caller waits no longer.
        except BaseException:
            if call is not None:
                call.cancel()
            raise
        return only_answer(responses)

    def watch(self, operation_id: str, timeout_seconds: float | None) -> AsyncTransferWatch:
        """Start to watch a transfer."""
        call = self.stub.WatchTransfer(
            pb.WatchTransferRequest(operation_id=operation_id),
            timeout=self._settings.call_timeout_seconds(timeout_seconds, None),
            metadata=self._settings.metadata,
        )
        return AsyncTransferWatch(call, self._settings.address)

    async def as_seen(
        self, request: SeenRequest, call: Callable[[], Awaitable[_Answer]]
    ) -> _Answer:
        """Make a call that says which directories this process sees, and again if these change."""
        sight = Sight(self._settings.address, request)
        await asyncio.to_thread(sight.look)
        while True:
            try:
                return await call()
            except CacheServiceError as error:
                if not sight.may_have_changed(error) or not await asyncio.to_thread(sight.look):
                    raise

    async def create_directory(self, local_dir: str) -> list[str]:
        """Create a directory for a load to fill, which may take long on a mount."""
        return await asyncio.to_thread(create_local_directory, local_dir)

    async def remove_directories(self, made: list[str]) -> None:
        """Remove what was made for a load that put nothing there."""
        if made:
            await asyncio.to_thread(remove_made_directories, made)

    async def close(self) -> None:
        """End the calls that run."""
        await self._channel.close()


class AsyncTransferWatch:
    """The states of one transfer, as an asynchronous iterator that any task may cancel."""

    def __init__(
        self,
        call: grpc.aio.UnaryStreamCall[pb.WatchTransferRequest, pb.WatchTransferResponse],
        address: str,
    ) -> None:
        """Read from `call`."""
        self._call = call
        self._address = address
        self._cancelled = False

    def cancel(self) -> None:
        """End the watch, not the transfer: its iteration raises CacheServiceError CANCELLED."""
        self._cancelled = True
        self._call.cancel()

    def __aiter__(self) -> AsyncTransferWatch:
        """Return the watch."""
        return self

    async def __anext__(self) -> Transfer:
        """Wait for the next state."""
        try:
            response = await self._call.read()
        except grpc.RpcError as error:
            raise error_from_rpc(error, self._address) from error
        except asyncio.CancelledError:
            # gRPC raises this for a cancelled call, too, in a task that is not cancelled.
            if not self._cancelled:
                raise
            raise CacheServiceError("CANCELLED", None, "the watch was cancelled") from None
        if not isinstance(response, pb.WatchTransferResponse):
            raise StopAsyncIteration
        return response.transfer

    async def __aenter__(self) -> AsyncTransferWatch:
        """Return the watch."""
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """End the watch."""
        self.cancel()
