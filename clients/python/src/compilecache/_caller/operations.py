"""The calls to the daemon that `_caller.program` makes, by name."""

from __future__ import annotations

from concurrent.futures import wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Union

from compilecache._base.answers import CacheInfo, CacheSummary, TransferState
from compilecache._base.background import start_in_background
from compilecache._caller.from_messages import cache_info, cache_summary, transfer_state
from compilecache._rpc.client import CacheClient
from compilecache.environment import Environment
from compilecache.exceptions import CacheServiceError
from compilecache.v1 import transfer_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from compilecache.v1.cache_service_pb2 import LoadResponse, SaveResponse
    from compilecache.v1.transfer_pb2 import Transfer

_seconds_to_accept = 0.05

Answer = Union[TransferState, CacheInfo, CacheSummary]


@dataclass(frozen=True)
class Call:
    """What an operation works with. `arguments` are those of the client's method."""

    client: CacheClient
    environment: Environment
    """Without a version of torch where the operation needs none."""
    arguments: dict[str, Any]
    watch: bool
    """Whether to tell of a load or save while it is waited for."""


def _load(call: Call) -> Iterator[Answer]:
    load = partial(call.client.load, call.environment, **call.arguments)
    return _run(call, load, transfer_pb2.TRANSFER_KIND_LOAD)


def _save(call: Call) -> Iterator[Answer]:
    save = partial(call.client.save, call.environment, **call.arguments)
    return _run(call, save, transfer_pb2.TRANSFER_KIND_SAVE)


def _run(
    call: Call,
    start: Callable[[], LoadResponse | SaveResponse],
    kind: transfer_pb2.TransferKind.ValueType,
) -> Iterator[Answer]:
    if call.watch:
        waiting = start_in_background(start)
        with suppress(CacheServiceError):
            yield from _changes(call, waiting, kind)
        transfer = waiting.result().transfer
    else:
        transfer = start().transfer
    yield from _follow(call, transfer, call.arguments["detach"])


def _changes(
    call: Call, waiting: Future[Any], kind: transfer_pb2.TransferKind.ValueType
) -> Iterator[Answer]:
    """Yield the states of the transfer that a request waits for, which its answer will name."""
    cache_key = call.environment.cache_key()
    while not wait([waiting], _seconds_to_accept).done:
        for transfer in call.client.list_transfers().transfers:
            if (transfer.kind, transfer.cache_key) == (kind, cache_key):
                for state in call.client.watch(transfer.operation_id):
                    yield transfer_state(state, call.environment)
                return


def _copy(call: Call) -> Iterator[Answer]:
    return _follow(call, call.client.start_transfer(**call.arguments), True)


def _follow(call: Call, transfer: Transfer, runs: bool) -> Iterator[Answer]:
    yield transfer_state(transfer, call.environment)
    if runs:
        for state in call.client.watch(transfer.operation_id):
            yield transfer_state(state, call.environment)


def _watch(call: Call) -> Iterator[Answer]:
    for transfer in call.client.watch(**call.arguments):
        yield transfer_state(transfer, call.environment)


def _cancel_transfer(call: Call) -> Iterator[Answer]:
    yield transfer_state(call.client.cancel_transfer(**call.arguments), call.environment)


def _get_cache_info(call: Call) -> Iterator[Answer]:
    yield cache_info(call.client.get_cache_info(call.environment, **call.arguments))


def _list_caches(call: Call) -> Iterator[Answer]:
    for cache in call.client.all_caches(environment=call.environment, **call.arguments):
        yield cache_summary(cache)


def _clear_local_cache(call: Call) -> Iterator[Answer]:
    call.client.clear_local_cache(**call.arguments)
    return iter(())


operations: dict[str, Callable[[Call], Iterator[Answer]]] = {
    "load": _load,
    "save": _save,
    "copy": _copy,
    "watch": _watch,
    "cancel_transfer": _cancel_transfer,
    "get_cache_info": _get_cache_info,
    "list_caches": _list_caches,
    "clear_local_cache": _clear_local_cache,
}
