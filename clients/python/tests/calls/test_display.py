"""The bar on a terminal, with libraries that write down what they are told."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from directories import write_unfinished

if TYPE_CHECKING:
    from model import Model

pytestmark = pytest.mark.daemon

_tqdm = """
import sys

class tqdm:
    def __init__(self, **options):
        self.n = 0
        self.total = None
        print("bar:", options["desc"], file=sys.stderr)

    def update(self, count):
        self.n += count
        print("at", self.n, "of", self.total, file=sys.stderr)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        print("closed", file=sys.stderr)
"""

_rich_progress = """
import sys

class Progress:
    def __init__(self, *columns, console, transient):
        assert console.stderr

    def add_task(self, description, total):
        print("bar:", description, file=sys.stderr)
        return 7

    def update(self, task, completed, total):
        assert task == 7
        print("at", completed, "of", total, file=sys.stderr)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        print("closed", file=sys.stderr)

TextColumn = BarColumn = DownloadColumn = TransferSpeedColumn = lambda *arguments: None
"""

_rich_console = """
class Console:
    def __init__(self, stderr):
        self.stderr = stderr
"""


def _on_terminal(model: Model, script: str, **variables: str) -> str:
    """Run a script whose stderr is a terminal; return what appears there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "PYTHONPATH": str(model.packages), **model.variables, **variables},
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while True:
        # Linux says so where no process writes to a terminal any more.
        try:
            shown += os.read(ours, 4096)
        except OSError:
            break
    os.close(ours)
    assert process.wait() == 0
    return shown.decode().replace("\r\n", "\n")


_round_trip = """
    import compilecache
    print(compilecache.save_compile_cache().name)
    print(compilecache.clear_local_cache())
    print(compilecache.load_compile_cache().name)
"""


@pytest.mark.parametrize("library", ["rich", "tqdm"])
def test_a_bar_follows_the_transfer(model: Model, library: str) -> None:
    model.compile()
    # Long enough to be followed.
    write_unfinished(model.local)
    package = model.packages / library
    package.mkdir()
    (package / "__init__.py").write_text(_tqdm if library == "tqdm" else "")
    (package / "progress.py").write_text(_rich_progress)
    (package / "console.py").write_text(_rich_console)
    shown = _on_terminal(model, _round_trip)
    size = sum(path.stat().st_size for path in model.local.rglob("*") if path.is_file())
    saving, _, loading = shown.partition("True")
    assert saving.startswith("bar: saving compiled code\nat ")
    # Changes, and not the answer alone.
    assert saving.count("at ") > 1
    assert saving.endswith(f"at {size} of {size}\nclosed\nSUCCESS\n")
    assert loading.startswith("\nbar: loading compiled code\n")
    assert loading.endswith(f"at {size} of {size}\nclosed\nSUCCESS\n")

    model.compile()
    others = _on_terminal(
        model, "import compilecache; compilecache.load_compile_cache()", LOCAL_RANK="1"
    )
    assert others == ""


def test_a_bar_that_fails_is_none(model: Model) -> None:
    model.compile()
    (model.packages / "rich").mkdir()
    (model.packages / "rich" / "__init__.py").write_text("1/0")
    assert _on_terminal(model, _round_trip) == "SUCCESS\nTrue\nSUCCESS\n"


def test_a_bar_that_cannot_be_closed_is_left_behind(model: Model) -> None:
    model.compile()
    (model.packages / "tqdm.py").write_text(
        _tqdm.replace('print("closed", file=sys.stderr)', "1/0")
    )
    shown = _on_terminal(model, _round_trip)
    assert shown.partition("True")[0].endswith("SUCCESS\n")
    assert shown.endswith("SUCCESS\n")


@pytest.mark.parametrize("stderr", ["None", "Recorder()"])
def test_a_process_without_a_true_stderr_has_its_cache(model: Model, stderr: str) -> None:
    """As one that closed it to become a service, or one that keeps what is written there."""
    model.compile()
    script = f"""
    import sys

    class Recorder:
        write = flush = lambda *arguments: None

    sys.stderr = {stderr}
    {_round_trip}
    compilecache.get_b10_logger("a model's").error("none")
    """
    assert model.run(script) == "SUCCESS\nTrue\nSUCCESS\n"


def test_without_a_terminal_there_is_no_bar(model: Model) -> None:
    model.compile()
    (model.packages / "rich").mkdir()
    (model.packages / "rich" / "__init__.py").write_text("print('imported')")
    assert model.run(_round_trip) == "SUCCESS\nTrue\nSUCCESS\n"
