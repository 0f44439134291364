"""Calls to a daemon of our own that ends, or has ended, when they come."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
from pathlib import Path
from typing import Callable

import pytest

import compilecache
from compilecache import Environment, SaveStatus
from compilecache._calls import request
from compilecache._daemon.own_daemon import OwnDaemonFiles
from directories import fill
from started import daemon_at, daemon_for, wait_until_gone

_environment = Environment("2.11.0")


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    wait_until_gone(pid)


def _kill_once_called(pid: int) -> None:
    # It takes the call no more, but the kernel still does.
    os.kill(pid, signal.SIGSTOP)
    threading.Timer(0.5, os.kill, (pid, signal.SIGKILL)).start()


@pytest.mark.daemon
@pytest.mark.parametrize("end", [_kill, _kill_once_called])
def test_a_call_is_made_again_to_a_fresh_daemon_of_our_own(
    runtime: Path, monkeypatch: pytest.MonkeyPatch, end: Callable[[int], None]
) -> None:
    local = runtime / "local"
    fill(local)
    found: list[int] = []

    def found_and_ended(local_dir: str) -> str:
        address = daemon_for(Path(local_dir))
        found.append(daemon_at(address))
        if len(found) == 1:
            end(found[0])
        return address

    monkeypatch.setattr(request, "ensure_daemon", found_and_ended)
    saved = compilecache.save_compile_cache(environment=_environment, local_dir=local)
    assert saved is SaveStatus.SUCCESS
    first, second = found
    assert first != second


def test_a_daemon_at_a_given_address_is_not_tried_again(tmp_path: Path) -> None:
    fill(tmp_path / "local")
    saved = compilecache.save_compile_cache(
        environment=_environment,
        local_dir=tmp_path / "local",
        address=f"unix:{tmp_path}/none.sock",
    )
    assert saved is SaveStatus.ERROR


def test_a_daemon_that_stops_is_not_taken(tmp_path: Path) -> None:
    files = OwnDaemonFiles(tmp_path, "own")
    tmp_path.chmod(0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(files.socket))
        listener.listen()
        for told, expected in (({}, True), ({"stopping_since": "2026-01-01T00:00:00Z"}, False)):
            state = Path(f"{files.socket}.json")
            state.write_text(json.dumps({"store": "file:///store", **told}))
            greeting = threading.Thread(target=_greet, args=(listener,))
            greeting.start()
            assert files.has_daemon() is expected
            if not expected:
                with socket.socket(socket.AF_UNIX) as last:
                    last.connect(str(files.socket))
            greeting.join()


def _greet(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    # The last one comes to wake this, and leaves at once.
    with connection, contextlib.suppress(OSError):
        # One that closes with something unread has broken the connection.
        connection.recv(4096)
        connection.send(b"\0")
