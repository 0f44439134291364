"""Which file or directory this process sees at a path."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compilecache._base.local_directory import LocalDir

# What stands for "nothing is there", which no file's identity is.
_nothing = "0:0"


def identity_of(path: LocalDir, *, or_above: bool = False) -> str:
    """Return what this process sees at a path, as the contract writes it.

    `or_above` asks for the deepest directory that exists. Empty where it cannot be found out.
    """
    absolute = os.path.abspath(path)
    try:
        found = os.stat(absolute)
    except (FileNotFoundError, NotADirectoryError):
        parent = os.path.dirname(absolute)
        return identity_of(parent, or_above=True) if or_above and parent != absolute else _nothing
    # A path that the system refuses, such as one with a NUL, is the daemon's to judge.
    except (OSError, ValueError):
        return ""
    return f"{found.st_dev}:{found.st_ino}"


def source_identity_of(path: LocalDir) -> str:
    """Return the same for what is to be copied; empty for nothing: the store need not be here."""
    found = identity_of(path)
    return "" if found == _nothing else found
