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
from typing import TYPE_CHECKING, Any, Callable

from compilecache.environment import Environment
from compilecache.exceptions import CacheServiceError

if TYPE_CHECKING:
    from compilecache._rpc.client import CacheClient

Write = Callable[[dict[str, Any]], None]


def main() -> None:
    """Make the call, and end."""
    call = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_the_caller, daemon=True).start()
    make_call(call, _write)
    # Without waiting for the connection to close.
    os._exit(0)


def make_call(
    call: dict[str, Any], write: Write, on_client: Callable[[CacheClient], object] | None = None
) -> None:
    """Make a call and write its answers, the last of which says that it has ended, or why.

    `on_client` gets what makes it; when that is closed, the call ends.
    """
    try:
        _make(write, on_client, **call)
        write({"end": True})
    except CacheServiceError as error:
        write({"error": [error.code, error.reason, error.message]})
    # Such as a package that is missing or too old. The caller logs it; this process has no log.
    except Exception as error:
        write({"error": ["INTERNAL", None, f"{type(error).__name__}: {error}"]})


def _make(
    write: Write,
    on_client: Callable[[CacheClient], object] | None,
    address: str,
    operation: str,
    arguments: dict[str, Any],
    environment: dict[str, Any],
    watch: bool,
) -> None:
    from compilecache._caller.operations import Call, operations
    from compilecache._rpc.client import CacheClient

    client = CacheClient(address)
    if on_client:
        on_client(client)
    call = Call(client, Environment(**environment), arguments, watch)
    for answer in operations[operation](call):
        write({"answer": asdict(answer)})


def _write(line: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(line).encode() + b"\n")
    sys.stdout.buffer.flush()


def _end_with_the_caller() -> None:
    sys.stdin.buffer.read()
    os._exit(0)
