"""What commands that stand around another one say on stderr, beside what that one prints."""

from __future__ import annotations

import sys

from compilecache.logger import is_quiet


def say(sentence: str) -> None:
    """Say what is wrong."""
    print(f"compilecache: {sentence}", file=sys.stderr)


def tell(sentence: str) -> None:
    """Tell what is done, unless COMPILE_CACHE_QUIET asks for errors alone."""
    if not is_quiet():
        say(sentence)
