"""Work in threads that may be left to themselves."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Callable, TypeVar

from compilecache.exceptions import CacheServiceError

_Result = TypeVar("_Result")


def start_in_background(work: Callable[[], _Result]) -> Future[_Result]:
    """Start `work` in a thread of its own, which ends with the process at the latest.

    Work that hangs can be left behind: a wait for its future can have a time-out.
    """
    future: Future[_Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="compilecache", daemon=True).start()
    return future


def within(seconds: float, work: Callable[[], _Result]) -> _Result:
    """Return what `work` returns, or raise what it raises.

    Raises CacheServiceError DEADLINE_EXCEEDED when it takes longer; the work goes on.
    """
    try:
        return start_in_background(work).result(seconds)
    except FutureTimeoutError:
        raise CacheServiceError("DEADLINE_EXCEEDED", None, "its time is up") from None
