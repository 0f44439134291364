"""Where the daemon is that this package starts: one for this user and one store.

The TypeScript client and the command line have the same rule, by which they find it;
test/vectors/own-daemon.json holds all to it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from compilecache._daemon.address import answers, is_private, user_socket
from compilecache._daemon.state import read_state
from compilecache._daemon.store_location import own_store, store_location

if TYPE_CHECKING:
    from collections.abc import Iterator

# Settings that decide what is accepted and what is written. Who sets them gets a daemon that goes
# by them; others are those of whoever started it.
_decisive = {
    "ARCHIVE_FORMAT",
    "COMPILE_CACHE_ALLOWED_DIRS",
    "COMPILE_CACHE_B10_ARCHIVES",
    "COMPILE_CACHE_CONFIG_FILE",
    "COMPILE_CACHE_PROFILES_FILE",
    "COMPILE_CACHE_REFRESH_MIN_PERCENT",
    "COMPILE_CACHE_REVISION",
    "COMPILE_CACHE_SAVER",
    "COMPILE_CACHE_SIGNING_KEY",
    "COMPILE_CACHE_TOKENS_FILE",
    "COMPILE_CACHE_TRUSTED_KEYS",
    "LOCAL_WORK_DIR",
    "MAX_CACHE_SIZE_MB",
    "MAX_CONTENT_SIZE_MB",
    "MAX_FILE_COUNT",
}
# How an object store is reached, with whose rights, and who is trusted there.
_of_object_stores = {
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "https_proxy",
    "http_proxy",
    "no_proxy",
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
}
_prefixes_of_object_stores = ("AWS_", "COMPILE_CACHE_S3_")
# A socket's address is a URL to gRPC, one of a list to the daemon, and at most 107 bytes long.
_plain_path = re.compile(r"/[A-Za-z0-9._/@+=~-]{1,70}")


@dataclass(frozen=True)
class OwnDaemonFiles:
    """Socket, lock and log of a daemon that this package starts."""

    directory: Path
    name: str

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.directory / f"{self.name}.sock"

    @property
    def log(self) -> Path:
        """Where it writes what it has to say."""
        return self.directory / f"{self.name}.log"

    @property
    def previous_log(self) -> Path:
        """What the daemon before it had to say last."""
        return self.directory / f"{self.name}.previous.log"

    @property
    def lock(self) -> Path:
        """What it holds a lock of as long as it lives."""
        return self.directory / f"{self.name}.lock"

    @property
    def address(self) -> str:
        """The socket, as clients name it."""
        return f"unix:{self.socket}"

    def has_daemon(self) -> bool:
        """Whether a daemon takes work on a socket that only this user can have put there."""
        return is_private(self.directory) and self.takes_work()

    def takes_work(self) -> bool:
        """Whether a daemon answers that is not about to end."""
        state = read_state(self.socket)
        return not (state and state.is_stopping) and answers(self.socket)


@dataclass(frozen=True)
class OwnDaemonName:
    """What the files of this process's own daemon are called."""

    base: str
    """Stands for the store, the user and what surrounds the process."""
    name: str
    """The base, and what stands for settings that decide, where there are any."""


def own_daemon_files() -> list[OwnDaemonFiles]:
    """Return the files of the daemon that has this process's store and settings.

    In each directory where they may be; it is in the first that could be used when it started.
    """
    name = own_daemon_name(_surroundings()).name
    return [OwnDaemonFiles(directory, name) for directory in own_daemon_directories()]


def own_daemon_sockets() -> Iterator[Path]:
    """Yield the sockets where a daemon for this store may listen, the best first.

    Those of this process's own, then, where it sets nothing that decides, those of any other one of
    this store. Only this user can have put them there.
    """
    found = own_daemon_name(_surroundings())
    directories = [directory for directory in own_daemon_directories() if is_private(directory)]
    for directory in directories:
        yield OwnDaemonFiles(directory, found.name).socket
    if found.name == found.base:
        for directory in directories:
            yield from sorted(directory.glob(f"{found.base}-*.sock"))


def own_daemon_name(surroundings: list[str]) -> OwnDaemonName:
    """Return the name of the daemon that has this process's store and settings."""
    store = store_location(own_store())
    base = f"own-{_digest([store, str(os.getuid()), *surroundings])[:12]}"
    is_of_objects = store.startswith("s3://")
    settings = [
        f"{name}={text}"
        for name, text in os.environ.items()
        if text and (name in _decisive or (is_of_objects and _decides(name)))
    ]
    if not settings:
        return OwnDaemonName(base, base)
    return OwnDaemonName(base, f"{base}-{_digest(sorted(settings))[:8]}")


def _decides(name: str) -> bool:
    return name in _of_object_stores or name.startswith(_prefixes_of_object_stores)


def _digest(texts: list[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogateescape")).hexdigest()


def _surroundings() -> list[str]:
    """Return what tells apart processes to which one path is two directories.

    Containers may share the directory of the socket, and machines a home.
    """
    boot = b""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_bytes()
    # Another codec would be imported, and a fork meanwhile would hang its child.
    return [boot.decode().strip(), *map(_identity, ("/proc/self/ns/mnt", "/"))]


def _identity(path: str) -> str:
    try:
        found = os.stat(path)
    except OSError:
        return ""
    return f"{found.st_dev}:{found.st_ino}"


def own_daemon_directories() -> Iterator[Path]:
    """Yield the directories where the files may be, the best first.

    What another program's variable names is passed over where no socket can have its path.
    """
    private = f"compilecache-{os.getuid()}"
    cache_home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    candidates = [
        str(user_socket().parent),
        f"/tmp/{private}",
        os.path.join(_temporary_directory(), private),
        f"/dev/shm/{private}",
        f"/var/tmp/{private}",
        os.path.join(cache_home, "compilecache"),
    ]
    for candidate in dict.fromkeys(candidates):
        if _plain_path.fullmatch(candidate):
            yield Path(candidate)


def _temporary_directory() -> str:
    try:
        return tempfile.gettempdir()
    # No directory that it knows can be written to.
    except OSError:
        return ""
