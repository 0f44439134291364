"""What a daemon's log says of its end, in a line."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

# What the daemon puts before the reason when it refuses to start.
_refusal = "compilecache: "
# The line of a trace that tells why, as in "TypeError [ERR_X]: ..." and "node: error while ...".
_telling = re.compile(
    r"\b\w*error\b[^:]*: |assertion failed|\bfatal\b|: .*(not allowed|not found|bad option)",
    re.IGNORECASE,
)
_most_lines = 3


@dataclass(frozen=True)
class LastWords:
    """Why a daemon ended."""

    text: str
    is_refusal: bool
    """Whether it said so itself, and would say the same again."""

    def __str__(self) -> str:
        """Return the text."""
        return self.text


def why_it_ended(log: Path) -> LastWords:
    """Return what the log says: the daemon's own words, else the line that tells of the error."""
    lines: list[str] = []
    with contextlib.suppress(OSError):
        lines = log.read_text("utf-8", "replace").splitlines()
    refused = [line[len(_refusal) :] for line in lines if line.startswith(_refusal)]
    if refused:
        return LastWords("; ".join(refused), True)
    said = [_text_of(line) for line in lines]
    said = [line for line in said if line]
    telling = next((line for line in said if _telling.search(line)), None)
    return LastWords(telling or "; ".join(said[-_most_lines:]) or "its log says nothing", False)


def _text_of(line: str) -> str:
    """Return a line as people read it, and nothing for what only informs."""
    try:
        entry: Any = json.loads(line)
        level, message = entry["level"], entry["message"]
    except (ValueError, TypeError, KeyError):
        return line.strip()
    if level in ("info", "debug"):
        return ""
    cause = str(entry.get("error") or entry.get("reason") or "").partition("\n")[0]
    return f"{message}: {cause}" if cause else str(message)
