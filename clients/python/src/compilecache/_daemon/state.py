"""What a daemon says of itself in a file beside its socket, `<socket>.json`."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_most_bytes = 64 * 1024


@dataclass(frozen=True)
class DaemonState:
    """The part of it that decides which daemon calls go to."""

    store: str
    """`file://` and a path, or `s3://bucket/prefix`."""
    is_stopping: bool
    """Whether it takes no new work, and finishes what runs."""


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
