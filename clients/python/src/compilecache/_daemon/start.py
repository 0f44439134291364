"""Starts a daemon where none runs: one for all that this user does with a store, gone when unused.

It serves this user alone: its socket lies in a directory that only this user can enter. So it may
work on any directory on which its user may.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from compilecache._base.local_directory import LocalDir, resolve_local_directory
from compilecache._daemon.find import running_address
from compilecache._daemon.launch import LaunchedDaemon, launch
from compilecache._daemon.node import find_node
from compilecache._daemon.own_daemon import own_daemon_files
from compilecache._daemon.place import why_unusable
from compilecache._daemon.program import daemon_program
from compilecache._daemon.words import why_it_ended
from compilecache.exceptions import CacheServiceError

if TYPE_CHECKING:
    from compilecache._daemon.own_daemon import OwnDaemonFiles

_default_idle_exit_seconds = "600"
# A daemon answers within half a second; a machine that starts a model may be busy.
_default_seconds_to_start = 20.0
# A daemon that was killed as it started is started again, but not without end.
_most_starts = 10
_poll_seconds = 0.005


def ensure_daemon(
    local_dir: LocalDir | None = None, *, timeout_seconds: float = _default_seconds_to_start
) -> str:
    """Return the address of a daemon for work on `local_dir`, which is started if none is there.

    COMPILE_CACHE_ADDRESS, or the default socket if a daemon answers there that is of no other store
    than COMPILE_CACHE_STORE or B10FS_CACHE_DIR names, else a daemon of our own for this store. That
    one may work wherever this user may, unless COMPILE_CACHE_ALLOWED_DIRS says less. It ends when
    no client was connected and nothing has run for COMPILE_CACHE_IDLE_EXIT_SECONDS (default 600).
    Raises CacheServiceError UNAVAILABLE when it cannot be started.
    """
    deadline = time.monotonic() + timeout_seconds
    running = running_address()
    if running:
        return running
    directory = resolve_local_directory(local_dir)
    places = own_daemon_files()
    for files in places:
        if files.has_daemon():
            return files.address
    files = _first_usable(places)
    _start(files, directory, deadline)
    return files.address


def _first_usable(places: list[OwnDaemonFiles]) -> OwnDaemonFiles:
    reasons: list[str] = []
    for files in places:
        reason = why_unusable(files.directory)
        if reason is None:
            return files
        reasons.append(f"{files.directory} ({reason})")
    raise _unavailable(
        "no daemon can be started: there is no directory for its socket that is this user's alone; "
        f"tried {', '.join(reasons)}. Set XDG_RUNTIME_DIR to a directory of this user's"
    )


def _start(files: OwnDaemonFiles, local_dir: str, deadline: float) -> None:
    """Start the daemon, or wait for the one that another process starts, until it answers."""
    command = _daemon_command(files.socket, local_dir)
    starts = 0
    while True:
        # None while another process starts it, or is it.
        daemon = _launched(files, command)
        with daemon or contextlib.nullcontext():
            while not files.takes_work():
                if time.monotonic() > deadline:
                    why = why_it_ended(files.log)
                    raise _unavailable(f"the daemon does not answer in time: {why}")
                if daemon is None or daemon.has_ended():
                    break
                time.sleep(_poll_seconds)
            else:
                return
        if daemon:
            starts += 1
            words = why_it_ended(files.log)
            if words.is_refusal or starts >= _most_starts:
                raise _unavailable(f"the daemon does not start: {words}")
        time.sleep(_poll_seconds)


def _launched(files: OwnDaemonFiles, command: list[str]) -> LaunchedDaemon | None:
    try:
        return launch(files, command)
    except OSError as error:
        raise _unavailable(f"the daemon cannot be started: {error}") from error


def _daemon_command(socket_path: Path, local_dir: str) -> list[str]:
    if not daemon_program.exists():
        raise _unavailable("no daemon runs, and this installation contains none to start")
    idle_seconds = os.environ.get("COMPILE_CACHE_IDLE_EXIT_SECONDS") or _default_idle_exit_seconds
    options = {
        "--listen": f"unix:{socket_path}",
        "--torch-cache-dir": local_dir,
        "--idle-exit-seconds": idle_seconds,
    }
    if not os.environ.get("COMPILE_CACHE_ALLOWED_DIRS"):
        options["--allowed-dirs"] = "any"
    # Copies of a daemon are off by default; this one does nothing that its user could not.
    if not os.environ.get("LOCAL_WORK_DIR"):
        options["--local-work-dir"] = "/app"
    flags = [word for option in options.items() for word in option]
    return [find_node(), str(daemon_program), "serve", *flags]


def _unavailable(message: str) -> CacheServiceError:
    return CacheServiceError("UNAVAILABLE", None, message)
