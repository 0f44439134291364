"""Ways to learn that a server has finished its start."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import time
import urllib.parse
import urllib.request
from typing import Callable

Probe = Callable[[], bool]
_answer_seconds = 5.0


def url_probe(url: str) -> Probe:
    """Return a function that tells whether GET of a URL of this machine gives 200.

    `http+unix://%2Frun%2Fserver.sock/path` asks a server on a Unix socket.
    """
    parts = urllib.parse.urlsplit(url)
    # This machine is not reached by a proxy, and its certificate is seldom for "127.0.0.1".
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if parts.scheme in ("http+unix", "https+unix"):
        return _socket_probe(parts, context if parts.scheme.startswith("https") else None)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )

    def is_ready() -> bool:
        try:
            with opener.open(url, timeout=_answer_seconds) as response:
                return bool(response.status == 200)
        # ValueError: of what answers in another way than HTTP has it.
        except (OSError, ValueError, http.client.HTTPException):
            return False

    return is_ready


def _socket_probe(url: urllib.parse.SplitResult, context: ssl.SSLContext | None) -> Probe:
    path = urllib.parse.unquote(url.netloc)
    page = url.path or "/"

    def is_ready() -> bool:
        connection = http.client.HTTPConnection("localhost", timeout=_answer_seconds)
        try:
            with socket.socket(socket.AF_UNIX) as plain:
                plain.settimeout(_answer_seconds)
                plain.connect(path)
                connection.sock = context.wrap_socket(plain) if context else plain
                connection.request("GET", f"{page}?{url.query}" if url.query else page)
                return connection.getresponse().status == 200
        except (OSError, ValueError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return is_ready


def file_probe(path: str, before: str) -> Probe:
    """Return a function that tells whether a file is there, and its mark is not `before`."""

    def is_ready() -> bool:
        return file_mark(path) not in ("", before)

    return is_ready


def file_mark(path: str) -> str:
    """Return a text that changes when another file takes its place; empty if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return ""
    return f"{found.st_dev} {found.st_ino} {found.st_mtime_ns}"


def wait_until(probe: Probe, interval_seconds: float, timeout_seconds: float | None = None) -> bool:
    """Ask until the answer is yes; False when it is not after `timeout_seconds`."""
    until = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    while not probe():
        if until is not None and time.monotonic() > until:
            return False
        time.sleep(interval_seconds)
    return True
