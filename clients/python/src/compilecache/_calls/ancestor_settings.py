"""Variables that b10-transfer reads, and that mean nothing here: what has become of each."""

from __future__ import annotations

import os

from compilecache.logger import logger

_space = "space is checked by what an archive says it unpacks to"
_unlocked = "nothing here has locks, or leaves a file that blocks anyone"
_fates = {
    "BASETEN_FS_ENABLED": "caches are loaded and saved wherever the store can be reached",
    "MAX_CACHE_SIZE_CAP_MB": "MAX_CACHE_SIZE_MB alone is the limit",
    "MAX_CONCURRENT_SAVES": "any number may save at once",
    "MIN_LOCAL_SPACE_MB": _space,
    "MIN_B10FS_SPACE_MB": _space,
    "LOCAL_SPACE_ARCHIVE_MULTIPLIER": _space,
    "CLEANUP_LOCK_TIMEOUT_SECONDS": _unlocked,
    "CLEANUP_INCOMPLETE_TIMEOUT_SECONDS": _unlocked,
}
IGNORED = tuple(_fates)
_told: set[str] = set()


def tell_of_ancestor_settings() -> None:
    """Log, once, which of these variables are set, and what holds in their place."""
    found = [name for name in _fates if name in os.environ and name not in _told]
    if not found:
        return
    _told.update(found)
    reasons: dict[str, list[str]] = {}
    for name in found:
        reasons.setdefault(_fates[name], []).append(f"{name}={os.environ[name]}")
    told = "; ".join(f"{', '.join(names)} ({reason})" for reason, names in reasons.items())
    logger.info("of b10-transfer's settings these mean nothing here: %s", told)


def forget_what_was_told() -> None:
    """Tell it again, as a new process does."""
    _told.clear()
