"""Whether a directory will do for the files of a daemon."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from typing import TYPE_CHECKING

from compilecache._daemon.address import is_private

if TYPE_CHECKING:
    from pathlib import Path


def why_unusable(directory: Path) -> str | None:
    """Make the directory where it is missing, and return why no daemon can listen there.

    None where one can. It is tried out: not every file system has sockets, links and locks.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not is_private(directory):
            return "not this user's alone"
        _try_out(directory)
    except OSError as error:
        return error.strerror or str(error)
    return None


def _try_out(directory: Path) -> None:
    unique = os.urandom(4).hex()
    names = [str(directory / f".{unique}{end}") for end in "abc"]
    bound, linked, locked = names
    try:
        with socket.socket(socket.AF_UNIX) as tried:
            tried.bind(bound)
        os.link(bound, linked)
        lock = os.open(locked, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(lock)
    finally:
        for name in names:
            with contextlib.suppress(OSError):
                os.unlink(name)
