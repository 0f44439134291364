"""The log of the model-facing calls."""

from __future__ import annotations

import logging
import sys

from compilecache._harmless_text import harmless

logger = logging.getLogger("b10_transfer")
"""Where all of it goes. `b10_tcache`, which has been its name too, is above it and sets its level.

Has no handler of its own: warnings reach stderr, the rest what the program has set up.
"""
logger.parent = logging.getLogger("b10_tcache")


def _make_harmless(record: logging.LogRecord) -> bool:
    """Have what a line names, such as files, neither end it nor command a terminal."""
    record.msg, record.args = harmless(record.getMessage()), ()
    return True


logger.addFilter(_make_harmless)

_colours = {logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "31"}


class _Formatter(logging.Formatter):
    def __init__(self, coloured: bool) -> None:
        super().__init__("[compilecache] %(levelname)s - %(message)s")
        self._coloured = coloured

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        if not self._coloured:
            return line
        return f"\033[{_colours.get(record.levelno, '36')}m{line}\033[0m"


def get_b10_logger(name: str) -> logging.Logger:
    """Return the logger `name`, which writes to stderr from INFO on, in colour on a terminal.

    The same logger, with one handler, however often it is asked for. It passes nothing on.
    """
    found = logging.getLogger(name)
    if not any(isinstance(handler.formatter, _Formatter) for handler in found.handlers):
        handler = logging.StreamHandler()
        # It may be None, or what other code put in its place.
        on_terminal = getattr(sys.stderr, "isatty", None)
        handler.setFormatter(_Formatter(bool(on_terminal and on_terminal())))
        found.addHandler(handler)
        found.setLevel(logging.INFO)
        found.propagate = False
    return found
