"""Starts of a daemon where something is in the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from compilecache import CacheServiceError
from compilecache._base.forks import no_fork
from compilecache._daemon import launch, own_daemon
from compilecache._daemon.start import ensure_daemon
from daemon import daemons_of
from patience import LONG_ENOUGH_SECONDS
from repository import node
from started import ELSEWHERE, daemon_at, daemon_for

if TYPE_CHECKING:
    pass


pytestmark = pytest.mark.daemon


_alone = f"from compilecache._daemon import address; address.SYSTEM_SOCKET = {ELSEWHERE!r}"


def test_a_daemon_that_cannot_start_says_why(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPILE_CACHE_STORE", "ftp://store")
    # It is not tried again and again until time is up: the words would be others.
    with pytest.raises(CacheServiceError) as failure:
        daemon_for(runtime / "local")
    assert str(failure.value).startswith(
        'UNAVAILABLE: the daemon does not start: COMPILE_CACHE_STORE: "ftp://store" is not a store'
    )


def _stand_in_for_node(runtime: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = runtime / "stand-in"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("COMPILE_CACHE_NODE", str(program))


def test_a_program_that_ends_at_once_is_not_waited_for(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stand_in_for_node(runtime, monkeypatch, "echo not for this machine; exit 1")
    with pytest.raises(CacheServiceError, match="does not start: not for this machine"):
        daemon_for(runtime / "local")


def test_one_that_is_killed_as_it_starts_is_started_anew(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = f"mkdir {runtime}/killed 2> {os.devnull} && kill -9 $$"
    _stand_in_for_node(runtime, monkeypatch, f'{killed}; exec {node} "$@"')
    daemon_for(runtime / "local")
    assert (runtime / "killed").exists()
    assert len(daemons_of(runtime)) == 1


def test_a_program_that_is_packed_with_its_python_starts_one_too(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", "/nowhere/program")
    daemon_for(runtime / "local")
    assert len(daemons_of(runtime)) == 1


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
    runtime: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", "/nowhere/ca.pem")
    pid = daemon_at(daemon_for(runtime / "local"))
    variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    assert f"{variable}={value}".encode() not in variables
    assert b"NODE_EXTRA_CA_CERTS=/nowhere/ca.pem" in variables


def test_no_fork_falls_into_its_start(runtime: Path) -> None:
    """Its child would hold what is read to the end of the start."""
    starting = Thread(target=daemon_for, args=(runtime / "local",))
    with no_fork():
        starting.start()
        time.sleep(0.7)
        assert daemons_of(runtime) == []
    starting.join()
    assert len(daemons_of(runtime)) == 1


def test_a_daemon_that_hangs_is_waited_for_no_longer_than_asked(runtime: Path) -> None:
    pid = daemon_at(daemon_for(runtime / "local"))
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(CacheServiceError, match="does not answer in time"):
        ensure_daemon(runtime / "local", timeout_seconds=1)
    os.kill(pid, signal.SIGCONT)


def test_starts_elsewhere_where_others_may_put_a_socket(runtime: Path) -> None:
    (runtime / "compilecache").mkdir()
    (runtime / "compilecache").chmod(0o777)
    address = daemon_for(runtime / "local")
    assert not address.startswith(f"unix:{runtime}/compilecache")
    assert address == daemon_for(runtime / "local")
    assert len(daemons_of(runtime)) == 1


def test_where_no_socket_can_be_it_says_which_places_were_tried(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = runtime / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    monkeypatch.setattr(
        own_daemon, "own_daemon_directories", lambda: [shared, Path("/proc/nowhere")]
    )
    with pytest.raises(CacheServiceError) as failure:
        daemon_for(runtime / "local")
    assert f"tried {shared} (not this user's alone), /proc/nowhere (" in str(failure.value)


def test_directories_that_a_socket_s_address_cannot_name_are_passed_over(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses: set[str] = set()
    odd = runtime
    for name in ("a,b", "a b", "a%41", "größe", "x" * 100):
        odd = odd / name
        odd.mkdir()
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(odd))
        addresses.add(daemon_for(odd / "local"))
    assert len(addresses) == len(daemons_of(runtime)) == 1


def test_starts_where_children_are_not_waited_for(runtime: Path) -> None:
    program = (
        f"{_alone}; import signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN);"
        "from compilecache._daemon.start import ensure_daemon;"
        f"print(ensure_daemon(sys.argv[1], timeout_seconds={LONG_ENOUGH_SECONDS}))"
    )
    command = [sys.executable, "-c", program, str(runtime / "local")]
    first, second = (subprocess.check_output(command, text=True) for _ in range(2))
    assert first == second
    assert len(daemons_of(runtime)) == 1


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("COMPILE_CACHE_NODE", "/nowhere/node", "COMPILE_CACHE_NODE"),
        ("COMPILE_CACHE_NODE", "", r"pip install compilecache\[server\]"),
    ],
)
def test_without_node_it_says_what_to_do(
    runtime: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    old = runtime / "node"
    old.write_text("#!/bin/sh\necho v20.1.0\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(runtime))
    monkeypatch.setenv(variable, value)
    with pytest.raises(CacheServiceError, match=words):
        daemon_for(runtime / "local")


def test_starts_where_there_is_no_shell(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_shell", "/nowhere/sh")
    pid = daemon_at(daemon_for(runtime / "local"))
    assert daemons_of(runtime) == [pid]
