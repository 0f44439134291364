"""Where the daemon is that this package starts for this user's processes with the same settings."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from compilecache._daemon.address import answers, is_private, user_socket

if TYPE_CHECKING:
    from collections.abc import Iterator

# Variables that the daemon goes by. Others of these names are the client's.
_setting_prefixes = ("COMPILE_CACHE_", "AWS_")
_client_settings = {
    f"COMPILE_CACHE_{name}"
    for name in (
        "ADDRESS",
        "NAMESPACE",
        "TOKEN",
        "NODE",
        "TLS_CA",
        "TLS_CERT",
        "TLS_KEY",
        "TLS_NAME",
        "LOAD_DEADLINE_SECONDS",
        "SAVE_DEADLINE_SECONDS",
    )
}
_other_settings = {
    "ARCHIVE_FORMAT",
    "B10FS_CACHE_DIR",
    "LOCAL_WORK_DIR",
    "MAX_CACHE_SIZE_MB",
    "MAX_CONTENT_SIZE_MB",
    "MAX_FILE_COUNT",
    # How it reaches an object store, and whom it trusts there.
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
# A socket's address is a URL to gRPC, one of a list to the daemon, and at most 107 bytes long.
_plain_path = re.compile(r"/[A-Za-z0-9._/@+=~-]{1,70}")


@dataclass(frozen=True)
class OwnDaemonFiles:
    """Socket, lock and log of a daemon that this package starts, by a name for its settings."""

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
    def lock(self) -> Path:
        """What it holds a lock of as long as it lives."""
        return self.directory / f"{self.name}.lock"

    @property
    def address(self) -> str:
        """The socket, as clients name it."""
        return f"unix:{self.socket}"

    def has_daemon(self) -> bool:
        """Whether a daemon answers on a socket that only this user can have put there."""
        return is_private(self.directory) and answers(self.socket)


def own_daemon_files(local_dir: str) -> list[OwnDaemonFiles]:
    """Return the files of the daemon that has this process's settings and works on `local_dir`.

    In each directory where they may be; it is in the first that could be used when it started.
    """
    settings = {
        name: value
        for name, value in os.environ.items()
        if name in _other_settings
        or (name.startswith(_setting_prefixes) and name not in _client_settings)
    }
    # Without that variable a daemon may work on its one local directory only.
    if not settings.get("COMPILE_CACHE_ALLOWED_DIRS"):
        settings["local_dir"] = local_dir
    told = json.dumps([settings, _surroundings()], sort_keys=True)
    name = hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return [OwnDaemonFiles(directory, name) for directory in _directories()]


def _surroundings() -> list[str]:
    """Return what tells apart processes to which one path is two directories.

    Containers may share the directory of the socket, and machines a home.
    """
    found: list[str] = []
    with contextlib.suppress(OSError):
        # Another codec would be imported, and a fork meanwhile would hang its child.
        found.append(Path("/proc/sys/kernel/random/boot_id").read_bytes().decode().strip())
    for place in ("/proc/self/ns/mnt", "/"):
        with contextlib.suppress(OSError):
            identity = os.stat(place)
            found.append(f"{identity.st_dev}:{identity.st_ino}")
    return found


def _directories() -> Iterator[Path]:
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
