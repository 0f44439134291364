"""Where the daemon is: every other module asks here.

In this order: COMPILE_CACHE_ADDRESS, the system's socket, this user's socket, and the socket of a
daemon that this package starts (`_daemon.own_daemon`).
"""

from __future__ import annotations

import os
import re
import socket
import stat
from pathlib import Path

SYSTEM_SOCKET = "/run/compilecache/compilecache.sock"

_longest_answer_seconds = 2.0
# gRPC reads an address as a URL, and the kernel takes 107 bytes.
_nameable_socket = re.compile(r"[\w/.~@+-]{1,107}", re.ASCII)


def configured_address() -> str | None:
    """Return the address that COMPILE_CACHE_ADDRESS names; who connects there judges it."""
    return os.environ.get("COMPILE_CACHE_ADDRESS", "").strip() or None


def default_address() -> str:
    """Return where a daemon is expected, without asking whether one is there.

    COMPILE_CACHE_ADDRESS, else the system's socket, or the user's where this user may not connect
    to the first, or it is not there.
    """
    configured = configured_address()
    if configured:
        return configured
    of_user = user_socket()
    # Anyone may write to /tmp: a directory that another user made there would get our calls.
    if not os.access(SYSTEM_SOCKET, os.W_OK) and _is_ours(of_user.parent) and of_user.exists():
        return f"unix:{of_user}"
    return f"unix:{SYSTEM_SOCKET}"


def running_address() -> str | None:
    """Return COMPILE_CACHE_ADDRESS, else the first default socket where a daemon answers."""
    configured = configured_address()
    if configured:
        return configured
    if answers(Path(SYSTEM_SOCKET)):
        return f"unix:{SYSTEM_SOCKET}"
    of_user = user_socket()
    if is_private(of_user.parent) and answers(of_user):
        return f"unix:{of_user}"
    return None


def user_socket() -> Path:
    """Return the socket of a daemon that this user runs and that has no right to the system's.

    In XDG_RUNTIME_DIR where that is this user's directory and a socket in it can be named, and else
    in a directory of /tmp. A process that changed its user may still have the variable of the first
    one. The daemon and the TypeScript client have the same rule; test/vectors/places.json holds all
    to it.
    """
    configured = os.environ.get("XDG_RUNTIME_DIR", "")
    runtime_dir = Path(re.sub("^//+", "/", os.path.normpath(configured)))
    socket_path = runtime_dir / "compilecache" / "compilecache.sock"
    usable = runtime_dir.is_absolute() and _is_ours(runtime_dir)
    if usable and _nameable_socket.fullmatch(str(socket_path)):
        return socket_path
    return Path(f"/tmp/compilecache-{os.getuid()}/compilecache.sock")


def answers(path: Path) -> bool:
    """Return whether a server on this socket greets a client, which a server that hangs does not.

    The daemon's idle time starts again with this.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_longest_answer_seconds)
        try:
            connection.connect(str(path))
            return connection.recv(1) != b""
        except OSError:
            return False


def is_private(directory: Path) -> bool:
    """Return whether only this user can put a socket there, which is not so in /tmp."""
    mode = _mode_if_ours(directory)
    return mode is not None and not mode & (stat.S_IWGRP | stat.S_IWOTH)


def _is_ours(directory: Path) -> bool:
    return _mode_if_ours(directory) is not None


def _mode_if_ours(directory: Path) -> int | None:
    """Return the mode of a directory that this user owns; None for anything else."""
    try:
        found = directory.lstat()
    except OSError:
        return None
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return found.st_mode if ours else None
