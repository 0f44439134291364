"""Which store this process names, as one text: a daemon serves one."""

from __future__ import annotations

import os
import re
from threading import Thread
from urllib.parse import unquote

_default_directory = "/cache/model/compile_cache"
_longest_look_seconds = 2.0


def named_store() -> str | None:
    """Return the store that the variables name: `file://` and a path, or `s3://bucket/prefix`.

    None where they name none, so that any daemon's will do. The TypeScript client has the same
    rule; test/vectors/own-daemon.json holds both to it.
    """
    url = os.environ.get("COMPILE_CACHE_STORE", "").strip()
    if url.startswith("file:///"):
        return f"file://{_normal(unquote(url[len('file://') :]))}"
    if url:
        return url.rstrip("/")
    directory = os.environ.get("B10FS_CACHE_DIR", "").strip()
    return f"file://{_normal('/' + directory)}" if directory else None


def own_store() -> str:
    """Return the store of a daemon that has this process's variables."""
    return named_store() or f"file://{_default_directory}"


def store_location(store: str) -> str:
    """Return one text for a store, whatever links lead to it.

    The path of a file store is resolved as far as it exists. A mount that does not answer is not
    waited for: the path then stands for itself.
    """
    if not store.startswith("file:///"):
        return store
    path = store[len("file://") :]
    resolved: list[str] = []
    looking = Thread(target=lambda: resolved.append(os.path.realpath(path)), daemon=True)
    looking.start()
    looking.join(_longest_look_seconds)
    return f"file://{resolved[0] if resolved else path}"


def is_same_store(one: str, other: str) -> bool:
    """Whether two texts mean one store."""
    return one == other or store_location(one) == store_location(other)


def _normal(path: str) -> str:
    return re.sub("^//+", "/", os.path.normpath(path))
