"""The program that is both the daemon and the command line: a launcher for Node."""

from __future__ import annotations

from pathlib import Path

daemon_program = Path(__file__).absolute().parents[1] / "_server" / "bin" / "compilecache.js"
