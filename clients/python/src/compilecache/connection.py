"""How to reach a daemon: what both clients share."""

from __future__ import annotations

import math
import os
import stat
from dataclasses import dataclass
from pathlib import Path

SYSTEM_SOCKET = "/run/compilecache/compilecache.sock"
# Of calls that move no cache.
SHORT_CALL_SECONDS = 30.0

CHANNEL_OPTIONS: tuple[tuple[str, str | int], ...] = (
    # The daemon is on this node or near; a proxy that is meant for the internet is not the way.
    ("grpc.enable_http_proxy", 0),
    # A daemon that hangs or is cut off ends the call, also while nothing is to be sent.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
)


@dataclass(frozen=True)
class ConnectionSettings:
    """Where a client's daemon is, and what its calls use unless they say otherwise."""

    address: str
    namespace: str
    metadata: tuple[tuple[str, str], ...]
    timeout_seconds: float | None

    def call_timeout_seconds(self, asked: float | None, otherwise: float | None) -> float | None:
        """Return the time-out of a call: what it asks, else the client's, else `otherwise`."""
        for seconds in (asked, self.timeout_seconds, otherwise):
            if seconds is not None:
                return None if math.isinf(seconds) else seconds
        return None


def connection_settings(
    address: str | None,
    namespace: str | None,
    token: str | None,
    timeout_seconds: float | None,
) -> ConnectionSettings:
    """Return a client's settings, with the environment's where an argument is None."""
    if token is None:
        token = os.environ.get("COMPILE_CACHE_TOKEN")
    if namespace is None:
        namespace = os.environ.get("COMPILE_CACHE_NAMESPACE", "")
    return ConnectionSettings(
        address=address or default_address(),
        namespace=namespace,
        metadata=(("authorization", f"Bearer {token}"),) if token else (),
        timeout_seconds=timeout_seconds,
    )


def default_address() -> str:
    """Return where a daemon is expected when nobody says.

    COMPILE_CACHE_ADDRESS, else the system's socket, or the user's where only that one is there.
    """
    configured = os.environ.get("COMPILE_CACHE_ADDRESS")
    if configured:
        return configured
    of_user = user_socket()
    # /tmp is everybody's: a directory that another user made there would hand him our calls.
    if not Path(SYSTEM_SOCKET).exists() and _is_ours(of_user.parent) and of_user.exists():
        return f"unix:{of_user}"
    return f"unix:{SYSTEM_SOCKET}"


def user_socket() -> Path:
    """Return the socket of a daemon that this user runs and that has no right to the system's.

    In XDG_RUNTIME_DIR where that is this user's directory, as it has to be: whoever became another
    user may still have the variable of the first. Else in a directory of /tmp.
    """
    runtime_dir = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    directory = (
        runtime_dir / "compilecache"
        if runtime_dir.is_absolute() and _is_ours(runtime_dir)
        else Path(f"/tmp/compilecache-{os.getuid()}")
    )
    return directory / "compilecache.sock"


def _is_ours(directory: Path) -> bool:
    try:
        found = directory.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
