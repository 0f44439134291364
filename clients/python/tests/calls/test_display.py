"""How far a transfer is: on a terminal, in a notebook, in a log."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import textwrap
import types
from typing import TYPE_CHECKING

import pytest

from compilecache._base.answers import TransferState
from compilecache._calls import display
from compilecache._calls.display import progress_display
from directories import write_unfinished

if TYPE_CHECKING:
    from model import Model

pytestmark = pytest.mark.daemon


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "is_terminal", lambda: True)


def _state(done: int, total: int, *, is_final: bool) -> TransferState:
    return TransferState(
        operation_id="",
        operation_name="",
        kind="LOAD",
        status="SUCCESS" if is_final else "IN_PROGRESS",
        phase="",
        namespace="",
        cache_key="",
        started_at=0,
        completed_at=None,
        bytes_done=done,
        bytes_total=total,
        files_done=0,
        files_total=0,
        error=None,
        outcome=None,
        skip_reason=None,
        closest=None,
        note="",
        other_namespaces=[],
        archive_name="",
        archive_bytes=0,
        left_out=[],
        local_file_count=0,
        stored_file_count=0,
    )


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


def _drawn(shown: str) -> list[str]:
    """What a terminal's lines have shown, one after the other; empty where they were cleared."""
    return [text.rstrip() for text in re.split("[\r\n]", shown)]


def test_a_bar_follows_the_transfer_and_leaves_nothing(model: Model) -> None:
    model.compile()
    # Long enough to be followed.
    write_unfinished(model.local)
    shown = _on_terminal(model, _round_trip, NO_COLOR="1")
    saving, _, loading = shown.partition("True")
    for title, part in (("saving compiled code", saving), ("loading compiled code", loading)):
        drawn = [text for text in _drawn(part) if text.startswith(title)]
        assert drawn[0] == title
        assert re.fullmatch(rf"{title} \[#+\] 100% of [0-9.]+ [kM]B(, .*/s)?", drawn[-1])
        assert max(map(len, drawn)) < 80
        # The last that was drawn is gone before the line that says what came of it.
        after = part[part.rindex(drawn[-1]) + len(drawn[-1]) :]
        assert re.match(r"\r *\r\[compilecache\] INFO - (saved|loaded) ", after)


def test_of_several_processes_the_first_has_the_bar(model: Model) -> None:
    model.compile()
    others = _on_terminal(
        model, "import compilecache; compilecache.load_compile_cache()", LOCAL_RANK="1"
    )
    assert "\r" not in others
    assert "holds files already" in others


def test_quiet_is_without_a_bar(model: Model) -> None:
    model.compile()
    assert _on_terminal(model, _round_trip, COMPILE_CACHE_QUIET="1") == "SUCCESS\nTrue\nSUCCESS\n"


def test_a_total_never_falls(capsys: pytest.CaptureFixture[str], terminal: None) -> None:
    with progress_display("loading") as display:
        assert display
        for done, total in ((0, 0), (50, 100), (50, 80), (100, 100)):
            display.show(_state(done, total, is_final=True))
    drawn = [text for text in _drawn(capsys.readouterr().err) if text]
    assert [re.sub(r"\[.*\]", "", text) for text in drawn] == [
        "loading",
        "loading",
        "loading   50% of 100 bytes",
        "loading   50% of 100 bytes",
        "loading  100% of 100 bytes",
    ]


def test_a_notebook_has_a_bar_without_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = types.SimpleNamespace(kernel=object())
    ipython = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    with progress_display("loading") as display:
        assert display
        display.show(_state(50, 100, is_final=True))
    assert "50% of 100 bytes" in capsys.readouterr().err
    del shell.kernel
    with progress_display("loading"):
        assert capsys.readouterr().err == ""


def test_a_log_hears_now_and_then_of_what_takes_long(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with progress_display("loading compiled code") as shown:
        assert shown
        for at in (1, 9, 11, 12, 22, 40):
            now[0] = 100.0 + at
            shown.show(_state(at, 0 if at == 11 else 44, is_final=at == 40))
    assert [record.getMessage() for record in caplog.records] == [
        "loading compiled code, for 11 s: not begun",
        "loading compiled code, for 22 s: 22 bytes of 44 bytes",
    ]


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
