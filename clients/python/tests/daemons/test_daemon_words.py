from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from compilecache._daemon.words import why_it_ended

if TYPE_CHECKING:
    from pathlib import Path

_trace = """\
node:internal/modules/cjs/loader:1386
  throw err;
  ^

Error: Cannot find module '/missing.js'
Require stack:
- internal/preload
    at Function._resolveFilename (node:internal/modules/cjs/loader:1383:15) {
  code: 'MODULE_NOT_FOUND',
  requireStack: [ 'internal/preload' ]
}

Node.js v24.11.0
"""
_own = """\
{"level":"info","message":"reading"}
{"level":"error","message":"the socket is gone","error":"Error: EIO: i/o error\\n    at open"}
"""


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (_trace, "Error: Cannot find module '/missing.js'"),
        (_own, "the socket is gone: Error: EIO: i/o error"),
        ("x\nTypeError [ERR_INVALID_ARG]: it is\n  at y", "TypeError [ERR_INVALID_ARG]: it is"),
        (
            "node: error while loading shared libraries: libx.so: no such file",
            "node: error while loading shared libraries: libx.so: no such file",
        ),
        (
            "node: --foo is not allowed in NODE_OPTIONS",
            "node: --foo is not allowed in NODE_OPTIONS",
        ),
        (
            "node[7]: Start at a.cc:9\n  #  Assertion failed: (0) == (r)\n\n 1: 0x7f",
            "#  Assertion failed: (0) == (r)",
        ),
        ("Segmentation fault", "Segmentation fault"),
        ("a\nb\nc\nd", "b; c; d"),
        ('{"level":"info","message":"listening"}', "its log says nothing"),
        ("", "its log says nothing"),
    ],
)
def test_the_line_that_tells_why_is_quoted(tmp_path: Path, log: str, words: str) -> None:
    (tmp_path / "log").write_text(log)
    assert str(why_it_ended(tmp_path / "log")) == words
    assert not why_it_ended(tmp_path / "log").is_refusal


def test_a_refusal_is_quoted_whole(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("Error: x\ncompilecache: A: 1 is wrong\ncompilecache: B: 2 is\n")
    words = why_it_ended(tmp_path / "log")
    assert words.is_refusal
    assert str(words) == "A: 1 is wrong; B: 2 is"


def test_a_log_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert str(why_it_ended(tmp_path / "none")) == "its log says nothing"
