"""What is never emptied. The daemon has the same rules (test/vectors/never-emptied.json)."""

from __future__ import annotations

import os
import pwd
import re
import stat
from contextlib import suppress
from pathlib import Path

from compilecache.exceptions import CacheValidationError

# Where the system's own files are: nothing in there is a cache.
_system_trees = (
    "/bin",
    "/boot",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/proc",
    "/sbin",
    "/sys",
    "/usr/bin",
    "/usr/include",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/sbin",
    "/usr/share",
    "/usr/local/bin",
    "/usr/local/etc",
    "/usr/local/include",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/usr/local/libexec",
    "/usr/local/sbin",
    "/usr/local/share",
    "/var/lib/apt",
    "/var/lib/dpkg",
    "/var/lib/rpm",
    "/var/lib/systemd",
    "/var/spool/cron",
)
# They belong to no one program; a cache may lie below.
_shared_directories = (
    "/",
    "/app",
    "/dev",
    "/dev/shm",
    "/home",
    "/media",
    "/mnt",
    "/opt",
    "/root",
    "/run",
    "/run/lock",
    "/run/user",
    "/srv",
    "/tmp",
    "/usr",
    "/usr/local",
    "/usr/src",
    "/var",
    "/var/cache",
    "/var/lib",
    "/var/lock",
    "/var/log",
    "/var/mail",
    "/var/opt",
    "/var/run",
    "/var/spool",
    "/var/tmp",
    "/workspace",
)
_shared_in_home = ("", ".cache", ".config", ".local/share", ".local/state", ".ssh")
# What no cache holds, at its top or one below.
_foreign = {
    ".git": "a repository",
    ".hg": "a repository",
    ".svn": "a repository",
    ".jj": "a repository",
    "pyvenv.cfg": "a Python environment",
    "conda-meta": "a Python environment",
}
# An archive of a store of ours, or of b10-transfer's.
_archive = re.compile(r"cache_[0-9a-f]{12,16}(\..+)?\.latest\.tar\.(gz|zst)", re.DOTALL)


def require_may_empty(directory: Path) -> None:
    """Raise CacheValidationError for a directory that holds more than a cache."""
    why = _why_never(directory)
    if why:
        raise CacheValidationError(
            f"{directory} is never emptied: it {why}. Name the directory that holds the cache and "
            "nothing else, or remove by hand what is to go"
        )


def _why_never(directory: Path) -> str | None:
    path = os.path.realpath(directory)
    if any(path == tree or path.startswith(f"{tree}/") for tree in _system_trees):
        return "belongs to the system"
    for home in _homes_of(directory.stat().st_uid):
        for below in _shared_in_home:
            if _is_or_holds(path, os.path.realpath(os.path.join(home, below))):
                what = f"{home}/{below}, where many programs keep files"
                return f"is, or holds, {what if below else f'the home directory {home}'}"
    if path in _shared_directories:
        return "belongs to no program alone"
    return _why_by_content(path)


def _homes_of(uid: int) -> set[str]:
    homes = {os.environ.get("HOME", "")}
    for user in {uid, os.geteuid()}:
        with suppress(KeyError):
            homes.add(pwd.getpwuid(user).pw_dir)
    return {home for home in homes if home.startswith("/")}


def _is_or_holds(path: str, other: str) -> bool:
    """Return whether it does, by whatever mounts: these give a directory a second path."""
    own = os.stat(path)
    for above in (other, *map(str, Path(other).parents)):
        with suppress(OSError):
            if os.path.samestat(own, os.stat(above)):
                return True
    return False


def _why_by_content(path: str) -> str | None:
    for name in os.listdir(path):
        if name in _foreign:
            return f"holds {_foreign[name]} ({name})"
        if _archive.fullmatch(name):
            return f"holds stored caches ({name})"
        inside = os.path.join(path, name)
        if not _is_directory(inside):
            continue
        if name.startswith("torchinductor_"):
            return f"holds whole caches ({name})"
        for foreign, what in _foreign.items():
            if os.path.lexists(os.path.join(inside, foreign)):
                return f"holds {what} ({name}/{foreign})"
    return None


def _is_directory(path: str) -> bool:
    with suppress(OSError):
        return stat.S_ISDIR(os.lstat(path).st_mode)
    return False
