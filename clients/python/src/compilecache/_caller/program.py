"""What runs in the process that `_caller.process` starts: one call to the daemon.

Reads the call, a line of JSON, from standard input, and writes answers, a line each, to standard
output. It ends when the process that started it does, and with it the call.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import asdict
from typing import Any

from compilecache.environment import Environment
from compilecache.exceptions import CacheServiceError


def main() -> None:
    """Make the call, and end."""
    call = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_the_caller, daemon=True).start()
    try:
        _make(**call)
        _write({"end": True})
    except CacheServiceError as error:
        _write({"error": [error.code, error.reason, error.message]})
    # Such as a package that is missing or too old. The caller logs it; this process has no log.
    except Exception as error:
        _write({"error": ["INTERNAL", None, f"{type(error).__name__}: {error}"]})
    # Without waiting for the connection to close.
    os._exit(0)


def _make(
    address: str,
    operation: str,
    arguments: dict[str, Any],
    environment: dict[str, Any],
    watch: bool,
) -> None:
    from compilecache._caller.operations import Call, operations
    from compilecache._rpc.client import CacheClient

    call = Call(CacheClient(address), Environment(**environment), arguments, watch)
    for answer in operations[operation](call):
        _write({"answer": asdict(answer)})


def _write(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _end_with_the_caller() -> None:
    sys.stdin.buffer.read()
    os._exit(0)
