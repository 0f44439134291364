"""Variables that mean nothing, and are nearly the name of one that does."""

from __future__ import annotations

import os

from compilecache.logger import logger

_prefix = "COMPILE_CACHE_"
# Without the prefix. A test holds them to the daemon's, which tells of those that it reads too.
_known = """
    ADDRESS ALLOWED_DIRS B10_ARCHIVES CONFIG_FILE GC_EVERY GC_KEEP GC_MAX_AGE GC_MAX_BYTES
    GC_MAX_FILES GC_MAX_IDLE GC_QUOTAS IDLE_EXIT_SECONDS LISTEN LOAD_DEADLINE_SECONDS
    MAX_CONNECTIONS NAMESPACE NODE PLAINTEXT PROFILES_FILE PYTHON QUIET REFRESH_MIN_PERCENT REVISION
    S3_ANONYMOUS S3_SSE S3_SSE_KMS_KEY_ID SAVER SAVE_DEADLINE_SECONDS SAVE_NICE SIGNING_KEY
    STARTED_BY STORE TLS_CA TLS_CERT TLS_KEY TLS_NAME TOKEN TOKENS_FILE TRUSTED_KEYS WORKERS
    WORKER_IDLE_SECONDS
"""
KNOWN = tuple(_prefix + name for name in _known.split())
_told: set[str] = set()


def warn_of_misspelled_settings() -> None:
    """Log, once for each, what was probably meant."""
    for name in list(os.environ):
        if not name.startswith(_prefix) or name in KNOWN or name in _told:
            continue
        _told.add(name)
        # Few processes need it, and its import takes a while.
        import difflib

        short = [known[len(_prefix) :] for known in KNOWN]
        near = difflib.get_close_matches(name[len(_prefix) :], short, 1, 0.75)
        if near:
            logger.warning("%s is no setting; did you mean %s%s?", name, _prefix, near[0])


def forget_what_was_told() -> None:
    """Tell it again, as a new process does."""
    _told.clear()
