"""A channel to one daemon for threads; `aio_connection` has the one for asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

import grpc

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
    from typing import Callable

    from compilecache._rpc.identity import SeenRequest
    from compilecache._rpc.settings import ConnectionSettings
    from compilecache.v1.transfer_pb2 import Transfer

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")
_Answer = TypeVar("_Answer")
_Outcome = TypeVar("_Outcome", pb.LoadResponse, pb.SaveResponse)


class Connection:
    """Makes the calls of a `CacheClient`, and words their errors."""

    def __init__(self, settings: ConnectionSettings) -> None:
        """Connect with the first call."""
        self._settings = settings
        # grpc.experimental.ChannelOptions.SingleThreadedUnaryStream, which the type stubs lack.
        # Without it, one stream in a hundred outlived a killed daemon and its own time-out.
        options = [*settings.channel_options(), ("SingleThreadedUnaryStream", 1)]
        target, credentials = grpc_target(settings.address), settings.credentials()
        self._channel = (
            grpc.secure_channel(target, credentials, options)
            if credentials
            else grpc.insecure_channel(target, options)
        )
        self.stub = CacheServiceStub(self._channel)

    def call(
        self,
        method: grpc.UnaryUnaryMultiCallable[_Request, _Response],
        request: _Request,
        timeout_seconds: float | None,
    ) -> _Response:
        """Make a call that moves no cache."""
        try:
            return method(
                request,
                timeout=self._settings.call_timeout_seconds(timeout_seconds, SHORT_CALL_SECONDS),
                metadata=self._settings.metadata,
            )
        except grpc.RpcError as error:
            raise error_from_rpc(error, self._settings.address) from error

    def wait_for_transfer(
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
            operation_id = operation_id_in(call.initial_metadata())
            if on_start and operation_id:
                on_start(operation_id)
            responses: list[_Outcome] = list(call)
        except grpc.RpcError as error:
            raise error_from_rpc(error, self._settings.address) from error
        # Such as Ctrl-C: the caller waits no longer.
        except BaseException:
            if call is not None:
                call.cancel()
            raise
        return only_answer(responses)

    def watch(self, operation_id: str, timeout_seconds: float | None) -> TransferWatch:
        """Start to watch a transfer."""
        call = self.stub.WatchTransfer(
            pb.WatchTransferRequest(operation_id=operation_id),
            timeout=self._settings.call_timeout_seconds(timeout_seconds, None),
            metadata=self._settings.metadata,
        )
        return TransferWatch(call, self._settings.address)

    def as_seen(self, request: SeenRequest, call: Callable[[], _Answer]) -> _Answer:
        """Make a call that says which directories this process sees, and again if these change."""
        sight = Sight(self._settings.address, request)
        sight.look()
        while True:
            try:
                return call()
            except CacheServiceError as error:
                if not sight.may_have_changed(error) or not sight.look():
                    raise

    def create_directory(self, local_dir: str) -> list[str]:
        """Create a directory for a load to fill."""
        return create_local_directory(local_dir)

    def remove_directories(self, made: list[str]) -> None:
        """Remove what was made for a load that put nothing there."""
        remove_made_directories(made)

    def close(self) -> None:
        """End the calls that run."""
        self._channel.close()


class _WatchCall(Protocol):
    def __next__(self) -> pb.WatchTransferResponse: ...
    def cancel(self) -> bool: ...


class TransferWatch:
    """The states of one transfer, as an iterator that any thread may cancel."""

    def __init__(self, call: _WatchCall, address: str) -> None:
        """Read from `call`."""
        self._call = call
        self._address = address

    def cancel(self) -> None:
        """End the watch, not the transfer: its iteration raises CacheServiceError CANCELLED."""
        self._call.cancel()

    def __iter__(self) -> TransferWatch:
        """Return the watch."""
        return self

    def __next__(self) -> Transfer:
        """Wait for the next state."""
        try:
            return next(self._call).transfer
        except grpc.RpcError as error:
            raise error_from_rpc(error, self._address) from error

    def __enter__(self) -> TransferWatch:
        """Return the watch."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """End the watch."""
        self.cancel()
