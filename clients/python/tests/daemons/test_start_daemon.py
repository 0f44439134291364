from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from compilecache._daemon.start import ensure_daemon
from daemon import daemons_of
from patience import LONG_ENOUGH_SECONDS
from started import ELSEWHERE, daemon_at, daemon_for, wait_until_gone

if TYPE_CHECKING:
    pass


pytestmark = pytest.mark.daemon

_racers = 32

_kills = 6


_alone = f"from compilecache._daemon import address; address.SYSTEM_SOCKET = {ELSEWHERE!r}"


# Forks so many that each asks for the daemon again and again, and says what became of it.
_race = f"""
import os, random, sys, time
{_alone}
from compilecache._daemon.start import ensure_daemon
for _ in range({_racers}):
    if os.fork() == 0:
        break
else:
    failed = sum(os.wait()[1] != 0 for _ in range({_racers}))
    sys.exit(f"{{failed}} racers failed" if failed else 0)
calls = 0
while not os.path.exists(sys.argv[2]):
    ensure_daemon(sys.argv[1], timeout_seconds={LONG_ENOUGH_SECONDS})
    calls += 1
    time.sleep(random.random() / 4)
sys.stdout.write(f"{{calls}}\\n")
"""


def _answers(runtime: Path) -> bool:
    for path in (runtime / "compilecache").glob("*.sock"):
        with contextlib.suppress(OSError):
            return bool(daemon_at(f"unix:{path}"))
    return False


def _greet(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.send(b"\0")


def test_starts_a_daemon_that_the_next_call_finds(runtime: Path) -> None:
    address = daemon_for(runtime / "local")
    assert daemon_for(runtime / "local") == address
    assert daemons_of(runtime) == [daemon_at(address)]


def test_starts_exactly_one_however_many_ask_while_it_is_killed(runtime: Path) -> None:
    over = runtime / "over"
    racers = subprocess.Popen(
        [sys.executable, "-c", _race, str(runtime / "local"), str(over)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    seen: set[int] = set()
    kills = 0
    next_kill = time.monotonic() + 2
    deadline = next_kill + LONG_ENOUGH_SECONDS
    while racers.poll() is None:
        found = daemons_of(runtime)
        assert len(found) <= 1
        seen.update(found)
        # Every third is killed while it starts.
        if found and (kills % 3 == 2 or (_answers(runtime) and time.monotonic() > next_kill)):
            os.kill(found[0], signal.SIGKILL)
            wait_until_gone(found[0])
            kills += 1
            next_kill = time.monotonic() + random.random() * 3
        if kills >= _kills or time.monotonic() > deadline:
            over.touch()
        time.sleep(0.03)
    output, errors = racers.communicate()
    assert racers.returncode == 0, errors
    calls = [int(line) for line in output.split()]
    assert len(calls) == _racers
    assert min(calls) > 0
    assert kills >= _kills
    assert kills <= len(seen) <= kills + 1


def test_uses_the_daemon_of_the_default_socket(runtime: Path) -> None:
    (runtime / "compilecache").mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{runtime}/compilecache/compilecache.sock")
        listener.listen()
        listener.settimeout(LONG_ENOUGH_SECONDS)
        greeting = Thread(target=_greet, args=(listener,))
        greeting.start()
        assert ensure_daemon() == f"unix:{runtime}/compilecache/compilecache.sock"
        greeting.join()
    assert daemons_of(runtime) == []


def test_an_address_that_is_configured_is_taken_as_it_is(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPILE_CACHE_ADDRESS", "cache.example:4317")
    assert ensure_daemon() == "cache.example:4317"
    assert daemons_of(runtime) == []


def test_other_settings_are_anotherdaemons_of(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = {daemon_for(runtime / "local"), daemon_for(runtime / "other")}
    monkeypatch.setenv("COMPILE_CACHE_STORE", f"file://{runtime}/another-store")
    addresses.add(daemon_for(runtime / "local"))
    assert len(addresses) == 3
    # The client's own settings are none of the daemon's.
    monkeypatch.setenv("COMPILE_CACHE_LOAD_DEADLINE_SECONDS", "5")
    monkeypatch.setenv("COMPILE_CACHE_SAVE_DEADLINE_SECONDS", "50")
    addresses.add(daemon_for(runtime / "local"))
    assert len(daemons_of(runtime)) == len(addresses) == 3


def test_one_daemon_serves_all_directories_that_are_allowed(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPILE_CACHE_ALLOWED_DIRS", f"{runtime}/local,{runtime}/other")
    assert daemon_for(runtime / "local") == daemon_for(runtime / "other")


def test_it_ends_when_it_is_not_used(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPILE_CACHE_IDLE_EXIT_SECONDS", "1")
    pid = daemon_at(daemon_for(runtime / "local"))
    wait_until_gone(pid)
