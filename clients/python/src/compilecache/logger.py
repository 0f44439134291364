"""The log of the model-facing calls.

Each call says in one line what came of it. Where the program has set up logging, that decides what
is heard; where it has not, lines from INFO on go to stderr.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from compilecache._harmless_text import harmless

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger("b10_transfer")
"""Where all of it goes. `b10_tcache`, its name in the past, is above it and sets its level."""
_above = logging.getLogger("b10_tcache")
logger.parent = _above


class _DefaultLevel(int):
    """A level that nobody has chosen: it can be told from the same one that somebody has."""


if _above.level == logging.NOTSET:
    _above.setLevel(_DefaultLevel(logging.INFO))

_colours = {logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "31"}


def is_quiet() -> bool:
    """Whether COMPILE_CACHE_QUIET asks for errors alone; not what a program's own logging hears."""
    value = os.environ.get("COMPILE_CACHE_QUIET", "").strip().lower()
    return value not in ("", "0", "false", "no", "off")


def has_default_output() -> bool:
    """Whether lines go to stderr because the program has set up nothing else for them."""
    return not any(handler is not _default_handler for handler in _handlers())


def _handlers() -> Iterator[logging.Handler]:
    found: logging.Logger | None = logger
    while found:
        yield from found.handlers
        found = found.parent if found.propagate else None


class _Formatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("[compilecache] %(levelname)s - %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        if os.environ.get("NO_COLOR") or not is_terminal():
            return line
        return f"\033[{_colours.get(record.levelno, '36')}m{line}\033[0m"


def is_terminal() -> bool:
    """Whether stderr is a terminal. It may be None, or what other code put in its place."""
    with suppress(Exception):
        return bool(sys.stderr.isatty())
    return False


class _DefaultHandler(logging.Handler):
    """Writes to what stderr is by then, where nothing of the program's takes a line."""

    def emit(self, record: logging.LogRecord) -> None:
        if not has_default_output() or (is_quiet() and record.levelno < logging.ERROR):
            return
        # A stderr that is closed, or none, only means that nobody reads it.
        with suppress(Exception):
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()


_default_handler = _DefaultHandler()
_default_handler.setFormatter(_Formatter())
logger.addHandler(_default_handler)


def _is_wanted(record: logging.LogRecord) -> bool:
    """Go by the level of the program's own logging, where it has one and names none for this."""
    chosen = logger.level != logging.NOTSET or not isinstance(_above.level, _DefaultLevel)
    if chosen or has_default_output() or _above.parent is None:
        return True
    return record.levelno >= _above.parent.getEffectiveLevel()


def _make_harmless(record: logging.LogRecord) -> bool:
    """Have what a line names, such as files, neither end it nor command a terminal."""
    record.msg, record.args = harmless(record.getMessage()), ()
    return True


logger.addFilter(_is_wanted)
logger.addFilter(_make_harmless)


def get_b10_logger(name: str) -> logging.Logger:
    """Return the logger `name`, which writes to stderr from INFO on, in colour on a terminal.

    The same logger, with one handler, however often it is asked for. It passes nothing on.
    """
    found = logging.getLogger(name)
    handlers = [handler for handler in found.handlers if handler is not _default_handler]
    if not any(isinstance(handler.formatter, _Formatter) for handler in handlers):
        handler = logging.StreamHandler()
        handler.setFormatter(_Formatter())
        found.addHandler(handler)
        found.setLevel(logging.INFO)
        found.propagate = False
    return found
