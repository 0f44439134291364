"""Archives that b10-transfer has left where it kept them."""

from __future__ import annotations

import os
import re

from compilecache._base.background import within

_archive = re.compile(r"cache_.+\.latest\.tar\.gz")
# It only makes a line better.
_most_seconds = 1.0


def ancestor_archives() -> tuple[str, int]:
    """Return the directory of its store and how many archives lie at its top; never raises.

    None of ours does: those are in directories of their namespaces. What was compiled with is not
    in their names, nor in them, so no load takes one by itself.
    """
    directory = os.environ.get("B10FS_CACHE_DIR", "").strip() or "/cache/model/compile_cache"
    try:
        names = within(_most_seconds, lambda: os.listdir(directory))
    except Exception:
        return directory, 0
    return directory, sum(1 for name in names if _archive.fullmatch(name))
