"""The calls to the daemon that `_caller.program` makes, by name."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Callable, Union

from compilecache._base.answers import CacheInfo, CacheSummary, TransferState
from compilecache._base.background import start_in_background
from compilecache._base.given_up import GIVEN_UP
from compilecache._base.local_directory import create_local_directory, remove_made_directories
from compilecache._caller.from_messages import cache_info, cache_summary, transfer_state
from compilecache._rpc.client import CacheClient
from compilecache.environment import Environment
from compilecache.exceptions import CacheServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from compilecache.v1.cache_service_pb2 import LoadResponse, SaveResponse
    from compilecache.v1.transfer_pb2 import Transfer

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
    # The client removes what it made, but knows the end only of a load that it waits for.
    detached = call.arguments["detach"]
    made = create_local_directory(call.arguments["local_dir"]) if detached else []
    answers = _run(call, partial(call.client.load, call.environment, **call.arguments))
    try:
        for answer in answers:
            if isinstance(answer, TransferState):
                if answer.outcome == "SKIPPED":
                    answer = _counted(call, answer)
                elif answer.outcome == "DOES_NOT_EXIST" or answer.status == "ERROR":
                    remove_made_directories(made)
            yield answer
    except CacheServiceError as error:
        if error.code not in GIVEN_UP:
            remove_made_directories(made)
        raise


def _counted(call: Call, state: TransferState) -> TransferState:
    """Say how much is there and how much the store has: a crashed start may have left little."""
    where = {name: call.arguments[name] for name in ("namespace", "local_dir")}
    try:
        info = call.client.get_cache_info(call.environment, **where)
    except CacheServiceError:
        return state
    return replace(
        state, local_file_count=info.local_file_count, stored_file_count=info.stored.file_count
    )


def _save(call: Call) -> Iterator[Answer]:
    return _run(call, partial(call.client.save, call.environment, **call.arguments))


def _run(call: Call, start: Callable[..., LoadResponse | SaveResponse]) -> Iterator[Answer]:
    if call.watch:
        operation_ids: SimpleQueue[str | None] = SimpleQueue()
        waiting = start_in_background(partial(start, on_start=operation_ids.put))
        # A call can end before its transfer has an id, and the wait for the id must end with it.
        waiting.add_done_callback(lambda _: operation_ids.put(None))
        operation_id = operation_ids.get()
        if operation_id:
            yield from _changes(call, operation_id, waiting)
        transfer = waiting.result().transfer
    else:
        transfer = start().transfer
    yield from _follow(call, transfer, call.arguments["detach"])


def _changes(call: Call, operation_id: str, waiting: Future[Any]) -> Iterator[Answer]:
    """Yield the states of a transfer, until the call that waits for it has its answer."""
    with call.client.watch(operation_id) as watch, suppress(CacheServiceError):
        # A call may end before its transfer, which then goes on for others.
        waiting.add_done_callback(lambda _: watch.cancel())
        for state in watch:
            yield transfer_state(state, call.environment)


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
    environment = call.environment if call.environment.torch_version else None
    for cache in call.client.all_caches(environment=environment, **call.arguments):
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
