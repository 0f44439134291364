"""Encryption, and what its settings may not be, with the real daemon."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from compilecache import CacheClient, CacheServiceError
from daemon import Daemon
from directories import temporary_directory
from repository import root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Call

_certificates = root / "test" / "vectors" / "tls"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def encrypted() -> Iterator[str]:
    """The address of a daemon that knows a certificate and a token."""
    with temporary_directory() as directory:
        address = f"127.0.0.1:{_free_port()}"
        configuration = Path(directory) / "config.yaml"
        digest = hashlib.sha256(b"secret").hexdigest()
        configuration.write_text(
            f"""
            listeners:
              - address: {address}
                tls:
                  certificate: {_certificates}/server.crt
                  key: {_certificates}/server.key
                  client_ca: {_certificates}/callers-ca.crt
                rules:
                  - {{to: {{certificate: trainer.example}}, may: [list]}}
                  - {{to: {{token: ci}}, may: [delete]}}
              # It is waited for, and listened on after the other.
              - address: unix:{directory}/daemon.sock
                rules: [{{to: anyone, may: [list]}}]
            tokens:
              - {{name: ci, sha256: {digest}}}
            """
        )
        with Daemon(Path(directory), configuration=configuration):
            yield address


@pytest.fixture
def _as_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "CA": str(_certificates / "server.crt"),
        "CERT": str(_certificates / "trainer.crt"),
        "KEY": f" {_certificates / 'trainer.key'}\n",
        "NAME": "localhost",
    }.items():
        monkeypatch.setenv(f"COMPILE_CACHE_TLS_{name}", value)


@pytest.mark.daemon
@pytest.mark.usefixtures("_as_trainer")
def test_each_side_proves_who_it_is(encrypted: str, call: Call) -> None:
    assert list(call(encrypted, "list_caches").caches) == []
    with pytest.raises(CacheServiceError, match="lacks the right to delete"):
        call(encrypted, "delete_cache", "0" * 12)


@pytest.mark.daemon
@pytest.mark.usefixtures("_as_trainer")
def test_a_token_says_more_than_a_certificate(
    encrypted: str, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPILE_CACHE_TOKEN", "secret")
    with pytest.raises(CacheServiceError, match="the store holds no cache"):
        call(encrypted, "delete_cache", "0" * 12)


@pytest.mark.daemon
@pytest.mark.usefixtures("_as_trainer")
@pytest.mark.parametrize("without", ["CA", "CERT"])
def test_nobody_is_connected_without(
    encrypted: str, call: Call, monkeypatch: pytest.MonkeyPatch, without: str
) -> None:
    names = ["CA", "CERT", "KEY", "NAME"] if without == "CA" else ["CERT", "KEY"]
    for name in names:
        monkeypatch.delenv(f"COMPILE_CACHE_TLS_{name}")
    with pytest.raises(CacheServiceError) as caught:
        call(encrypted, "list_caches")
    assert caught.value.code == "UNAVAILABLE"


def test_a_socket_speaks_no_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPILE_CACHE_TLS_CA", "/nowhere")
    CacheClient("unix:/nowhere.sock").close()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"TLS_NAME": "x"}, "COMPILE_CACHE_TLS_CA is needed"),
        ({"TLS_CA": "system", "TLS_CERT": "/x"}, "COMPILE_CACHE_TLS_KEY is needed"),
        ({"TLS_CA": "system", "TLS_KEY": "/x"}, "COMPILE_CACHE_TLS_CERT is needed"),
        ({"TLS_CA": "/nowhere"}, 'COMPILE_CACHE_TLS_CA "/nowhere" cannot be read: No such file'),
        ({"TOKEN": "secret"}, "is not sent to daemon.example:1 without encryption"),
    ],
)
def test_what_is_wrong_is_said(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], words: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"COMPILE_CACHE_{name}", value)
    with pytest.raises(CacheServiceError) as caught:
        CacheClient("daemon.example:1")
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.reason == "INVALID_REQUEST"
