"""Directories that are opened only where this user's own links lead, and root's."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

_most_links = 40


@contextmanager
def opened_through_own_links(path: str) -> Generator[int, None, None]:
    """Open a directory, by an absolute path, for as long as the block runs.

    Raises PermissionError where a link of another user leads elsewhere, at whatever moment it was
    put there: what is made or removed then would be in a place that the other user chose.
    """
    expected = _through_own_links(path)
    opened = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if os.readlink(f"/proc/self/fd/{opened}") != expected:
            raise PermissionError(f"{path} leads elsewhere by another user's link")
        yield opened
    finally:
        os.close(opened)


def _through_own_links(path: str) -> str:
    """Resolve links as far as nobody but root and this user made them."""
    names = [name for name in path.split("/") if name]
    reached, links = "/", 0
    while names:
        name = names.pop(0)
        if name in (".", ".."):
            reached = reached if name == "." else os.path.dirname(reached)
            continue
        following = os.path.join(reached, name)
        found = os.lstat(following)
        if not stat.S_ISLNK(found.st_mode) or found.st_uid not in (0, os.geteuid()):
            reached = following
            continue
        links += 1
        if links > _most_links:
            raise OSError(f"too many links in {path}")
        target = os.readlink(following)
        names[:0] = [part for part in target.split("/") if part]
        if target.startswith("/"):
            reached = "/"
    return reached
