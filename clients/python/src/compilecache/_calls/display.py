"""How far a load or a save is, while it is waited for."""

from __future__ import annotations

import os
import shutil
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

from compilecache._base.amounts import size_text
from compilecache.logger import is_quiet, is_terminal, logger

if TYPE_CHECKING:
    from collections.abc import Generator

    from compilecache._base.answers import TransferState

_least_seconds_between_drawings = 0.1
_seconds_between_lines = 10.0
_bar_columns = 24
# A line that fills a terminal's last column breaks there.
_most_columns = 79


class ProgressDisplay(Protocol):
    """Shows one transfer."""

    def show(self, state: TransferState) -> None:
        """Show how far it is."""
        ...


@contextmanager
def progress_display(title: str) -> Generator[ProgressDisplay | None, None, None]:
    """Show a bar on a terminal or in a notebook; elsewhere, say now and then how far it is.

    None under COMPILE_CACHE_QUIET. Of several processes of one job, the first shows it.
    """
    if is_quiet() or os.environ.get("LOCAL_RANK", "0") != "0":
        yield None
    elif is_terminal() or _is_notebook():
        bar = _Bar(title)
        try:
            yield bar
        finally:
            bar.close()
    else:
        yield _Lines(title)


class _Bar:
    """One line of stderr that is drawn again and again, and is gone in the end."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._drawn = ""
        self._drawn_at = 0.0
        self._begun = time.monotonic()
        self._done = 0
        self._total = 0
        self._draw(title)

    def show(self, state: TransferState) -> None:
        """Draw it, but not faster than can be read, and never less than before."""
        self._done = max(self._done, state.bytes_done)
        self._total = max(self._total, state.bytes_total, self._done)
        now = time.monotonic()
        if state.is_final or now >= self._drawn_at + _least_seconds_between_drawings:
            self._drawn_at = now
            self._draw(self._text(now))

    def close(self) -> None:
        """Leave an empty line."""
        self._draw("")

    def _text(self, now: float) -> str:
        if not self._total:
            return self._title
        part = self._done / self._total
        filled = int(part * _bar_columns)
        bar = "#" * filled + "." * (_bar_columns - filled)
        text = f"{self._title} [{bar}] {int(part * 100):3d}% of {size_text(self._total)}"
        seconds = now - self._begun
        return f"{text}, {size_text(int(self._done / seconds))}/s" if seconds > 1 else text

    def _draw(self, text: str) -> None:
        # A stderr that is closed, or none, only means that there is no bar.
        with suppress(Exception):
            text = text[: min(_most_columns, shutil.get_terminal_size().columns - 1)]
            covered = text.ljust(len(self._drawn))
            sys.stderr.write(f"\r{covered}\r{text}" if covered != text else f"\r{text}")
            sys.stderr.flush()
            self._drawn = text


class _Lines:
    """A line of the log every few seconds, which a short transfer ends before."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._begun = self._told_at = time.monotonic()

    def show(self, state: TransferState) -> None:
        """Say how far it is, if that was not said just now."""
        now = time.monotonic()
        if state.is_final or now < self._told_at + _seconds_between_lines:
            return
        self._told_at = now
        done, total = size_text(state.bytes_done), size_text(state.bytes_total)
        far = f"{done} of {total}" if state.bytes_total else "not begun"
        logger.info("%s, for %.0f s: %s", self._title, now - self._begun, far)


def _is_notebook() -> bool:
    """Whether this runs in a kernel of IPython, whose stderr is shown below a cell."""
    ipython: Any = sys.modules.get("IPython")
    with suppress(Exception):
        return hasattr(ipython.get_ipython(), "kernel")
    return False
