"""What is said, and kept, of a load or a save that has ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from compilecache._base.amounts import count_text, size_text
from compilecache._calls.left_out import tell_of_left_out
from compilecache._calls.record import record_of, record_of_failure, remember_load
from compilecache._calls.skip import tell_of_skip
from compilecache.logger import logger
from compilecache.statuses import LoadStatus, SaveStatus

if TYPE_CHECKING:
    from compilecache._base.answers import TransferState
    from compilecache._calls.request import CacheRequest


def load_has_ended(
    request: CacheRequest,
    transfer: TransferState,
    waited_seconds: float = 0,
    ended_at: float | None = None,
    *,
    is_merged: bool = False,
) -> LoadStatus:
    """Log a load in one line, remember it, and return what its caller is told.

    It was one in the background where nobody waited. `ended_at` is by default now.
    """
    ended_at = time.time() if ended_at is None else ended_at
    record = record_of(transfer, request.local_dir, waited_seconds, ended_at, is_merged=is_merged)
    remember_load(record)
    return record.status


def load_has_failed(
    request: CacheRequest | None, error: Exception, waited_seconds: float
) -> LoadStatus:
    """Do the same where no transfer has ended; without a request, where there could be none."""
    where, namespace = (request.local_dir, request.namespace) if request else ("", "")
    record = record_of_failure(error, where, waited_seconds, namespace)
    remember_load(record)
    return record.status


def save_has_ended(
    request: CacheRequest, transfer: TransferState, waited_seconds: float = 0
) -> SaveStatus:
    """Log a save in one line, and return what its caller is told."""
    status = SaveStatus[transfer.outcome or "ERROR"]
    seconds = _seconds_text(transfer, waited_seconds)
    if status == SaveStatus.SUCCESS:
        logger.info(
            "saved %s, %s, from %s in namespace %s as %s%s; %s",
            count_text(transfer.files_done, "file"),
            size_text(transfer.bytes_done),
            request.local_dir,
            request.namespace,
            size_text(transfer.archive_bytes),
            _store_text(request),
            seconds,
        )
    elif status == SaveStatus.SKIPPED:
        named = f"namespace {request.namespace}, {seconds}"
        tell_of_skip(transfer.skip_reason, request.local_dir, named)
    else:
        reason = transfer.error or "the daemon did not say why"
        _tell_of_no_save(request, seconds, reason)
    tell_of_left_out(transfer.left_out, request.local_dir)
    return status


def save_has_failed(
    request: CacheRequest | None, error: Exception, waited_seconds: float
) -> SaveStatus:
    """Log a save of which no transfer has ended; without a request, where there could be none."""
    if request:
        _tell_of_no_save(request, f"{waited_seconds:.2f} s", str(error))
    else:
        logger.error("nothing saved: %s", error)
    return SaveStatus.ERROR


def _store_text(request: CacheRequest) -> str:
    """Say where it is stored, if that is known here: a default need not be a shared place."""
    store = request.store()
    return f" in {store}" if store else ""


def _tell_of_no_save(request: CacheRequest, seconds: str, reason: str) -> None:
    logger.error(
        "nothing saved from %s (namespace %s, %s): %s",
        request.local_dir,
        request.namespace,
        seconds,
        reason,
    )


def _seconds_text(transfer: TransferState, waited_seconds: float) -> str:
    if waited_seconds:
        return f"{waited_seconds:.2f} s"
    seconds = (transfer.completed_at or transfer.started_at) - transfer.started_at
    return f"{seconds:.2f} s in the background"
