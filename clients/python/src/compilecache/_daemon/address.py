"""Where daemons listen by default, and whether one does: `find` decides which one is taken."""

from __future__ import annotations

import os
import re
import socket
import stat
from pathlib import Path

SYSTEM_SOCKET = "/run/compilecache/compilecache.sock"

_longest_answer_seconds = 2.0
# How a client of HTTP/2 begins. One that says nothing is greeted too, but later.
_greeting = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
# gRPC reads an address as a URL, and the kernel takes 107 bytes.
_nameable_socket = re.compile(r"[\w/.~@+-]{1,107}", re.ASCII)


def configured_address() -> str | None:
    """Return the address that COMPILE_CACHE_ADDRESS names; who connects there judges it."""
    return os.environ.get("COMPILE_CACHE_ADDRESS", "").strip() or None


def advice(address: str) -> str:
    """Return what a user can do where no daemon answers at an address; empty for a far one."""
    if not address.startswith("unix:"):
        return ""
    if address == configured_address():
        return (
            "; COMPILE_CACHE_ADDRESS names it: without that, the calls of a model start a daemon "
            "of their own"
        )
    if address == f"unix:{SYSTEM_SOCKET}":
        return "; compilecache.ensure_daemon() starts one for this user"
    return f"; `compilecache serve --listen {address}` starts one there"


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
    usable = runtime_dir.is_absolute() and is_ours(runtime_dir)
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
            connection.sendall(_greeting)
            return connection.recv(1) != b""
        except OSError:
            return False


def listens(path: Path) -> bool:
    """Return whether a process listens on a socket, without waiting for its answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.setblocking(False)
        try:
            connection.connect(str(path))
        except BlockingIOError:
            # More wait there than it may keep: it is busy, or hangs.
            return True
        except OSError:
            return False
        return True


def is_private(directory: Path) -> bool:
    """Return whether only this user can put a socket there, which is not so in /tmp."""
    mode = _mode_if_ours(directory)
    return mode is not None and not mode & (stat.S_IWGRP | stat.S_IWOTH)


def is_ours(directory: Path) -> bool:
    """Return whether it is a directory of this user's, and no link to one."""
    return _mode_if_ours(directory) is not None


def _mode_if_ours(directory: Path) -> int | None:
    """Return the mode of a directory that this user owns; None for anything else."""
    try:
        found = directory.lstat()
    except OSError:
        return None
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return found.st_mode if ours else None
