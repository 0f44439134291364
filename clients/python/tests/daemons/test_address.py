from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from compilecache._daemon import address
from compilecache._daemon.address import SYSTEM_SOCKET, default_address, user_socket
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


def _touch(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    path.touch()
    return path


def test_the_variable_comes_first(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    _touch(place / "system.sock")
    monkeypatch.setenv("COMPILE_CACHE_ADDRESS", "localhost:7000")
    assert default_address() == "localhost:7000"


def test_the_system_s_socket_comes_before_the_user_s(place: Path) -> None:
    user_socket = _touch(place / "runtime" / "compilecache" / "compilecache.sock")
    assert default_address() == f"unix:{user_socket}"
    system_socket = _touch(place / "system.sock")
    assert default_address() == f"unix:{system_socket}"


def test_the_user_s_socket_in_another_s_directory_is_not_trusted(
    monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    _touch(place / "runtime" / "compilecache" / "compilecache.sock")
    monkeypatch.setattr("os.getuid", lambda: 12345)
    assert default_address() == f"unix:{place}/system.sock"


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
