"""What the daemon answers, as plain data that crosses from one process to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ClosestCache:
    """Of the stored caches, the one whose environment differs least from the one asked for."""

    cache_key: str
    filename: str
    differing: dict[str, list[str]]
    """For each component that differs its value here, then there; empty for one that is absent."""

    def __str__(self) -> str:
        """Return what a log line says of it."""
        differences = ", ".join(
            f"{name} ({here or 'none'} here, {there or 'none'} there)"
            for name, (here, there) in self.differing.items()
        )
        return f"the closest cache, {self.filename}, differs in {differences}"


@dataclass(frozen=True)
class LeftOutFiles:
    """Files that a save left out for one reason."""

    reason: str
    """Name of a LeftOutReason, without its prefix."""
    file_count: int
    examples: list[str]
    """Up to three paths below the local directory."""


@dataclass(frozen=True)
class TransferState:
    """A transfer as the daemon tells it. Names of enumerations are without their prefixes."""

    operation_id: str
    operation_name: str
    kind: str
    status: str
    phase: str
    namespace: str
    cache_key: str
    started_at: float
    completed_at: float | None
    """Both in seconds since 1970; None while it runs."""
    bytes_done: int
    bytes_total: int
    files_done: int
    files_total: int
    error: str | None
    outcome: str | None
    """Name of a LoadStatus or SaveStatus, once a load or save has ended."""
    skip_reason: str | None
    """Why a save was skipped; None for any other."""
    closest: ClosestCache | None
    note: str
    """Of a miss, what else was found and why it was not loaded; may be empty."""
    other_namespaces: list[str]
    """Of a miss without a closest one, namespaces that hold a cache of this environment."""
    archive_name: str
    """File name of the archive that was loaded or saved."""
    archive_bytes: int
    """Size of that archive."""
    left_out: list[LeftOutFiles]
    """What a save left out, by reason."""
    local_file_count: int
    stored_file_count: int
    """Of a load that was skipped: what is there, and what the store has; 0 for any other."""

    @property
    def is_final(self) -> bool:
        """Whether nothing follows."""
        return self.status not in ("NOT_STARTED", "IN_PROGRESS")

    @staticmethod
    def from_json(fields: dict[str, Any]) -> TransferState:
        """Return what `dataclasses.asdict` made plain."""
        closest = ClosestCache(**fields["closest"]) if fields["closest"] else None
        left_out = [LeftOutFiles(**files) for files in fields["left_out"]]
        plain = {name: value for name, value in fields.items() if name not in _nested}
        return TransferState(closest=closest, left_out=left_out, **plain)


_nested = ("closest", "left_out")


@dataclass(frozen=True)
class CacheSummary:
    """A cache in the store."""

    namespace: str
    cache_key: str
    filename: str
    environment_key: str
    """Empty when the archive does not say."""
    archive_bytes: int
    content_bytes: int
    file_count: int
    created_at: float
    """Seconds since 1970; 0 where the store does not let the archive be read."""
    is_current_environment: bool


@dataclass(frozen=True)
class CacheInfo:
    """What one environment has, here and in the store."""

    environment_key: str
    cache_key: str
    local_exists: bool
    local_bytes: int
    local_file_count: int
    store: str
    stored: CacheSummary | None = None

    @staticmethod
    def from_json(fields: dict[str, Any]) -> CacheInfo:
        """Return what `dataclasses.asdict` made plain."""
        stored = CacheSummary(**fields["stored"]) if fields["stored"] else None
        rest = {name: value for name, value in fields.items() if name != "stored"}
        return CacheInfo(stored=stored, **rest)
