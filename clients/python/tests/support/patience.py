"""How long tests wait for what must come: long enough for a machine that is busy with other work.

A test that passes waits no longer than it has to, so none has a limit of its own.
"""

from __future__ import annotations

import time
from typing import Callable

LONG_ENOUGH_SECONDS = 240.0


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds; fail with what was waited for."""
    deadline = time.monotonic() + LONG_ENOUGH_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.02)
