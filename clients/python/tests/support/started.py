"""Daemons that the package starts, as a test looks at them."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

from compilecache._daemon.start import ensure_daemon
from patience import LONG_ENOUGH_SECONDS, wait_until

ELSEWHERE = "/nowhere/daemon.sock"
"""The system's socket in these tests: this machine may have a daemon of its own."""


def daemon_at(address: str) -> int:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address[len("unix:") :])
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    pid: int = struct.unpack("3i", credentials)[0]
    return pid


def wait_until_gone(pid: int) -> None:
    wait_until(lambda: not _is_running(pid), f"the end of process {pid}")


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


def daemon_for(local_dir: Path) -> str:
    return ensure_daemon(local_dir, timeout_seconds=LONG_ENOUGH_SECONDS)
