from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from compilecache import CacheServiceError
from compilecache._base.forks import no_fork
from compilecache._daemon import address as daemon_address
from compilecache._daemon import own_daemon
from compilecache._daemon.start import ensure_daemon
from daemon import daemons_of
from patience import LONG_ENOUGH_SECONDS, wait_until
from repository import need_node, node

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.daemon

_racers = 32
_kills = 6

# This machine may have a daemon of its own.
_nowhere = "/nowhere/daemon.sock"
_alone = f"from compilecache._daemon import address; address.SYSTEM_SOCKET = {_nowhere!r}"

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


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's runtime directory, and his home; daemons that were started there are killed."""
    need_node()
    with tempfile.TemporaryDirectory() as made:
        monkeypatch.setenv("XDG_RUNTIME_DIR", made)
        monkeypatch.setenv("COMPILE_CACHE_NODE", str(node))
        monkeypatch.setenv("B10FS_CACHE_DIR", f"{made}/store")
        monkeypatch.delenv("COMPILE_CACHE_STORE", raising=False)
        monkeypatch.setattr(daemon_address, "SYSTEM_SOCKET", _nowhere)
        yield Path(made)
        for pid in daemons_of(made):
            os.kill(pid, signal.SIGKILL)


def _daemon_at(address: str) -> int:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address[len("unix:") :])
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    pid: int = struct.unpack("3i", credentials)[0]
    return pid


def _answers(directory: Path) -> bool:
    for path in (directory / "compilecache").glob("*.sock"):
        with contextlib.suppress(OSError):
            return bool(_daemon_at(f"unix:{path}"))
    return False


def _greet(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.send(b"\0")


def _wait_until_gone(pid: int) -> None:
    wait_until(lambda: not _is_running(pid), f"the end of process {pid}")


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


def _daemon_for(local_dir: Path) -> str:
    return ensure_daemon(local_dir, timeout_seconds=LONG_ENOUGH_SECONDS)


def test_starts_a_daemon_that_the_next_call_finds(directory: Path) -> None:
    address = _daemon_for(directory / "local")
    assert _daemon_for(directory / "local") == address
    assert daemons_of(directory) == [_daemon_at(address)]


def test_starts_exactly_one_however_many_ask_while_it_is_killed(directory: Path) -> None:
    over = directory / "over"
    racers = subprocess.Popen(
        [sys.executable, "-c", _race, str(directory / "local"), str(over)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    seen: set[int] = set()
    kills = 0
    next_kill = time.monotonic() + 2
    deadline = next_kill + LONG_ENOUGH_SECONDS
    while racers.poll() is None:
        found = daemons_of(directory)
        assert len(found) <= 1
        seen.update(found)
        # Every third is killed while it starts.
        if found and (kills % 3 == 2 or (_answers(directory) and time.monotonic() > next_kill)):
            os.kill(found[0], signal.SIGKILL)
            _wait_until_gone(found[0])
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


def test_uses_the_daemon_of_the_default_socket(directory: Path) -> None:
    (directory / "compilecache").mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{directory}/compilecache/compilecache.sock")
        listener.listen()
        listener.settimeout(LONG_ENOUGH_SECONDS)
        greeting = Thread(target=_greet, args=(listener,))
        greeting.start()
        assert ensure_daemon() == f"unix:{directory}/compilecache/compilecache.sock"
        greeting.join()
    assert daemons_of(directory) == []


def test_an_address_that_is_configured_is_taken_as_it_is(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPILE_CACHE_ADDRESS", "cache.example:4317")
    assert ensure_daemon() == "cache.example:4317"
    assert daemons_of(directory) == []


def test_other_settings_are_anotherdaemons_of(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = {_daemon_for(directory / "local"), _daemon_for(directory / "other")}
    monkeypatch.setenv("COMPILE_CACHE_STORE", f"file://{directory}/another-store")
    addresses.add(_daemon_for(directory / "local"))
    assert len(addresses) == 3
    # The client's own settings are none of the daemon's.
    monkeypatch.setenv("COMPILE_CACHE_LOAD_DEADLINE_SECONDS", "5")
    monkeypatch.setenv("COMPILE_CACHE_SAVE_DEADLINE_SECONDS", "50")
    addresses.add(_daemon_for(directory / "local"))
    assert len(daemons_of(directory)) == len(addresses) == 3


def test_one_daemon_serves_all_directories_that_are_allowed(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPILE_CACHE_ALLOWED_DIRS", f"{directory}/local,{directory}/other")
    assert _daemon_for(directory / "local") == _daemon_for(directory / "other")


def test_it_ends_when_it_is_not_used(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPILE_CACHE_IDLE_EXIT_SECONDS", "1")
    pid = _daemon_at(_daemon_for(directory / "local"))
    _wait_until_gone(pid)


def test_a_daemon_that_cannot_start_says_why(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPILE_CACHE_STORE", "ftp://store")
    # It is not tried again and again until time is up: the words would be others.
    with pytest.raises(CacheServiceError) as failure:
        _daemon_for(directory / "local")
    assert str(failure.value).startswith(
        'UNAVAILABLE: the daemon does not start: COMPILE_CACHE_STORE: "ftp://store" is not a store'
    )


def _stand_in_for_node(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = directory / "stand-in"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("COMPILE_CACHE_NODE", str(program))


def test_a_program_that_ends_at_once_is_not_waited_for(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stand_in_for_node(directory, monkeypatch, "echo not for this machine; exit 1")
    with pytest.raises(CacheServiceError, match="does not start: not for this machine"):
        _daemon_for(directory / "local")


def test_one_that_is_killed_as_it_starts_is_started_anew(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = f"mkdir {directory}/killed 2> {os.devnull} && kill -9 $$"
    _stand_in_for_node(directory, monkeypatch, f'{killed}; exec {node} "$@"')
    _daemon_for(directory / "local")
    assert (directory / "killed").exists()
    assert len(daemons_of(directory)) == 1


def test_a_program_that_is_packed_with_its_python_starts_one_too(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", "/nowhere/program")
    _daemon_for(directory / "local")
    assert len(daemons_of(directory)) == 1


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NODE_OPTIONS", "--require /nowhere/hook.js"),
        ("NODE_OPTIONS", "--no-such-option"),
        # A Node that has one and finds no channel there ends at once.
        ("NODE_CHANNEL_FD", "99"),
        ("NODE_ICU_DATA", "/nowhere"),
        ("NODE_V8_COVERAGE", "/nowhere/coverage"),
        ("npm_lifecycle_event", "npx"),
        ("LD_PRELOAD", "/nowhere/profiler.so"),
    ],
)
def test_what_the_model_tells_other_programs_is_not_for_the_daemon(
    directory: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", "/nowhere/ca.pem")
    pid = _daemon_at(_daemon_for(directory / "local"))
    variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    assert f"{variable}={value}".encode() not in variables
    assert b"NODE_EXTRA_CA_CERTS=/nowhere/ca.pem" in variables


def test_no_fork_falls_into_its_start(directory: Path) -> None:
    """Its child would hold what is read to the end of the start."""
    starting = Thread(target=_daemon_for, args=(directory / "local",))
    with no_fork():
        starting.start()
        time.sleep(0.7)
        assert daemons_of(directory) == []
    starting.join()
    assert len(daemons_of(directory)) == 1


def test_a_daemon_that_hangs_is_waited_for_no_longer_than_asked(directory: Path) -> None:
    pid = _daemon_at(_daemon_for(directory / "local"))
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(CacheServiceError, match="does not answer in time"):
        ensure_daemon(directory / "local", timeout_seconds=1)
    os.kill(pid, signal.SIGCONT)


def test_starts_elsewhere_where_others_may_put_a_socket(directory: Path) -> None:
    (directory / "compilecache").mkdir()
    (directory / "compilecache").chmod(0o777)
    address = _daemon_for(directory / "local")
    assert not address.startswith(f"unix:{directory}/compilecache")
    assert address == _daemon_for(directory / "local")
    assert len(daemons_of(directory)) == 1


def test_where_no_socket_can_be_it_says_which_places_were_tried(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = directory / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    monkeypatch.setattr(own_daemon, "_directories", lambda: [shared, Path("/proc/nowhere")])
    with pytest.raises(CacheServiceError) as failure:
        _daemon_for(directory / "local")
    assert f"tried {shared} (not this user's alone), /proc/nowhere (" in str(failure.value)


def test_directories_that_a_socket_s_address_cannot_name_are_passed_over(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a,b", "a b", "a%41", "größe", "x" * 100):
        runtime = directory / name
        runtime.mkdir()
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
        _daemon_for(directory / "local")
    assert len(daemons_of(directory)) == 1


def test_starts_where_children_are_not_waited_for(directory: Path) -> None:
    program = (
        f"{_alone}; import signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN);"
        "from compilecache._daemon.start import ensure_daemon;"
        f"print(ensure_daemon(sys.argv[1], timeout_seconds={LONG_ENOUGH_SECONDS}))"
    )
    command = [sys.executable, "-c", program, str(directory / "local")]
    first, second = (subprocess.check_output(command, text=True) for _ in range(2))
    assert first == second
    assert len(daemons_of(directory)) == 1


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("COMPILE_CACHE_NODE", "/nowhere/node", "COMPILE_CACHE_NODE"),
        ("COMPILE_CACHE_NODE", "", r"pip install compilecache\[server\]"),
    ],
)
def test_without_node_it_says_what_to_do(
    directory: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    old = directory / "node"
    old.write_text("#!/bin/sh\necho v20.1.0\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(directory))
    monkeypatch.setenv(variable, value)
    with pytest.raises(CacheServiceError, match=words):
        _daemon_for(directory / "local")
