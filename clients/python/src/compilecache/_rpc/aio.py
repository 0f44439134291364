# client.py is generated from this file by scripts/generate-client.py.

"""A client of the daemon for asyncio; `compilecache.client` has one for ordinary code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compilecache._base.given_up import GIVEN_UP
from compilecache._rpc import requests
from compilecache._rpc.aio_connection import AsyncConnection, AsyncTransferWatch
from compilecache._rpc.settings import connection_settings
from compilecache.exceptions import CacheServiceError
from compilecache.v1 import cache_service_pb2 as pb
from compilecache.v1.transfer_pb2 import LOAD_STATUS_DOES_NOT_EXIST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Callable

    from compilecache._base.local_directory import LocalDir
    from compilecache._base.policies import IfLocalExists, IfStoredExists
    from compilecache.environment import Environment
    from compilecache.v1.cache_pb2 import Cache
    from compilecache.v1.transfer_pb2 import Transfer

__all__ = ["AsyncCacheClient", "AsyncTransferWatch"]


class AsyncCacheClient:
    """Calls to one daemon. Each returns the service's message or raises CacheServiceError.

    A call may name its own `timeout_seconds`, `math.inf` for none; more than 24.8 days are none,
    too, for that is the longest that can be told. It belongs to the
    event loop that it was made in. Cancelling the task that awaits a call ends the call.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        namespace: str | None = None,
        token: str | None = None,
        timeout_seconds: float | None = None,
    ) -> None:
        """Connect with the first call; close when done, or use as an async context manager.

        `address` is `unix:/path` or `host:port`. Default: COMPILE_CACHE_ADDRESS, else the
        daemon's default socket. `namespace` says whose caches. Default: COMPILE_CACHE_NAMESPACE,
        else the daemon's, which is `default`. `token` is sent with each call. Default:
        COMPILE_CACHE_TOKEN, else none. `timeout_seconds` is for each call. Default: none for
        load, save and watch, 30 for the others.
        """
        self._settings = connection_settings(address, namespace, token, timeout_seconds)
        self._connection = AsyncConnection(self._settings)
        self._stub = self._connection.stub

    @property
    def address(self) -> str:
        """Where the daemon is expected."""
        return self._settings.address

    @property
    def namespace(self) -> str:
        """Whose caches; empty for the daemon's default."""
        return self._settings.namespace

    async def load(
        self,
        environment: Environment,
        *,
        local_dir: LocalDir | None = None,
        namespace: str | None = None,
        if_local_exists: IfLocalExists = "skip",
        detach: bool = False,
        on_start: Callable[[str], object] | None = None,
        timeout_seconds: float | None = None,
    ) -> pb.LoadResponse:
        """Put a stored cache into a local directory, which is created. A miss is no error.

        What was made for a load that was missed or refused is removed again.

        Default for `local_dir`: the directory where torch keeps its cache. `on_start`, an ordinary
        function, is called with the operation id as soon as the transfer has started, or another's
        was joined; a daemon of an older version does not tell.
        """
        request = requests.load_request(
            self._namespace_of(namespace), environment, local_dir, detach, if_local_exists
        )
        made = await self._connection.create_directory(request.local_dir)
        try:
            response = await self._connection.as_seen(
                request,
                lambda: self._connection.wait_for_transfer(
                    "Load", request, pb.LoadResponse, timeout_seconds, on_start
                ),
            )
        except CacheServiceError as error:
            # Others may go on to wait for a load that this call gave up.
            if error.code not in GIVEN_UP:
                await self._connection.remove_directories(made)
            raise
        if response.status == LOAD_STATUS_DOES_NOT_EXIST:
            await self._connection.remove_directories(made)
        return response

    async def save(
        self,
        environment: Environment,
        *,
        local_dir: LocalDir | None = None,
        namespace: str | None = None,
        if_stored_exists: IfStoredExists = "skip",
        profile: str = "",
        detach: bool = False,
        on_start: Callable[[str], object] | None = None,
        timeout_seconds: float | None = None,
    ) -> pb.SaveResponse:
        """Put a local directory into the store. A skip is no error.

        Default for `local_dir`: the directory where torch keeps its cache. `on_start` is as for
        `load`.
        """
        request = requests.save_request(
            self._namespace_of(namespace),
            environment,
            local_dir,
            detach,
            if_stored_exists,
            profile,
        )
        return await self._connection.as_seen(
            request,
            lambda: self._connection.wait_for_transfer(
                "Save", request, pb.SaveResponse, timeout_seconds, on_start
            ),
        )

    def watch(
        self, operation_id: str, *, timeout_seconds: float | None = None
    ) -> AsyncTransferWatch:
        """Iterate over the present state of a transfer, then its changes, the final state last.

        Iterating raises CacheServiceError, TRANSFER_NOT_FOUND for one that is not known.
        """
        return self._connection.watch(operation_id, timeout_seconds)

    async def start_transfer(
        self,
        source: str,
        destination: str,
        *,
        operation_name: str = "",
        timeout_seconds: float | None = None,
    ) -> Transfer:
        """Start to copy a file or directory between allowed places."""
        request = pb.StartTransferRequest(
            source=source, destination=destination, operation_name=operation_name
        )
        response = await self._connection.as_seen(
            request,
            lambda: self._connection.call(self._stub.StartTransfer, request, timeout_seconds),
        )
        return response.transfer

    async def get_transfer(
        self, operation_id: str, *, timeout_seconds: float | None = None
    ) -> Transfer:
        """Return the state of a transfer. Raises TRANSFER_NOT_FOUND."""
        request = pb.GetTransferRequest(operation_id=operation_id)
        response = await self._connection.call(self._stub.GetTransfer, request, timeout_seconds)
        return response.transfer

    async def list_transfers(
        self,
        *,
        include_finished: bool = False,
        page_size: int = 0,
        page_token: str = "",
        timeout_seconds: float | None = None,
    ) -> pb.ListTransfersResponse:
        """Return one page of transfers, newest first."""
        request = pb.ListTransfersRequest(
            include_finished=include_finished, page_size=page_size, page_token=page_token
        )
        return await self._connection.call(self._stub.ListTransfers, request, timeout_seconds)

    async def all_transfers(
        self, *, include_finished: bool = False, timeout_seconds: float | None = None
    ) -> AsyncIterator[Transfer]:
        """Iterate over all transfers, page by page; the time-out is for each page."""
        page_token = ""
        while True:
            page = await self.list_transfers(
                include_finished=include_finished,
                page_token=page_token,
                timeout_seconds=timeout_seconds,
            )
            for transfer in page.transfers:
                yield transfer
            page_token = page.next_page_token
            if not page_token:
                return

    async def cancel_transfer(
        self, operation_id: str, *, timeout_seconds: float | None = None
    ) -> Transfer:
        """Stop a transfer and return its last state. Raises TRANSFER_NOT_FOUND."""
        request = pb.CancelTransferRequest(operation_id=operation_id)
        response = await self._connection.call(self._stub.CancelTransfer, request, timeout_seconds)
        return response.transfer

    async def get_cache_info(
        self,
        environment: Environment,
        *,
        local_dir: LocalDir | None = None,
        namespace: str | None = None,
        timeout_seconds: float | None = None,
    ) -> pb.GetCacheInfoResponse:
        """Return what one environment has, here and in the store."""
        request = pb.GetCacheInfoRequest(
            namespace=self._namespace_of(namespace),
            environment=environment.to_message(),
            local_dir=requests.local_directory(local_dir),
        )
        return await self._connection.as_seen(
            request,
            lambda: self._connection.call(self._stub.GetCacheInfo, request, timeout_seconds),
        )

    async def list_caches(
        self,
        *,
        namespace: str = "",
        environment: Environment | None = None,
        page_size: int = 0,
        page_token: str = "",
        timeout_seconds: float | None = None,
    ) -> pb.ListCachesResponse:
        """Return one page of the caches of a namespace, or of all when that is empty.

        The one of `environment` is marked.
        """
        request = pb.ListCachesRequest(
            namespace=namespace,
            environment=environment.to_message() if environment else None,
            page_size=page_size,
            page_token=page_token,
        )
        return await self._connection.call(self._stub.ListCaches, request, timeout_seconds)

    async def all_caches(
        self,
        *,
        namespace: str = "",
        environment: Environment | None = None,
        timeout_seconds: float | None = None,
    ) -> AsyncIterator[Cache]:
        """Iterate over stored caches, page by page; the time-out is for each page."""
        page_token = ""
        while True:
            page = await self.list_caches(
                namespace=namespace,
                environment=environment,
                page_token=page_token,
                timeout_seconds=timeout_seconds,
            )
            for cache in page.caches:
                yield cache
            page_token = page.next_page_token
            if not page_token:
                return

    async def delete_cache(
        self,
        cache_key: str,
        *,
        namespace: str | None = None,
        timeout_seconds: float | None = None,
    ) -> None:
        """Remove one cache from the store. Raises CACHE_NOT_FOUND."""
        request = pb.DeleteCacheRequest(
            namespace=self._namespace_of(namespace), cache_key=cache_key
        )
        await self._connection.call(self._stub.DeleteCache, request, timeout_seconds)

    async def clear_local_cache(
        self,
        *,
        local_dir: LocalDir | None = None,
        timeout_seconds: float | None = None,
    ) -> pb.ClearLocalCacheResponse:
        """Empty a local directory; the directory itself stays.

        Default for `local_dir`: the directory where torch keeps its cache.
        """
        request = pb.ClearLocalCacheRequest(local_dir=requests.local_directory(local_dir))
        return await self._connection.as_seen(
            request,
            lambda: self._connection.call(self._stub.ClearLocalCache, request, timeout_seconds),
        )

    async def close(self) -> None:
        """End the calls that run, and the connection."""
        await self._connection.close()

    async def __aenter__(self) -> AsyncCacheClient:
        """Return the client."""
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """End the connection."""
        await self.close()

    def _namespace_of(self, asked: str | None) -> str:
        return self.namespace if asked is None else asked
