"""How a connection is encrypted, as COMPILE_CACHE_TLS_CA, _CERT, _KEY and _NAME say."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from compilecache.exceptions import CacheServiceError, FieldViolation, invalid_request


@dataclass(frozen=True)
class TlsSettings:
    """What the files hold that the variables name."""

    ca: bytes | None
    """Certificates to trust; None for those that this machine trusts."""
    certificate: bytes | None
    """The caller's own, for a daemon that asks for one."""
    key: bytes | None = field(repr=False)
    name: str | None
    """The name that the daemon's certificate has; None for the address's host."""


def tls_settings() -> TlsSettings | None:
    """Return the encryption that the environment asks for; None for none.

    Raises CacheServiceError INVALID_REQUEST for files that cannot be read or do not go together.
    """
    ca, certificate, key, name = (_variable(part) for part in ("CA", "CERT", "KEY", "NAME"))
    if not ca:
        if certificate or key or name:
            raise _wrong(
                "CA", "is needed with the others: a file of certificates to trust, or system"
            )
        return None
    if bool(certificate) != bool(key):
        missing = "KEY" if certificate else "CERT"
        raise _wrong(missing, "is needed with the other: a certificate and its key go together")
    return TlsSettings(
        ca=None if ca == "system" else _content("CA", ca),
        certificate=_content("CERT", certificate) if certificate else None,
        key=_content("KEY", key) if key else None,
        name=name or None,
    )


def require_safe_for_token(address: str, token: str, *, encrypted: bool) -> None:
    """Raise INVALID_REQUEST where a token would travel to another machine without encryption."""
    if not token or encrypted or _is_of_this_machine(address):
        return
    raise invalid_request(
        [
            FieldViolation(
                "token",
                f"a token (COMPILE_CACHE_TOKEN) is not sent to {address} without encryption: "
                "give the certificates to trust (COMPILE_CACHE_TLS_CA)",
            )
        ]
    )


def is_socket(address: str) -> bool:
    """Return whether an address is a Unix socket's."""
    return bool(re.match("unix(-abstract)?:", address))


def _is_of_this_machine(address: str) -> bool:
    if is_socket(address):
        return True
    host = re.sub(r":\d+$", "", re.sub("^(ipv4|ipv6|dns):(///)?", "", address))
    return host in ("localhost", "[::1]") or bool(re.fullmatch(r"127(\.\d{1,3}){3}", host))


def _variable(name: str) -> str:
    return os.environ.get(f"COMPILE_CACHE_TLS_{name}", "").strip()


def _content(variable: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise _wrong(variable, f"{json.dumps(path)} cannot be read: {error.strerror}") from error


def _wrong(variable: str, words: str) -> CacheServiceError:
    return invalid_request([FieldViolation("tls", f"COMPILE_CACHE_TLS_{variable} {words}")])
