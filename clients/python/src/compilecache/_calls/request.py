"""What the model-facing calls say about a cache, with what they leave out filled in."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from compilecache._base.forks import notice_fork
from compilecache._base.local_directory import (
    LocalDir,
    resolve_local_directory,
    torch_cache_directory,
)
from compilecache._caller.call import was_not_taken
from compilecache._calls.ancestor_settings import tell_of_ancestor_settings
from compilecache._calls.misspelled_settings import warn_of_misspelled_settings
from compilecache._daemon.address import configured_address
from compilecache._daemon.find import default_address
from compilecache._daemon.start import ensure_daemon
from compilecache._daemon.state import store_of
from compilecache._environment.detect import current_device, detect_environment
from compilecache._environment.root import INDUCTOR, environment_of_root
from compilecache.exceptions import CacheServiceError, CacheValidationError
from compilecache.logger import logger

if TYPE_CHECKING:
    from compilecache.environment import Environment

_Answer = TypeVar("_Answer")

_warned_of: set[str] = set()


@dataclass(frozen=True)
class CacheRequest:
    """Which cache, which directory, which daemon. Made in the thread of the caller."""

    namespace: str
    given_environment: Environment | None
    local_dir: str
    given_address: str | None
    root: str
    device: int | None = field(compare=False)
    """The current device of the caller's thread."""

    def environment(self) -> Environment:
        """Return the environment, which takes milliseconds to find.

        Raises CacheValidationError where it cannot be found.
        """
        environment = self.given_environment or detect_environment(self.device)
        return environment_of_root(environment, self.root)

    def address(self) -> str:
        """Return where the daemon is, which is started where there is none.

        Raises CacheServiceError UNAVAILABLE.
        """
        return self.given_address or ensure_daemon(self.local_dir)

    def store(self) -> str | None:
        """Return the store of the daemon that calls go to, if it says so on this machine."""
        address = self.given_address or default_address()
        return store_of(address)

    def at_daemon(self, call: Callable[[str], _Answer]) -> _Answer:
        """Make a call to the daemon at an address, and once more if that had ended meanwhile.

        One of our own ends when it is unused, and others may stop it; then there is a fresh one.
        """
        try:
            return call(self.address())
        except CacheServiceError as error:
            if self.given_address or not was_not_taken(error):
                raise
        return call(self.address())

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of a call about this cache."""
        return {"namespace": self.namespace, **self.directory_argument()}

    def directory_argument(self) -> dict[str, Any]:
        """Return the argument of a call about the directory alone."""
        return {"local_dir": as_unicode(self.local_dir)}


def cache_request(
    namespace: str | None,
    environment: Environment | None,
    local_dir: LocalDir | None,
    address: str | None,
    root: str = INDUCTOR,
) -> CacheRequest:
    """Return a request. What is None comes from the variables, and the device from this thread.

    Raises CacheValidationError for a directory that no call can name.
    """
    notice_fork()
    tell_of_ancestor_settings()
    warn_of_misspelled_settings()
    if namespace is None:
        namespace = os.environ.get("COMPILE_CACHE_NAMESPACE", "").strip() or "default"
    directory = resolve_local_directory(local_dir)
    as_unicode(directory)
    if local_dir is None:
        _warn_unless_torch_s(directory)
    return CacheRequest(
        namespace,
        environment,
        directory,
        address or configured_address(),
        root,
        current_device(),
    )


def as_unicode(path: str) -> str:
    """Return a path as a call names it. Raises CacheValidationError where it is not UTF-8.

    Python goes by the locale, which may not be UTF-8 where the file's name is.
    """
    try:
        return os.fsencode(path).decode("utf-8")
    except UnicodeError:
        raise CacheValidationError(
            f"the name {path!r} is not UTF-8; choose another (TORCHINDUCTOR_CACHE_DIR names the "
            "local directory)"
        ) from None


def _warn_unless_torch_s(directory: str) -> None:
    """Tell once that torch keeps its cache elsewhere than TORCH_CACHE_DIR says."""
    where_torch_looks = torch_cache_directory()
    if directory == where_torch_looks or directory in _warned_of:
        return
    _warned_of.add(directory)
    logger.warning(
        "TORCH_CACHE_DIR is %s, but torch keeps its cache in %s: name the same directory in "
        "TORCHINDUCTOR_CACHE_DIR, which torch reads",
        directory,
        where_torch_looks,
    )
