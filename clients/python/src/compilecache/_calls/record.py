"""What became of this process's loads."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from compilecache._base.forks import in_child_of_fork
from compilecache.exceptions import CacheError, CacheServiceError
from compilecache.logger import logger
from compilecache.statuses import LoadStatus

if TYPE_CHECKING:
    from compilecache._base.answers import TransferState


@dataclass(frozen=True)
class LoadRecord:
    """How a load ended, and what it cost."""

    status: LoadStatus
    local_dir: str
    waited_seconds: float
    """How long its caller waited."""
    transfer: TransferState | None = None
    """The transfer, where the daemon got that far."""
    reason: str = ""
    """Why it did not succeed, in words."""
    ended_at: float = field(default_factory=time.time)
    """When, in seconds since 1970 by this machine's clock."""


def record_of(
    transfer: TransferState, local_dir: str, waited_seconds: float, ended_at: float
) -> LoadRecord:
    """Return the record of a load that the daemon has ended."""
    status = LoadStatus[transfer.outcome or "ERROR"]
    reason = transfer.error or "the daemon did not say why"
    if status == LoadStatus.SKIPPED:
        reason = f"{local_dir} holds files already"
        if _is_half_filled(transfer):
            reason = (
                f"{local_dir} holds files already ({transfer.local_file_count}), fewer than the "
                f'stored cache ({transfer.stored_file_count}); if_local_exists="merge" adds what '
                "is missing"
            )
    elif status == LoadStatus.DOES_NOT_EXIST:
        reason = f"the store has no cache {transfer.namespace}/{transfer.cache_key}"
        reason += f"; {transfer.closest}" if transfer.closest else ""
    return LoadRecord(status, local_dir, waited_seconds, transfer, reason, ended_at)


def record_of_failure(error: Exception, local_dir: str, waited_seconds: float) -> LoadRecord:
    """Return the record of a load that ended in an error. One that is late counts as a miss."""
    if isinstance(error, CacheServiceError) and error.code == "DEADLINE_EXCEEDED":
        reason = f"the cache did not arrive within {waited_seconds:.1f} s"
        return LoadRecord(LoadStatus.DOES_NOT_EXIST, local_dir, waited_seconds, reason=reason)
    expected = isinstance(error, CacheError)
    reason = str(error) if expected else f"{type(error).__name__}: {error}"
    return LoadRecord(LoadStatus.ERROR, local_dir, waited_seconds, reason=reason)


_last: LoadRecord | None = None


def last_load() -> LoadRecord | None:
    """Return the load that ended last in this process."""
    return _last


def remember_load(record: LoadRecord) -> None:
    """Log a load that has ended, and keep it."""
    global _last
    _last = record
    transfer = record.transfer
    if record.status == LoadStatus.SUCCESS and transfer:
        logger.info(
            "loaded %d files, %.1f MB, into %s; it took %.2f s, of which %.2f s were waited for",
            transfer.files_done,
            transfer.bytes_done / 1e6,
            record.local_dir,
            load_seconds(transfer),
            record.waited_seconds,
        )
    else:
        logger.log(_level_of(record), "nothing loaded: %s", record.reason)


def _level_of(record: LoadRecord) -> int:
    if record.status == LoadStatus.ERROR:
        return logging.ERROR
    # A first start finds nothing, and nothing is wrong; one that should have found something is.
    missed = record.status == LoadStatus.DOES_NOT_EXIST
    surprising = missed and (record.transfer is None or record.transfer.closest)
    if surprising or (record.transfer and _is_half_filled(record.transfer)):
        return logging.WARNING
    return logging.INFO


def _is_half_filled(transfer: TransferState) -> bool:
    """Whether a load was skipped for a directory with less in it than it would have brought."""
    return transfer.local_file_count < transfer.stored_file_count


def load_seconds(transfer: TransferState) -> float:
    """Return how long a transfer took."""
    return (transfer.completed_at or transfer.started_at) - transfer.started_at


def forget_last_load() -> None:
    """Know of no load, as the child of a fork that has not made one."""
    global _last
    _last = None


in_child_of_fork(forget_last_load)
