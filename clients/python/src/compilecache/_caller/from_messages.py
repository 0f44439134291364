"""The daemon's messages as the plain data of `_base.answers`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from compilecache._base.answers import (
    CacheInfo,
    CacheSummary,
    ClosestCache,
    LeftOutFiles,
    TransferState,
)
from compilecache.environment import Environment
from compilecache.errors import error_from_status
from compilecache.v1 import transfer_pb2

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

    from compilecache.v1.cache_pb2 import Cache
    from compilecache.v1.cache_pb2 import ClosestCache as ClosestMessage
    from compilecache.v1.cache_service_pb2 import GetCacheInfoResponse
    from compilecache.v1.transfer_pb2 import LeftOutFiles as LeftOutMessage
    from compilecache.v1.transfer_pb2 import Transfer


def transfer_state(transfer: Transfer, environment: Environment) -> TransferState:
    """Return the state of a transfer; `environment` is the one that its load asked for."""
    outcome, skip_reason, cache, closest, note = None, None, None, None, ""
    others: list[str] = []
    left_out: list[LeftOutFiles] = []
    if transfer.HasField("load"):
        outcome = _name(transfer_pb2.LoadStatus.Name, transfer.load.status, "LOAD_STATUS_")
        cache = transfer.load.cache
        if transfer.load.HasField("closest"):
            closest = _closest(transfer.load.closest, environment)
        note, others = transfer.load.note, list(transfer.load.other_namespaces)
    elif transfer.HasField("save"):
        outcome = _name(transfer_pb2.SaveStatus.Name, transfer.save.status, "SAVE_STATUS_")
        if transfer.save.status == transfer_pb2.SAVE_STATUS_SKIPPED:
            reason = transfer.save.skip_reason
            skip_reason = _name(transfer_pb2.SaveSkipReason.Name, reason, "SAVE_SKIP_REASON_")
        cache = transfer.save.cache
        left_out = [_left_out(files) for files in transfer.save.left_out]
    failed = transfer.HasField("error")
    ended = transfer.HasField("completed_at")
    return TransferState(
        operation_id=transfer.operation_id,
        operation_name=transfer.operation_name,
        kind=_name(transfer_pb2.TransferKind.Name, transfer.kind, "TRANSFER_KIND_"),
        status=_name(transfer_pb2.TransferStatus.Name, transfer.status, "TRANSFER_STATUS_"),
        phase=_name(transfer_pb2.TransferPhase.Name, transfer.phase, "TRANSFER_PHASE_"),
        namespace=transfer.namespace,
        cache_key=transfer.cache_key,
        started_at=_seconds(transfer.started_at),
        completed_at=_seconds(transfer.completed_at) if ended else None,
        bytes_done=transfer.bytes_done,
        bytes_total=transfer.bytes_total,
        files_done=transfer.files_done,
        files_total=transfer.files_total,
        error=str(error_from_status(transfer.error)) if failed else None,
        outcome=outcome,
        skip_reason=skip_reason,
        closest=closest,
        note=note,
        other_namespaces=others,
        archive_name=cache.filename if cache else "",
        archive_bytes=cache.archive_bytes if cache else 0,
        left_out=left_out,
        local_file_count=0,
        stored_file_count=0,
    )


def cache_summary(cache: Cache) -> CacheSummary:
    """Return a stored cache."""
    known = cache.HasField("environment")
    return CacheSummary(
        namespace=cache.namespace,
        cache_key=cache.cache_key,
        filename=cache.filename,
        environment_key=Environment.from_message(cache.environment).key() if known else "",
        archive_bytes=cache.archive_bytes,
        content_bytes=cache.content_bytes,
        file_count=cache.file_count,
        created_at=_seconds(cache.created_at),
        is_current_environment=cache.is_current_environment,
    )


def cache_info(response: GetCacheInfoResponse) -> CacheInfo:
    """Return what one environment has."""
    return CacheInfo(
        environment_key=response.environment_key,
        cache_key=response.cache_key,
        local_exists=response.local_exists,
        local_bytes=response.local_bytes,
        local_file_count=response.local_file_count,
        store=response.store,
        stored=cache_summary(response.stored) if response.HasField("stored") else None,
    )


def _closest(message: ClosestMessage, environment: Environment) -> ClosestCache:
    here = environment.components()
    there = Environment.from_message(message.cache.environment).components()
    return ClosestCache(
        cache_key=message.cache.cache_key,
        filename=message.cache.filename,
        differing={name: [here.get(name, ""), there.get(name, "")] for name in message.differing},
    )


def _left_out(message: LeftOutMessage) -> LeftOutFiles:
    return LeftOutFiles(
        reason=_name(transfer_pb2.LeftOutReason.Name, message.reason, "LEFT_OUT_REASON_"),
        file_count=message.file_count,
        examples=list(message.examples),
    )


def _name(name_of: Callable[[Any], str], value: int, prefix: str) -> str:
    try:
        return name_of(value)[len(prefix) :]
    # A newer daemon may know more.
    except ValueError:
        return "UNSPECIFIED"


def _seconds(timestamp: Timestamp) -> float:
    return timestamp.seconds + timestamp.nanos / 1e9
