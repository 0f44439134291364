"""Why a save was skipped, in words."""

from __future__ import annotations

import logging
import os

from compilecache.logger import logger

# What is as it should be is no reason to warn.
_explanations = {
    "ALREADY_STORED": (logging.INFO, "the store holds this cache"),
    "NO_FILES": (logging.INFO, "%(local_dir)s holds no files that travel"),
    "NOT_LOADED": (
        logging.WARNING,
        "%(local_dir)s is marked as not loaded: a load or clear of it was interrupted",
    ),
    "TOO_LITTLE_NEW": (
        logging.INFO,
        "%(local_dir)s holds little or nothing that the stored cache lacks",
    ),
    "TOO_LARGE": (
        logging.WARNING,
        "%(local_dir)s is over MAX_CACHE_SIZE_MB, MAX_CONTENT_SIZE_MB or MAX_FILE_COUNT of the "
        "daemon, whose log says how far",
    ),
    "UNFINISHED": (
        logging.WARNING,
        "what there is to save in %(local_dir)s changed, could not be read, or was still written",
    ),
}
_unexplained = (logging.INFO, "the daemon does not say why")


def tell_of_skip(reason: str | None, local_dir: str, of_namespace: str) -> None:
    """Log a save that was skipped, for the reason that the daemon names.

    `of_namespace` says whose cache it would have been, and how long that took to find out.
    """
    level, explanation = _explanations.get(reason or "", _unexplained)
    # To the daemon as well; but where it runs elsewhere, the name may be a slip of this side.
    if reason == "NO_FILES" and not os.path.lexists(local_dir):
        explanation = "%(local_dir)s does not exist here"
    told = {"local_dir": local_dir, "of_namespace": of_namespace}
    logger.log(level, f"nothing saved from %(local_dir)s (%(of_namespace)s): {explanation}", told)
