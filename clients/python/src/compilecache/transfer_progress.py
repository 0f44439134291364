"""What callers see of a transfer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Callable

from compilecache.statuses import AsyncTransferStatus, LoadStatus, SaveStatus

ProgressCallback = Callable[[str], None]
"""Is called with the operation id, in a thread of its own, after each change."""

# Of those whose operation is so called; a copy has no outcome.
_failures: dict[str, LoadStatus | SaveStatus] = {
    "load": LoadStatus.ERROR,
    "save": SaveStatus.ERROR,
}


@dataclass
class TransferProgress:
    """A load, a save or a copy. It changes until the status is final.

    Times are local times without a time zone. Bytes and files are zero while they are not known.
    """

    operation_id: str
    operation_name: str
    status: AsyncTransferStatus
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error_message: str | None = None
    """Why it ended without success."""
    progress_callback: ProgressCallback | None = None
    phase: str = ""
    """What it is doing, for people to read."""
    bytes_done: int = 0
    bytes_total: int = 0
    files_done: int = 0
    files_total: int = 0
    outcome: LoadStatus | SaveStatus | None = None
    """What a load or save came to, once it has ended; a miss or a skip is a SUCCESS as transfer."""
    daemon_operation_id: str | None = None
    """The daemon's id of it, which other processes take too; None until the daemon has accepted it,
    and for what no daemon runs."""

    def set_status(self, status: AsyncTransferStatus, error_message: str | None = None) -> None:
        """Change the status, and the times with it."""
        if status == AsyncTransferStatus.IN_PROGRESS and self.started_at is None:
            self.started_at = datetime.now()
        if status.is_final:
            self.completed_at = datetime.now()
        self.error_message = error_message
        if status.is_final and status != AsyncTransferStatus.SUCCESS and self.outcome is None:
            self.outcome = _failures.get(self.operation_name)
        # Last: a thread that sees a final status takes the rest as final, too.
        self.status = status
