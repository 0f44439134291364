"""Clear a local directory without a daemon."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from compilecache._calls.never_emptied import require_may_empty

if TYPE_CHECKING:
    from pathlib import Path

# What a file system keeps for itself.
_kept = frozenset({"lost+found", ".snapshot", ".snapshots", ".zfs"})


def clear_here(directory: Path) -> None:
    """Remove the files and directories below one, as the daemon does.

    Spares what is someone else's: links, sockets and the like, what is mounted there, and what
    cannot be listed. Raises OSError for a file that cannot be removed, and CacheValidationError
    for a directory that is never emptied.
    """
    require_may_empty(directory)
    found: list[str] = []
    for parent, directories, files in os.walk(directory):
        directories[:] = [name for name in directories if _is_entered(parent, name)]
        found.extend(os.path.join(parent, name) for name in directories)
        for name in files:
            path = os.path.join(parent, name)
            with suppress(FileNotFoundError):
                if stat.S_ISREG(os.lstat(path).st_mode):
                    os.unlink(path)
    for path in reversed(found):
        # It holds what was spared, or what another process has put there.
        with suppress(OSError):
            os.rmdir(path)


def _is_entered(parent: str, name: str) -> bool:
    path = os.path.join(parent, name)
    return name not in _kept and not os.path.islink(path) and not os.path.ismount(path)
