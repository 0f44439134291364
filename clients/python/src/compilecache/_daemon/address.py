"""Where the daemon is: every other module asks here.

In this order: COMPILE_CACHE_ADDRESS, the system's socket, this user's socket, and the socket of a
daemon that this package starts for this user's processes with the same settings.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

SYSTEM_SOCKET = "/run/compilecache/compilecache.sock"

_longest_answer_seconds = 2.0
# gRPC reads an address as a URL, and the kernel takes 107 bytes.
_nameable_socket = re.compile(r"[\w/.~@+-]{1,107}", re.ASCII)

# Variables that the daemon goes by. Others of these names are the client's.
_setting_prefixes = ("COMPILE_CACHE_", "AWS_")
_client_settings = {
    f"COMPILE_CACHE_{name}"
    for name in (
        "ADDRESS",
        "NAMESPACE",
        "TOKEN",
        "NODE",
        "LOAD_DEADLINE_SECONDS",
        "SAVE_DEADLINE_SECONDS",
    )
}
_other_settings = {
    "ARCHIVE_FORMAT",
    "B10FS_CACHE_DIR",
    "LOCAL_WORK_DIR",
    "MAX_CACHE_SIZE_MB",
    "MAX_CONTENT_SIZE_MB",
    "MAX_FILE_COUNT",
}


def configured_address() -> str | None:
    """Return the address that COMPILE_CACHE_ADDRESS names; who connects there judges it."""
    return os.environ.get("COMPILE_CACHE_ADDRESS", "").strip() or None


def default_address() -> str:
    """Return where a daemon is expected, without asking whether one is there.

    COMPILE_CACHE_ADDRESS, else the system's socket, or the user's where only that one is there.
    """
    configured = configured_address()
    if configured:
        return configured
    of_user = user_socket()
    # Anyone may write to /tmp: a directory that another user made there would get our calls.
    if not Path(SYSTEM_SOCKET).exists() and _is_ours(of_user.parent) and of_user.exists():
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


@dataclass(frozen=True)
class OwnDaemonFiles:
    """Socket, lock and log of a daemon that this package starts, by a name for its settings."""

    directory: Path
    name: str

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.directory / f"{self.name}.sock"

    @property
    def log(self) -> Path:
        """Where it writes what it has to say."""
        return self.directory / f"{self.name}.log"

    @property
    def address(self) -> str:
        """The socket, as clients name it."""
        return f"unix:{self.socket}"

    def has_daemon(self) -> bool:
        """Whether a daemon answers on a socket that only this user can have put there."""
        return is_private(self.directory) and answers(self.socket)


def own_daemon_files(local_dir: str) -> OwnDaemonFiles:
    """Return the files of the daemon that has this process's settings and works on `local_dir`."""
    settings = {
        name: value
        for name, value in os.environ.items()
        if name in _other_settings
        or (name.startswith(_setting_prefixes) and name not in _client_settings)
    }
    # Without that variable a daemon may work on its one local directory only.
    if not settings.get("COMPILE_CACHE_ALLOWED_DIRS"):
        settings["local_dir"] = local_dir
    name = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
    return OwnDaemonFiles(user_socket().parent, name)


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
