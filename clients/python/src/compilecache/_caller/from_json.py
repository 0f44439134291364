"""The daemon's messages, in JSON, as the plain data of `_base.answers`.

What has its default, such as zero, is absent. `from_messages` does the same for what gRPC brings.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from compilecache._base.answers import (
    CacheInfo,
    CacheSummary,
    ClosestCache,
    LeftOutFiles,
    TransferState,
)
from compilecache._caller.connect_errors import error_of_status
from compilecache.environment import Environment

Message = dict[str, Any]
_nothing: Message = {}


def transfer_state(transfer: Message, environment: Environment) -> TransferState:
    """Return the state of a transfer; `environment` is the one that its load asked for."""
    load, save = transfer.get("load"), transfer.get("save")
    outcome, skip_reason, closest, note = None, None, None, ""
    others: list[str] = []
    left_out: list[LeftOutFiles] = []
    if load is not None:
        outcome = _name(load.get("status"), "LOAD_STATUS_")
        if load.get("closest"):
            closest = _closest(load["closest"], environment)
        note, others = load.get("note", ""), list(load.get("otherNamespaces", ()))
    elif save is not None:
        outcome = _name(save.get("status"), "SAVE_STATUS_")
        if outcome == "SKIPPED":
            skip_reason = _name(save.get("skipReason"), "SAVE_SKIP_REASON_")
        left_out = [_left_out(files) for files in save.get("leftOut", ())]
    cache = _member(load or save, "cache")
    error, completed_at = transfer.get("error"), transfer.get("completedAt")
    return TransferState(
        operation_id=transfer.get("operationId", ""),
        operation_name=transfer.get("operationName", ""),
        kind=_name(transfer.get("kind"), "TRANSFER_KIND_"),
        status=_name(transfer.get("status"), "TRANSFER_STATUS_"),
        phase=_name(transfer.get("phase"), "TRANSFER_PHASE_"),
        namespace=transfer.get("namespace", ""),
        cache_key=transfer.get("cacheKey", ""),
        started_at=_seconds(transfer.get("startedAt")),
        completed_at=_seconds(completed_at) if completed_at else None,
        bytes_done=_number(transfer, "bytesDone"),
        bytes_total=_number(transfer, "bytesTotal"),
        files_done=_number(transfer, "filesDone"),
        files_total=_number(transfer, "filesTotal"),
        error=str(error_of_status(error)) if error is not None else None,
        outcome=outcome,
        skip_reason=skip_reason,
        closest=closest,
        note=note,
        other_namespaces=others,
        archive_name=cache.get("filename", ""),
        archive_bytes=_number(cache, "archiveBytes"),
        left_out=left_out,
        local_file_count=0,
        stored_file_count=0,
    )


def cache_summary(cache: Message) -> CacheSummary:
    """Return a stored cache."""
    environment = cache.get("environment")
    return CacheSummary(
        namespace=cache.get("namespace", ""),
        cache_key=cache.get("cacheKey", ""),
        filename=cache.get("filename", ""),
        environment_key=_environment(environment).key() if environment is not None else "",
        archive_bytes=_number(cache, "archiveBytes"),
        content_bytes=_number(cache, "contentBytes"),
        file_count=_number(cache, "fileCount"),
        created_at=_seconds(cache.get("createdAt")),
        is_current_environment=cache.get("isCurrentEnvironment", False),
    )


def cache_info(response: Message) -> CacheInfo:
    """Return what one environment has."""
    stored = response.get("stored")
    return CacheInfo(
        environment_key=response.get("environmentKey", ""),
        cache_key=response.get("cacheKey", ""),
        local_exists=response.get("localExists", False),
        local_bytes=_number(response, "localBytes"),
        local_file_count=_number(response, "localFileCount"),
        store=response.get("store", ""),
        stored=cache_summary(stored) if stored is not None else None,
    )


def _environment(message: Message) -> Environment:
    return Environment(
        torch_version=message.get("torchVersion", ""),
        cuda_version=message.get("cudaVersion", ""),
        compute_capability=message.get("computeCapability", ""),
        triton_version=message.get("tritonVersion", ""),
        extra=message.get("extra", {}),
    )


def _closest(message: Message, environment: Environment) -> ClosestCache:
    cache = _member(message, "cache")
    here = environment.components()
    there = _environment(_member(cache, "environment")).components()
    return ClosestCache(
        cache_key=cache.get("cacheKey", ""),
        filename=cache.get("filename", ""),
        differing={
            name: [here.get(name, ""), there.get(name, "")] for name in message.get("differing", ())
        },
    )


def _left_out(message: Message) -> LeftOutFiles:
    return LeftOutFiles(
        reason=_name(message.get("reason"), "LEFT_OUT_REASON_"),
        file_count=_number(message, "fileCount"),
        examples=message.get("examples", []),
    )


def _member(message: Message | None, name: str) -> Message:
    found: Message = (message or _nothing).get(name) or _nothing
    return found


def _number(message: Message, name: str) -> int:
    # JSON has numbers of 64 bits as text.
    return int(message.get(name, 0))


def _name(value: object, prefix: str) -> str:
    # A newer daemon may know more.
    return (
        value[len(prefix) :]
        if isinstance(value, str) and value.startswith(prefix)
        else "UNSPECIFIED"
    )


def _seconds(timestamp: str | None) -> float:
    if not timestamp:
        return 0.0
    # In UTC, with any number of decimals, which older Pythons do not take.
    whole, _, decimals = timestamp.rstrip("Z").partition(".")
    seconds = datetime.fromisoformat(whole).replace(tzinfo=timezone.utc).timestamp()
    return seconds + (float(f"0.{decimals}") if decimals else 0.0)
