"""Ways to learn that a server has finished its start."""

from __future__ import annotations

import http.client
import os
import ssl
import time
import urllib.request
from typing import Callable

Probe = Callable[[], bool]
_answer_seconds = 5.0


def url_probe(url: str) -> Probe:
    """Return a function that tells whether GET of a URL of this machine gives 200."""
    # This machine is not reached by a proxy, and its certificate is seldom for "127.0.0.1".
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )

    def is_ready() -> bool:
        try:
            with opener.open(url, timeout=_answer_seconds) as response:
                return bool(response.status == 200)
        except (OSError, http.client.HTTPException):
            return False

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
