"""How calls end. Members of different enumerations are equal when they have the same name."""

from __future__ import annotations

from enum import Enum


class _Status(Enum):
    """A status that equals, and hashes as, the one of the same name in any enumeration here."""

    def __eq__(self, other: object) -> bool:
        return self.name == other.name if isinstance(other, _Status) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)


class LoadStatus(_Status):
    """How a load ended."""

    SUCCESS = 1
    """The local directory holds the cache."""
    ERROR = 2
    """It failed; the log says why."""
    DOES_NOT_EXIST = 3
    """There is no cache for this environment, or it did not arrive before the deadline."""
    SKIPPED = 4
    """The local directory held files already."""


OperationStatus = LoadStatus
"""The one name for the statuses of loads, saves and transfers in b10-transfer 0.4."""


class SaveStatus(_Status):
    """How a save ended."""

    SUCCESS = 1
    """The store holds the local directory's files."""
    ERROR = 2
    """It failed; the log says why."""
    SKIPPED = 3
    """There was nothing to save, or the store already held this cache; the log says which."""


class TransferStatus(_Status):
    """How `transfer` ended."""

    SUCCESS = 1
    """Done."""
    ERROR = 2
    """It failed; the log says why."""
    INTERRUPTED = 3
    """Disk space ran short."""


class AsyncTransferStatus(_Status):
    """How far a transfer has come. The last four are final."""

    NOT_STARTED = 1
    """It waits for other work."""
    IN_PROGRESS = 2
    """It runs."""
    SUCCESS = 3
    """Done. For a load or a save, `TransferProgress.outcome` says what came of it."""
    ERROR = 4
    """It failed, or the daemon that ran it is gone."""
    INTERRUPTED = 5
    """Disk space ran short."""
    CANCELLED = 6
    """It was cancelled."""

    @property
    def is_final(self) -> bool:
        """Whether nothing follows."""
        return self.value > AsyncTransferStatus.IN_PROGRESS.value
