"""What became of this process's loads."""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from compilecache._base.amounts import count_text, size_text
from compilecache._base.forks import in_child_of_fork
from compilecache.exceptions import CacheError, CacheServiceError
from compilecache.logger import logger
from compilecache.statuses import LoadStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from compilecache._base.answers import TransferState


_most_others = 3
# Ours have 12 digits.
_of_the_ancestor = re.compile(r"cache_[0-9a-f]{16}(\..+)?\.latest\.tar\.gz")


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
    namespace: str = ""
    is_expected: bool = True
    """Whether it is as it should be that nothing was loaded."""
    is_merged: bool = False
    """Whether files stayed that were there, beside what was loaded."""


def record_of(
    transfer: TransferState,
    local_dir: str,
    waited_seconds: float,
    ended_at: float,
    *,
    is_merged: bool = False,
) -> LoadRecord:
    """Return the record of a load that the daemon has ended."""
    status = LoadStatus[transfer.outcome or "ERROR"]
    reason = transfer.error or "the daemon did not say why"
    if status == LoadStatus.SKIPPED:
        reason = (
            f"{local_dir} holds files already, which torch uses as they are; "
            'if_local_exists="merge" adds what is missing'
        )
        if _is_half_filled(transfer):
            reason = (
                f"{local_dir} holds files already ({transfer.local_file_count}), fewer than the "
                f'stored cache ({transfer.stored_file_count}); if_local_exists="merge" adds what '
                "is missing"
            )
    elif status == LoadStatus.DOES_NOT_EXIST:
        reason = "; ".join(filter(None, (_why_missed(transfer), transfer.note)))
    return LoadRecord(
        status,
        local_dir,
        waited_seconds,
        transfer,
        reason,
        ended_at,
        namespace=transfer.namespace,
        # That others hold the key is no fault: each new model's first start finds it so.
        is_expected=not (transfer.closest or _is_half_filled(transfer)),
        is_merged=is_merged,
    )


def _why_missed(transfer: TransferState) -> str:
    others = transfer.other_namespaces
    reason = f"the store has no cache {transfer.namespace}/{transfer.cache_key}"
    if others:
        shown = ", ".join([*others[:_most_others], *(["..."] if others[_most_others:] else [])])
        return (
            f"{reason}, but one of this very environment in {_namespaces(others)} {shown}; "
            "namespace=, or COMPILE_CACHE_NAMESPACE, says which is meant"
        )
    if transfer.closest:
        return f"{reason}; {transfer.closest}"
    return f"{reason}, nor another of this namespace to compare it with"


def _namespaces(names: Sequence[str]) -> str:
    return "namespace" if len(names) == 1 else "namespaces"


def record_of_failure(
    error: Exception, local_dir: str, waited_seconds: float, namespace: str = ""
) -> LoadRecord:
    """Return the record of a load that ended in an error. One that is late counts as a miss."""
    status = LoadStatus.ERROR
    expected = isinstance(error, CacheError)
    reason = str(error) if expected else f"{type(error).__name__}: {error}"
    if isinstance(error, CacheServiceError) and error.code == "DEADLINE_EXCEEDED":
        status = LoadStatus.DOES_NOT_EXIST
        reason = f"the cache did not arrive within {waited_seconds:.1f} s"
    return LoadRecord(
        status,
        local_dir,
        waited_seconds,
        reason=reason,
        namespace=namespace,
        is_expected=False,
    )


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
            "loaded %s, %s, %s namespace %s into %s%s; %s",
            count_text(transfer.files_done, "file"),
            size_text(transfer.bytes_done),
            _source_text(transfer),
            record.namespace,
            record.local_dir,
            ", where files that were there stay" if record.is_merged else "",
            seconds_text(record),
        )
    elif not record.local_dir:
        logger.log(_level_of(record), "nothing loaded: %s", record.reason)
    else:
        logger.log(
            _level_of(record),
            "nothing loaded into %s (namespace %s, %s): %s",
            record.local_dir,
            record.namespace,
            seconds_text(record),
            record.reason,
        )


def _source_text(transfer: TransferState) -> str:
    """Say what it was loaded from, where it is no archive of ours."""
    if _of_the_ancestor.fullmatch(transfer.archive_name):
        return f"from b10-transfer's archive {transfer.archive_name} for"
    return "of"


def seconds_text(record: LoadRecord) -> str:
    """Return how long a load took, for its caller and in itself: one may be without the other."""
    transfer = record.transfer
    if transfer is None:
        return f"{record.waited_seconds:.2f} s"
    if not record.waited_seconds:
        return f"{load_seconds(transfer):.2f} s in the background"
    return f"{record.waited_seconds:.2f} s, the transfer {load_seconds(transfer):.2f} s"


def _level_of(record: LoadRecord) -> int:
    if record.status == LoadStatus.ERROR:
        return logging.ERROR
    # A first start finds nothing, and nothing is wrong; one that should have found something is.
    return logging.INFO if record.is_expected else logging.WARNING


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
