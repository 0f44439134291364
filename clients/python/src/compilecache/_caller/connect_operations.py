"""The calls to the daemon that `_caller.connect_call` makes, by name.

Each does what the one of the same name in `_caller.operations` does by gRPC.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Union

from compilecache._base.answers import CacheInfo, CacheSummary, TransferState
from compilecache._base.background import start_in_background
from compilecache._base.given_up import GIVEN_UP
from compilecache._base.local_directory import create_local_directory, remove_made_directories
from compilecache._caller.connect_requests import (
    cache_request,
    copy_request,
    directory_request,
    environment_message,
    load_request,
    path_here,
    save_request,
)
from compilecache._caller.from_json import cache_info, cache_summary, transfer_state
from compilecache.exceptions import CacheServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from compilecache._caller.connect_client import ConnectClient, SentCall
    from compilecache.environment import Environment

Answer = Union[TransferState, CacheInfo, CacheSummary]


@dataclass(frozen=True)
class Call:
    """What an operation works with."""

    client: ConnectClient
    environment: Environment
    """Without a version of torch where the operation needs none."""
    arguments: Mapping[str, Any]
    watch: bool
    """Whether to tell of a load or save while it is waited for."""


def _load(call: Call) -> Iterator[Answer]:
    made = create_local_directory(path_here(call.arguments["local_dir"]))
    try:
        for answer in _run(call, "Load", partial(load_request, call.arguments, call.environment)):
            if answer.outcome == "DOES_NOT_EXIST" or answer.status == "ERROR":
                remove_made_directories(made)
            yield _counted(call, answer) if answer.outcome == "SKIPPED" else answer
    except CacheServiceError as error:
        # Others may wait for a load that this caller gave up.
        if error.code not in GIVEN_UP:
            remove_made_directories(made)
        raise


def _counted(call: Call, state: TransferState) -> TransferState:
    """Say how much is there and how much the store has: a crashed start may have left little."""
    try:
        info = _info_of(call)
    except CacheServiceError:
        return state
    stored = info.stored.file_count if info.stored else 0
    return replace(state, local_file_count=info.local_file_count, stored_file_count=stored)


def _save(call: Call) -> Iterator[Answer]:
    return _run(call, "Save", partial(save_request, call.arguments, call.environment))


def _run(call: Call, method: str, request: Callable[[], dict[str, Any]]) -> Iterator[TransferState]:
    seconds = call.arguments.get("timeout_seconds")
    send = partial(call.client.start, method, timeout_seconds=seconds)
    sent: SentCall = call.client.as_seen(request, send)
    if call.watch and sent.operation_id:
        waiting = start_in_background(sent.answer)
        # It need not be watched: a process may have no descriptor left for that.
        with suppress(CacheServiceError):
            stream = call.client.stream("WatchTransfer", {"operation_id": sent.operation_id})
            # A call may end before its transfer, which then goes on for others.
            waiting.add_done_callback(lambda _: stream.cancel())
            for message in stream:
                yield transfer_state(message.get("transfer") or {}, call.environment)
        answer = waiting.result()
    else:
        answer = sent.answer()
    yield from _follow(call, answer, call.arguments["detach"])


def _copy(call: Call) -> Iterator[Answer]:
    send = partial(call.client.call, "StartTransfer")
    answer = call.client.as_seen(partial(copy_request, call.arguments), send)
    return _follow(call, answer, True)


def _follow(call: Call, answer: dict[str, Any], runs: bool) -> Iterator[TransferState]:
    first = transfer_state(answer.get("transfer") or {}, call.environment)
    yield first
    if runs:
        yield from _watched(call, first.operation_id)


def _watch(call: Call) -> Iterator[Answer]:
    return _watched(call, call.arguments["operation_id"])


def _watched(call: Call, operation_id: str) -> Iterator[TransferState]:
    for message in call.client.stream("WatchTransfer", {"operation_id": operation_id}):
        yield transfer_state(message.get("transfer") or {}, call.environment)


def _cancel_transfer(call: Call) -> Iterator[Answer]:
    answer = call.client.call("CancelTransfer", dict(call.arguments))
    yield transfer_state(answer.get("transfer") or {}, call.environment)


def _get_cache_info(call: Call) -> Iterator[Answer]:
    yield _info_of(call)


def _info_of(call: Call) -> CacheInfo:
    request = partial(cache_request, call.arguments, call.environment)
    return cache_info(call.client.as_seen(request, partial(call.client.call, "GetCacheInfo")))


def _list_caches(call: Call) -> Iterator[Answer]:
    request: dict[str, Any] = {"namespace": call.arguments["namespace"], "page_token": ""}
    if call.environment.torch_version:
        request["environment"] = environment_message(call.environment)
    while True:
        page = call.client.call("ListCaches", request)
        for cache in page.get("caches", ()):
            yield cache_summary(cache)
        request["page_token"] = page.get("nextPageToken", "")
        if not request["page_token"]:
            return


def _clear_local_cache(call: Call) -> Iterator[Answer]:
    request = partial(directory_request, call.arguments)
    call.client.as_seen(request, partial(call.client.call, "ClearLocalCache"))
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
