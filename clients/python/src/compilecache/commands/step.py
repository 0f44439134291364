"""What `compilecache run` does beside its command: a load, or a save once the command is ready.

Each runs in a process of its own, `python -m compilecache.commands.step JSON`, so that the process
that receives the signals has nothing else to do.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
from dataclasses import asdict, dataclass, field
from typing import Any, Callable

from compilecache import load_compile_cache, save_compile_cache
from compilecache._base.readiness import Probe, file_probe, url_probe, wait_until
from compilecache.commands.step_by_node import has_grpc, step_by_node
from compilecache.logger import is_quiet, logger

_interval_seconds = 1.0
_told_after_seconds = 900.0


@dataclass(frozen=True)
class Step:
    """A load or a save, with the arguments of `load_compile_cache` or `save_compile_cache`."""

    operation: str
    arguments: dict[str, Any] = field(default_factory=dict[str, Any])
    ready_url: str = ""
    """A save waits until GET of this gives 200."""
    ready_file: str = ""
    """Or until this file is there, other than it was."""
    ready_file_before: str = ""

    def to_json(self) -> str:
        """Return it as an argument of this module."""
        return json.dumps(asdict(self))


def main() -> None:
    """Do the step that the argument describes. SIGTERM ends the wait, but no save."""
    level = logging.ERROR if is_quiet() else logging.INFO
    logging.basicConfig(level=level, format="compilecache: %(message)s")
    step = Step(**json.loads(sys.argv[1]))
    if step.operation == "load":
        _take(step, load_compile_cache)
        return
    if step.ready_url:
        _wait_until(url_probe(step.ready_url), step.ready_url)
    elif step.ready_file:
        _wait_until(file_probe(step.ready_file, step.ready_file_before), step.ready_file)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _take(step, save_compile_cache)


def _take(step: Step, call: Callable[..., object]) -> None:
    if has_grpc():
        call(**step.arguments)
    else:
        step_by_node(step.operation, step.arguments)


def _wait_until(probe: Probe, what: str) -> None:
    if not wait_until(probe, _interval_seconds, _told_after_seconds):
        logger.warning(
            "still not ready after %.0f min: %s; what is compiled is saved once it is, or else"
            " when the command ends",
            _told_after_seconds / 60,
            what,
        )
        wait_until(probe, _interval_seconds)


if __name__ == "__main__":
    main()
