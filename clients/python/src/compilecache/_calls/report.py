"""What a load was worth."""

from __future__ import annotations

import os
import re
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compilecache._base.amounts import count_text, size_text
from compilecache._base.background import within
from compilecache._base.deadlines import SHORT_CALL_SECONDS
from compilecache._base.local_directory import resolve_local_directory
from compilecache._calls.record import last_load, load_seconds
from compilecache.logger import logger
from compilecache.statuses import LoadStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_imported_at = time.time()
# Lock and temporary files of torch, Triton and this package, which no save takes.
_transient_file = re.compile(r"\.compilecache-.*|.*\.(lock|tmp|temp)|\.\d+\.\d+\.tmp.*")
_counted = ("hit", "miss", "bypass")
_transient_directory = re.compile(r"\.compilecache-.*|locks|tmp\.pid_\d+.*")


@dataclass(frozen=True)
class CacheHits:
    """How often one of torch's own caches had what was asked for."""

    hits: int
    misses: int
    bypasses: int
    """What torch does not cache."""

    def __str__(self) -> str:
        """Return it in words."""
        return ", ".join(
            [
                count_text(self.hits, "hit"),
                count_text(self.misses, "miss", "misses"),
                count_text(self.bypasses, "bypass", "bypasses"),
            ]
        )


@dataclass(frozen=True)
class LoadReport:
    """What the last load of this process was worth, up to now."""

    status: LoadStatus | None = None
    """How it ended; None where there was none."""
    reason: str = ""
    """Why nothing was loaded; with a miss, which cache comes closest and how it differs."""
    loaded_files: int = 0
    loaded_bytes: int = 0
    load_seconds: float = 0
    """How long the load took."""
    waited_seconds: float = 0
    """How long this process waited for it."""
    new_files: int = 0
    """Files that were written since, by torch. A load that was complete leaves few to write."""
    new_bytes: int = 0
    fx_graph: CacheHits | None = None
    """torch's count of compiled graphs; None where torch has compiled nothing."""
    aot_autograd: CacheHits | None = None
    """The same of what comes before these."""
    namespace: str = ""
    """Whose cache was asked for."""
    local_dir: str = ""
    """Where it went, or would have."""

    def __str__(self) -> str:
        """Return it in one line."""
        size = f"{count_text(self.loaded_files, 'file')}, {size_text(self.loaded_bytes)}"
        # Neither is part of the other: a load may be started ahead, or wait for a daemon.
        seconds = f"{self.load_seconds:.2f} s; it was waited for {self.waited_seconds:.2f} s"
        if self.status is None:
            parts = ["nothing loaded"]
        elif self.status == LoadStatus.SUCCESS:
            where = f"of namespace {self.namespace} into {self.local_dir}"
            parts = [f"loaded {size}, {where}, in {seconds}"]
        else:
            parts = [f"nothing loaded ({self.status.name}): {self.reason}"]
        new_files = count_text(self.new_files, "new file")
        parts.append(f"since then {new_files}, {size_text(self.new_bytes)}")
        if self.fx_graph:
            parts.append(f"FX graphs: {self.fx_graph}")
        if self.aot_autograd:
            parts.append(f"AOTAutograd: {self.aot_autograd}")
        return "; ".join(parts)


def report() -> LoadReport:
    """Return what this process's last load was worth, and log it; call it after warm-up.

    Never raises, and imports nothing of torch.
    """
    record = last_load()
    since = record.ended_at if record else _imported_at
    new_files, new_bytes = _count_new(record.local_dir if record else None, since)
    transfer = record.transfer if record and record.status == LoadStatus.SUCCESS else None
    found = LoadReport(
        status=record.status if record else None,
        reason=record.reason if record and not transfer else "",
        loaded_files=transfer.files_done if transfer else 0,
        loaded_bytes=transfer.bytes_done if transfer else 0,
        load_seconds=load_seconds(transfer) if transfer else 0,
        waited_seconds=record.waited_seconds if record else 0,
        new_files=new_files,
        new_bytes=new_bytes,
        fx_graph=_torch_counts("inductor", "fxgraph_cache"),
        aot_autograd=_torch_counts("aot_autograd", "autograd_cache"),
        namespace=record.namespace if record else "",
        local_dir=record.local_dir if record else "",
    )
    logger.info("%s", found)
    return found


def _count_new(local_dir: str | None, since: float) -> tuple[int, int]:
    """Return how many files, and bytes, have changed after a time; by default in torch's place."""
    try:
        directory = resolve_local_directory(local_dir)
        sizes = within(SHORT_CALL_SECONDS, lambda: list(_new_sizes(directory, since)))
    except Exception as error:
        logger.warning("the new files cannot be counted: %s", error)
        sizes = []
    return len(sizes), sum(sizes)


def _new_sizes(directory: str, since: float) -> Iterator[int]:
    # torch may remove files while they are counted, and a mount has a `lost+found` of root's.
    with suppress(FileNotFoundError, PermissionError), os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError, PermissionError):
                if entry.is_dir(follow_symlinks=False):
                    if not _transient_directory.fullmatch(entry.name):
                        yield from _new_sizes(entry.path, since)
                elif entry.is_file(follow_symlinks=False):
                    facts = entry.stat(follow_symlinks=False)
                    # The time of a file's content may be that of the archive's.
                    if facts.st_ctime > since and not _transient_file.fullmatch(entry.name):
                        yield facts.st_size


def _torch_counts(group: str, cache: str) -> CacheHits | None:
    counters: Any = getattr(sys.modules.get("torch._dynamo.utils"), "counters", None)
    counts: Mapping[str, int] | None = counters.get(group) if counters else None
    if counts is None:
        return None
    hits, misses, bypasses = (counts.get(f"{cache}_{what}", 0) for what in _counted)
    return CacheHits(hits, misses, bypasses)
