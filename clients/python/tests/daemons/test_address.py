from __future__ import annotations

import json
import os
import socket
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest

from compilecache._daemon import address
from compilecache._daemon.address import SYSTEM_SOCKET, user_socket
from compilecache._daemon.find import default_address, running_address
from compilecache._daemon.own_daemon import own_daemon_files
from directories import temporary_directory

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where sockets are looked for: `system.sock`, and those below `runtime`."""
    with temporary_directory() as directory:
        made = Path(directory)
        monkeypatch.setattr(address, "SYSTEM_SOCKET", str(made / "system.sock"))
        (made / "runtime").mkdir()
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(made / "runtime"))
        yield made


Listen = Callable[[Path], Path]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Listen on a socket, and greet the first who connects, as a daemon does."""
    with ExitStack() as opened:

        def start(path: Path) -> Path:
            path.parent.mkdir(mode=0o700, exist_ok=True, parents=True)
            listener = opened.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(str(path))
            listener.listen()
            threading.Thread(target=greet, args=(listener,), daemon=True).start()
            return path

        def greet(listener: socket.socket) -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        # What is left unread would break the connection too early.
                        connection.recv(64)
                        connection.send(b"\0")

        yield start


def _say(path: Path, **state: object) -> None:
    Path(f"{path}.json").write_text(json.dumps(state))


def test_the_variable_comes_first(
    monkeypatch: pytest.MonkeyPatch, place: Path, listen: Listen
) -> None:
    listen(place / "system.sock")
    monkeypatch.setenv("COMPILE_CACHE_ADDRESS", "localhost:7000")
    assert default_address() == "localhost:7000"


def test_the_system_s_socket_comes_before_the_user_s(place: Path, listen: Listen) -> None:
    user_socket = listen(place / "runtime" / "compilecache" / "compilecache.sock")
    assert default_address() == f"unix:{user_socket}"
    system_socket = listen(place / "system.sock")
    assert default_address() == f"unix:{system_socket}"


def test_the_user_s_socket_in_another_s_directory_is_not_trusted(
    monkeypatch: pytest.MonkeyPatch, place: Path, listen: Listen
) -> None:
    listen(place / "runtime" / "compilecache" / "compilecache.sock")
    monkeypatch.setattr("os.getuid", lambda: 12345)
    assert default_address() == f"unix:{place}/system.sock"


def test_then_comes_the_daemon_that_this_package_started(place: Path, listen: Listen) -> None:
    own = listen(own_daemon_files()[0].socket)
    assert default_address() == f"unix:{own}"
    user = listen(place / "runtime" / "compilecache" / "compilecache.sock")
    assert default_address() == f"unix:{user}"


def test_a_socket_that_a_killed_daemon_left_is_passed_over(place: Path, listen: Listen) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(place / "system.sock"))
    user = listen(place / "runtime" / "compilecache" / "compilecache.sock")
    assert default_address() == running_address() == f"unix:{user}"


def test_a_daemon_of_another_store_than_is_named_is_passed_over_with_one_warning(
    monkeypatch: pytest.MonkeyPatch,
    place: Path,
    listen: Listen,
    caplog: pytest.LogCaptureFixture,
) -> None:
    system = listen(place / "system.sock")
    (place / "link").symlink_to(place / "store")
    _say(system, store=f"file://{place}/store")
    # Who names none takes what is there.
    monkeypatch.delenv("COMPILE_CACHE_STORE", raising=False)
    monkeypatch.delenv("B10FS_CACHE_DIR", raising=False)
    assert running_address() == default_address() == f"unix:{system}"
    monkeypatch.setenv("B10FS_CACHE_DIR", f"{place}/link")
    assert running_address() == default_address() == f"unix:{system}"
    assert caplog.messages == []
    monkeypatch.setenv("COMPILE_CACHE_STORE", "s3://bucket/prefix")
    assert running_address() is None
    assert running_address() is None
    assert len(caplog.messages) == 1
    assert f"serves the store file://{place}/store, and this process names s3" in caplog.messages[0]
    own = listen(own_daemon_files()[0].socket)
    assert default_address() == f"unix:{own}"


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "{}", '{"store": 5}', "\udcff"])
def test_what_makes_no_sense_beside_a_socket_says_nothing(
    monkeypatch: pytest.MonkeyPatch, place: Path, listen: Listen, text: str
) -> None:
    system = listen(place / "system.sock")
    Path(f"{system}.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    monkeypatch.setenv("COMPILE_CACHE_STORE", "s3://bucket/prefix")
    assert running_address() == f"unix:{system}"


def test_without_any_socket_the_system_s_is_named(place: Path) -> None:
    assert SYSTEM_SOCKET == "/run/compilecache/compilecache.sock"
    assert default_address() == f"unix:{place}/system.sock"


@pytest.mark.parametrize("directory", ["", "relative", "/nowhere", "/dev/null"])
def test_a_runtime_directory_that_is_none_is_none(
    monkeypatch: pytest.MonkeyPatch, directory: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", directory)
    assert str(user_socket()) == f"/tmp/compilecache-{os.getuid()}/compilecache.sock"


def test_the_runtime_directory_of_another_user_is_none_of_ours(
    monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    assert user_socket() == place / "runtime" / "compilecache" / "compilecache.sock"
    monkeypatch.setattr("os.getuid", lambda: 12345)
    assert str(user_socket()) == "/tmp/compilecache-12345/compilecache.sock"
