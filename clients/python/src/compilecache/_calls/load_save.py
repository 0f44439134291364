"""Load and save what torch.compile builds, around the start of a model."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from compilecache._base.background import within
from compilecache._base.deadlines import (
    SHORT_CALL_SECONDS,
    load_deadline_seconds,
    save_deadline_seconds,
)
from compilecache._base.forks import in_child_of_fork
from compilecache._caller.call import ask
from compilecache._calls.clear_here import clear_here
from compilecache._calls.display import progress_display
from compilecache._calls.ended import (
    load_has_ended,
    load_has_failed,
    save_has_ended,
    save_has_failed,
)
from compilecache._calls.request import cache_request
from compilecache._calls.running_call import RunningCall
from compilecache._calls.torch_settings import warn_of_torch_settings
from compilecache._environment.root import INDUCTOR
from compilecache.exceptions import CacheServiceError
from compilecache.logger import logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compilecache._base.local_directory import LocalDir
    from compilecache._base.policies import IfLocalExists, IfStoredExists
    from compilecache._calls.request import CacheRequest
    from compilecache.environment import Environment
    from compilecache.statuses import LoadStatus, SaveStatus

_prefetching: RunningCall | None = None
_prefetching_lock = Lock()


def load_compile_cache(
    *,
    namespace: str | None = None,
    environment: Environment | None = None,
    local_dir: LocalDir | None = None,
    if_local_exists: IfLocalExists = "skip",
    deadline_seconds: float | None = None,
    address: str | None = None,
    root: str = INDUCTOR,
) -> LoadStatus:
    """Put the cache that was saved for this environment where torch looks for it.

    Call it before anything is compiled. SUCCESS: the cache is there. DOES_NOT_EXIST: there is none,
    or it did not arrive in time. SKIPPED: the directory held files already. ERROR: anything else;
    the log says what. Never raises for what daemon, store or network do, and never hangs.

    `namespace` says whose cache; default: COMPILE_CACHE_NAMESPACE, else `default`. `environment`
    is by default this process's. `local_dir` is by default torch's. `if_local_exists` is "skip",
    "merge" (add what is missing) or "replace". `deadline_seconds` is by default
    COMPILE_CACHE_LOAD_DEADLINE_SECONDS, else 60. `address` is the daemon's. `root` says which
    compiler fills the directory: torch's by default, else "vllm" or a name of your own; each is a
    cache of its own.

    Joins the load that `prefetch` started, if that was for the same.
    """
    begun = time.monotonic()
    request = None
    try:
        request = cache_request(namespace, environment, local_dir, address, root)
        warn_of_torch_settings(request.local_dir)
        seconds = load_deadline_seconds(deadline_seconds)
        policy = {"if_local_exists": if_local_exists}
        with progress_display("loading compiled code") as display:
            call = _take_prefetched(request, policy, seconds)
            call = call or RunningCall("load", request, seconds, policy, display)
            transfer = call.wait(seconds)
        waited_seconds = time.monotonic() - begun
        is_merged = if_local_exists == "merge"
        return load_has_ended(request, transfer, waited_seconds, call.ended_at, is_merged=is_merged)
    # A model runs without its cache, so no error may reach it.
    except Exception as error:
        return load_has_failed(request, error, time.monotonic() - begun)


def prefetch(
    *,
    namespace: str | None = None,
    environment: Environment | None = None,
    local_dir: LocalDir | None = None,
    if_local_exists: IfLocalExists = "skip",
    deadline_seconds: float | None = None,
    address: str | None = None,
    root: str = INDUCTOR,
) -> None:
    """Start the load, and return at once: a model file's first call, before it imports torch.

    A later `load_compile_cache` with the same arguments waits for what is left of it. Arguments are
    the same as there; the deadline counts from here.
    """
    global _prefetching
    try:
        request = cache_request(namespace, environment, local_dir, address, root)
        seconds = load_deadline_seconds(deadline_seconds)
        with _prefetching_lock:
            policy = {"if_local_exists": if_local_exists}
            _prefetching = RunningCall("load", request, seconds, policy)
    # A load_compile_cache will try again, and say what is wrong.
    except Exception as error:
        logger.debug("no prefetch: %s", error)


def save_compile_cache(
    *,
    namespace: str | None = None,
    environment: Environment | None = None,
    local_dir: LocalDir | None = None,
    if_stored_exists: IfStoredExists = "refresh",
    profile: str = "",
    deadline_seconds: float | None = None,
    address: str | None = None,
    root: str = INDUCTOR,
) -> SaveStatus:
    """Save what torch has compiled, for every machine with the same environment.

    Call it after warm-up. SUCCESS: the store holds it. SKIPPED: it did already, or there is nothing
    to save; the log says which. ERROR: anything else; the log says what. Never raises for what
    daemon, store or network do, and never hangs.

    `if_stored_exists` is "refresh" (save again if the directory holds enough that the stored cache
    lacks, as after a first warm start), "skip" or "replace". `profile` says which files travel;
    default: all but locks and temporary files; "lean" leaves out the Triton kernels that torch
    can write again from what travels. `deadline_seconds` is by default
    COMPILE_CACHE_SAVE_DEADLINE_SECONDS, else 600. The others are as for `load_compile_cache`.
    """
    begun = time.monotonic()
    request = None
    try:
        request = cache_request(namespace, environment, local_dir, address, root)
        warn_of_torch_settings(request.local_dir)
        seconds = save_deadline_seconds(deadline_seconds)
        policy = {"if_stored_exists": if_stored_exists, "profile": profile}
        with progress_display("saving compiled code") as display:
            transfer = RunningCall("save", request, seconds, policy, display).wait(seconds)
        return save_has_ended(request, transfer, time.monotonic() - begun)
    # A model runs without saving its cache, so no error may reach it.
    except Exception as error:
        return save_has_failed(request, error, time.monotonic() - begun)


def clear_local_cache(*, local_dir: LocalDir | None = None, address: str | None = None) -> bool:
    """Empty the local directory, by default torch's. True: it holds no cache, or there is none.

    Links, and what is mounted there, are not a cache's, and stay.

    The daemon does it, when nothing else is under way there; where none answers, it is done here.
    Never raises, and never hangs.
    """
    try:
        request = cache_request(None, None, local_dir, address)
        return within(SHORT_CALL_SECONDS, lambda: _clear(request))
    except Exception as error:
        logger.error("nothing cleared: %s", error)
        return False


def _clear(request: CacheRequest) -> bool:
    directory = Path(request.local_dir)
    if not directory.exists():
        logger.info("nothing to clear: there is no %s", directory)
        return True
    try:
        ask(
            "clear_local_cache",
            request.directory_argument(),
            request.address(),
            SHORT_CALL_SECONDS,
        )
    except CacheServiceError as error:
        if error.code != "UNAVAILABLE":
            raise
        clear_here(directory)
    logger.info("cleared %s", directory)
    return True


def _take_prefetched(
    request: CacheRequest, policy: Mapping[str, str], seconds: float
) -> RunningCall | None:
    """Return the load that was started ahead, if it was for this; it serves once."""
    global _prefetching
    with _prefetching_lock:
        call, _prefetching = _prefetching, None
    if call is None or call.request != request or call.policy != policy:
        return None
    if request.device is not None:
        # By now the caller may have chosen another GPU than the first.
        call.wait(seconds)
        if call.environment != request.environment():
            return None
    return call


def forget_prefetched() -> None:
    """Let go of a load that was started ahead. The child of a fork has no thread that runs it."""
    global _prefetching, _prefetching_lock
    _prefetching, _prefetching_lock = None, Lock()


in_child_of_fork(forget_prefetched)
