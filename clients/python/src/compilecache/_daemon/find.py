"""Which daemon calls go to: every other module asks here.

In this order: COMPILE_CACHE_ADDRESS, the system's socket, this user's socket, and the socket of a
daemon that this package starts (`_daemon.own_daemon`). The TypeScript client has the same order.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from compilecache._daemon import address
from compilecache._daemon.own_daemon import own_daemon_sockets
from compilecache._daemon.state import read_state
from compilecache._daemon.store_location import is_same_store, named_store
from compilecache.logger import logger

if TYPE_CHECKING:
    from collections.abc import Iterator

_warned_of: set[tuple[Path, str, str]] = set()


def default_address() -> str:
    """Return where a client connects that is given no address, without waiting for an answer.

    Where nothing listens, the system's socket.
    """
    configured = address.configured_address()
    if configured:
        return configured
    for path in _default_sockets():
        if address.listens(path) and _is_of_this_store(path):
            return f"unix:{path}"
    for path in own_daemon_sockets():
        if address.listens(path):
            return f"unix:{path}"
    return f"unix:{address.SYSTEM_SOCKET}"


def running_address() -> str | None:
    """Return COMPILE_CACHE_ADDRESS, else the first default socket where a daemon answers.

    One of another store than this process names is passed over, with a warning.
    """
    configured = address.configured_address()
    if configured:
        return configured
    for path in _default_sockets():
        if address.answers(path) and _is_of_this_store(path):
            return f"unix:{path}"
    return None


def _default_sockets() -> Iterator[Path]:
    yield Path(address.SYSTEM_SOCKET)
    of_user = address.user_socket()
    # Anyone may write to /tmp: a directory that another user made there would get our calls.
    if address.is_private(of_user.parent):
        yield of_user


def _is_of_this_store(path: Path) -> bool:
    named = named_store()
    state = named and read_state(path)
    if not named or not state or is_same_store(state.store, named):
        return True
    if (path, state.store, named) not in _warned_of:
        _warned_of.add((path, state.store, named))
        logger.warning(
            "the daemon at unix:%s serves the store %s, and this process names %s: it is passed "
            "over for one of this store (COMPILE_CACHE_ADDRESS takes a daemon whatever it serves)",
            path,
            state.store,
            named,
        )
    return False
