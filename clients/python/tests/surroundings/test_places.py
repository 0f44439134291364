"""The rules that the daemon and the TypeScript client have, too: test/vectors/places.json."""

from __future__ import annotations

import os
import pwd
import tempfile
from pathlib import Path
from typing import Any

import pytest

from compilecache import CacheClient, CacheServiceError
from compilecache._base.local_directory import resolve_local_directory
from compilecache._daemon.address import user_socket
from compilecache._rpc.address import parse_address
from daemon import Daemon
from repository import read_vectors

_vectors = read_vectors("places")
_variables = [
    "TORCH_CACHE_DIR",
    "TORCHINDUCTOR_CACHE_DIR",
    "TMPDIR",
    "TEMP",
    "TMP",
    "LOGNAME",
    "USER",
    "LNAME",
    "USERNAME",
    "XDG_RUNTIME_DIR",
]


def _named(vectors: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(vector, id=vector["name"]) for vector in vectors]


def _arrange(place: dict[str, Any], monkeypatch: pytest.MonkeyPatch, root: str) -> str:
    """Make what surrounds the process in a case; return what is expected."""
    for name in ["cwd", *place.get("directories", [])]:
        Path(root, name).mkdir(parents=True, exist_ok=True)
    for name in place.get("files", []):
        Path(root, name).touch()
    for name in place.get("links", []):
        Path(root, name).symlink_to("cwd")
    monkeypatch.chdir(Path(root, "cwd"))
    uid = place.get("uid", os.getuid())
    monkeypatch.setattr(os, "getuid", lambda: uid)

    def account(_uid: int) -> tuple[str]:
        if place.get("account") is None:
            raise KeyError("getpwuid(): uid not found")
        return (place["account"],)

    monkeypatch.setattr(pwd, "getpwuid", account)
    monkeypatch.setattr(tempfile, "tempdir", None)

    def filled(text: str) -> str:
        return text.replace("<root>", root).replace("<uid>", str(uid))

    for name in _variables:
        monkeypatch.delenv(name, raising=False)
    for name, text in place["environment"].items():
        monkeypatch.setenv(name, filled(text))
    return filled(place["expected"])


@pytest.mark.parametrize("place", _named(_vectors["local_directory"]))
def test_the_local_directory_is_where_torch_has_it(
    place: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as root, monkeypatch.context() as patch:
        expected = _arrange(place, patch, root)
        assert resolve_local_directory(None) == expected


@pytest.mark.parametrize("place", _named(_vectors["user_socket"]))
def test_the_user_s_own_socket_is_where_all_look_for_it(
    place: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as root, monkeypatch.context() as patch:
        expected = _arrange(place, patch, root)
        assert str(user_socket()) == expected


@pytest.mark.parametrize("vector", _vectors["address"], ids=lambda vector: repr(vector["text"]))
def test_an_address_is_taken_as_it_is_meant_or_refused_in_words(vector: dict[str, Any]) -> None:
    if vector["expected"] is not None:
        assert parse_address(vector["text"]) == vector["expected"]
        return
    with pytest.raises(CacheServiceError) as error:
        parse_address(vector["text"])
    assert error.value.reason == "INVALID_REQUEST"
    assert "COMPILE_CACHE_ADDRESS" in error.value.message


def test_a_socket_s_path_may_hold_any_sign_but_a_comma() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as root:
        odd = Path(root, "a b%41#?=ü")
        odd.mkdir()
        with Daemon(odd) as daemon, CacheClient(daemon.address) as client:
            assert not client.list_caches().caches
