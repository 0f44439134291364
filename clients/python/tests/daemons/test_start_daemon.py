from __future__ import annotations

import contextlib
import json
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

from compilecache import CacheClient, Environment
from compilecache._daemon.find import default_address
from compilecache._daemon.start import ensure_daemon
from daemon import daemons_of
from directories import fill
from patience import LONG_ENOUGH_SECONDS, wait_until
from started import ELSEWHERE, daemon_at, daemon_for, wait_until_gone

if TYPE_CHECKING:
    pass


pytestmark = pytest.mark.daemon

_alone = f"from compilecache._daemon import address; address.SYSTEM_SOCKET = {ELSEWHERE!r}"


# Forks so many that each asks for the daemon again and again, and says what became of it.
_race = f"""
import os, random, sys, time
{_alone}
from compilecache._daemon.start import ensure_daemon
racers = int(sys.argv[3])
for _ in range(racers):
    if os.fork() == 0:
        break
else:
    failed = sum(os.wait()[1] != 0 for _ in range(racers))
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
        # One that closes with something unread has broken the connection.
        connection.recv(4096)
        connection.send(b"\0")


def test_starts_a_daemon_that_the_next_call_finds(runtime: Path) -> None:
    address = daemon_for(runtime / "local")
    assert daemon_for(runtime / "local") == address
    assert daemons_of(runtime) == [daemon_at(address)]


@pytest.mark.parametrize(
    ("racers", "least_kills"), [(8, 3), pytest.param(32, 6, marks=pytest.mark.slow)]
)
def test_starts_exactly_one_however_many_ask_while_it_is_killed(
    runtime: Path, racers: int, least_kills: int
) -> None:
    over = runtime / "over"
    race = subprocess.Popen(
        [sys.executable, "-c", _race, str(runtime / "local"), str(over), str(racers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    seen: set[int] = set()
    kills = 0
    next_kill = time.monotonic() + 2
    deadline = next_kill + LONG_ENOUGH_SECONDS
    while race.poll() is None:
        found = daemons_of(runtime)
        assert len(found) <= 1
        seen.update(found)
        # Every third is killed while it starts.
        if found and (kills % 3 == 2 or (_answers(runtime) and time.monotonic() > next_kill)):
            os.kill(found[0], signal.SIGKILL)
            wait_until_gone(found[0])
            kills += 1
            next_kill = time.monotonic() + random.random() * 3
        if kills >= least_kills or time.monotonic() > deadline:
            over.touch()
        time.sleep(0.03)
    output, errors = race.communicate()
    assert race.returncode == 0, errors
    calls = [int(line) for line in output.split()]
    assert len(calls) == racers
    assert min(calls) > 0
    assert kills >= least_kills
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


def test_one_daemon_serves_all_directories_of_a_store(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = daemon_for(runtime / "local")
    (runtime / "disk").mkdir()
    (runtime / "link").symlink_to("disk")
    for directory in (runtime / "other", runtime / "link" / "model"):
        assert daemon_for(directory) == address
        fill(directory, 2)
        with CacheClient(address) as client:
            client.save(Environment("2.1.0"), local_dir=directory, namespace=directory.name)
            assert client.clear_local_cache(local_dir=directory).file_count == 2
            client.load(Environment("2.1.0"), local_dir=directory, namespace=directory.name)
        assert len([path for path in directory.rglob("*") if path.is_file()]) == 2
    # What decides nothing of what is saved or taken, and what is the client's.
    for variable in ("LOG_LEVEL", "COMPILE_CACHE_LOAD_DEADLINE_SECONDS"):
        monkeypatch.setenv(variable, "5")
    assert daemon_for(runtime / "local") == address
    assert daemons_of(runtime) == [daemon_at(address)]


def test_another_store_and_settings_that_decide_are_anotherdaemons_of(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = {daemon_for(runtime / "local")}
    monkeypatch.setenv("COMPILE_CACHE_ALLOWED_DIRS", f"{runtime}/local")
    addresses.add(daemon_for(runtime / "local"))
    monkeypatch.setenv("COMPILE_CACHE_STORE", f"file://{runtime}/another-store")
    addresses.add(daemon_for(runtime / "local"))
    assert len(daemons_of(runtime)) == len(addresses) == 3


def test_a_client_that_is_given_no_address_finds_it(runtime: Path) -> None:
    address = daemon_for(runtime / "local")
    with CacheClient() as client:
        assert client.get_cache_info(Environment("2.1.0")).store == f"file://{runtime}/store"
    assert default_address() == address


def test_it_ends_when_it_is_not_used(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPILE_CACHE_IDLE_EXIT_SECONDS", "1")
    pid = daemon_at(daemon_for(runtime / "local"))
    wait_until_gone(pid)


def test_what_the_one_before_it_wrote_is_kept(runtime: Path) -> None:
    address = daemon_for(runtime / "local")
    os.kill(daemon_at(address), signal.SIGKILL)
    log = Path(f"{address[len('unix:') : -len('.sock')]}.log")
    wrote = log.read_text()
    assert wrote
    assert daemon_for(runtime / "local") == address
    kept = log.with_suffix(".previous.log")
    assert kept.read_text() == wrote
    assert kept.stat().st_mode & 0o777 == 0o600


def test_it_says_which_daemon_it_is_until_it_ends(runtime: Path) -> None:
    address = daemon_for(runtime / "local")
    pid = daemon_at(address)
    beside = Path(f"{address[len('unix:') :]}.json")
    wait_until(beside.exists, "what it says of itself")
    said = json.loads(beside.read_text())
    assert said["pid"] == pid
    assert said["store"] == f"file://{runtime}/store"
    assert said["log"] == str(beside).replace(".sock.json", ".log")
    assert said["started_by"].startswith(f"Python, process {os.getpid()}")
    os.kill(pid, signal.SIGTERM)
    wait_until_gone(pid)
    assert not beside.exists()
