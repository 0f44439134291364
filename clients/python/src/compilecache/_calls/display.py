"""A bar on the terminal, for loads and saves that are waited for."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator

    from compilecache._base.answers import TransferState


class ProgressDisplay(Protocol):
    """Shows one transfer."""

    def show(self, state: TransferState) -> None:
        """Show how far it is."""
        ...


@contextmanager
def progress_display(title: str) -> Generator[ProgressDisplay | None, None, None]:
    """Show a bar by rich or tqdm; none without them, and where stderr is no terminal.

    Of several processes of one job, which share a terminal, the first has it.
    """
    opened = ExitStack()
    display = None
    # A broken library, or a stderr that is no stream, only means that there is no bar.
    with suppress(Exception):
        if sys.stderr.isatty() and os.environ.get("LOCAL_RANK", "0") == "0":
            if importlib.util.find_spec("rich"):
                display = opened.enter_context(_rich_display(title))
            elif importlib.util.find_spec("tqdm"):
                display = opened.enter_context(_tqdm_display(title))
    try:
        yield display
    finally:
        with suppress(Exception):
            opened.close()


@contextmanager
def _rich_display(title: str) -> Generator[ProgressDisplay, None, None]:
    library: Any = importlib.import_module("rich.progress")
    columns = [
        library.TextColumn(title),
        library.BarColumn(),
        library.DownloadColumn(),
        library.TransferSpeedColumn(),
    ]
    console = importlib.import_module("rich.console").Console(stderr=True)
    with library.Progress(*columns, console=console, transient=True) as progress:
        yield _RichDisplay(progress, progress.add_task(title, total=None))


class _RichDisplay:
    def __init__(self, progress: Any, task: Any) -> None:  # noqa: ANN401 - it has no types here
        self._progress = progress
        self._task = task

    def show(self, state: TransferState) -> None:
        total = state.bytes_total or None
        self._progress.update(self._task, completed=state.bytes_done, total=total)


@contextmanager
def _tqdm_display(title: str) -> Generator[ProgressDisplay, None, None]:
    library: Any = importlib.import_module("tqdm")
    with library.tqdm(desc=title, unit="B", unit_scale=True, leave=False) as bar:
        yield _TqdmDisplay(bar)


class _TqdmDisplay:
    def __init__(self, bar: Any) -> None:  # noqa: ANN401 - it has no types here
        self._bar = bar

    def show(self, state: TransferState) -> None:
        self._bar.total = state.bytes_total or None
        self._bar.update(state.bytes_done - self._bar.n)
