"""What a daemon says of itself in a file beside its socket, `<socket>.json`."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_most_bytes = 64 * 1024


@dataclass(frozen=True)
class DaemonState:
    """The part of it that decides which daemon calls go to."""

    store: str
    """`file://` and a path, or `s3://bucket/prefix`."""
    is_stopping: bool
    """Whether it takes no new work, and finishes what runs."""


def store_of(address: str) -> str | None:
    """Return the store of the daemon at an address; None where that is no socket of this machine.

    None as well where its directory is another container's, or not for this user.
    """
    if not address.startswith("unix:"):
        return None
    state = read_state(Path(address[len("unix:") :]))
    return state.store if state else None


def read_state(socket_path: Path) -> DaemonState | None:
    """Return what the daemon of a socket says; None where it says nothing, or nothing of sense."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        # A pipe would be waited for.
        descriptor = os.open(f"{socket_path}.json", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            found: Any = json.loads(file.read(_most_bytes))
        store = found["store"]
        if isinstance(store, str):
            return DaemonState(store, found.get("stopping_since") is not None)
    return None
