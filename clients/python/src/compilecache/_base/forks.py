"""Forks: how none comes between two steps, and what is to be done in the child of one."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from collections.abc import Generator

# Reentrant, for starting a process may itself fork through the hooks below.
_starting = threading.RLock()
_in_child: list[Callable[[], object]] = []
_pid = os.getpid()


@contextmanager
def no_fork() -> Generator[None, None, None]:
    """Keep other threads from forking, for the moment in which a process is started.

    The child of such a fork would hold pipes whose closing tells that the start is over, or that
    the process has ended, and both would seem to last as long as the child.
    """
    with _starting:
        yield


def in_child_of_fork(forget: Callable[[], object]) -> None:
    """Have a function called in each child, in the order of these calls."""
    _in_child.append(forget)


def notice_fork() -> None:
    """Do so now in a child where it was not: a server written in C, as uWSGI is, forks by itself.

    Every call of this package begins with it.
    """
    if os.getpid() != _pid:
        _after_fork()


def _after_fork() -> None:
    global _pid, _starting
    _pid, _starting = os.getpid(), threading.RLock()
    for forget in _in_child:
        forget()


os.register_at_fork(
    before=lambda: _starting.acquire(),
    after_in_parent=lambda: _starting.release(),
    after_in_child=_after_fork,
)
