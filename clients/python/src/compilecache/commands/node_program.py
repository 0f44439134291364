"""The commands that are not Python's: the daemon's program has them, and Node runs it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from compilecache._daemon.daemon_environment import daemon_environment
from compilecache._daemon.node import find_node
from compilecache._daemon.program import daemon_program
from compilecache.exceptions import CacheServiceError

if TYPE_CHECKING:
    from collections.abc import Sequence

_help = """\
Usage: compilecache <command> [options]

  run -- CMD...  run a command with its compile cache
  env            print the environment that a cache is for

The other commands (serve, load, save, ls, ...) and their help"""


def become_node_program(words: Sequence[str]) -> NoReturn:
    """Replace this process by that program; ends with a sentence where there is no Node for it."""
    try:
        command, environment = node_command(words)
    except CacheServiceError as error:
        _end_without_node(words, str(error))
    sys.stdout.flush()
    try:
        os.execve(command[0], command, environment)
    except OSError as error:
        print(f"compilecache: {command[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(1)


def node_command(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return the command with these words, and its variables.

    They say that this Python is the one to ask about the environment. Raises CacheServiceError.
    """
    environment = daemon_environment()
    if not environment.get("COMPILE_CACHE_PYTHON"):
        environment["COMPILE_CACHE_PYTHON"] = sys.executable
    return [find_node(), str(daemon_program), *words], environment


def _end_without_node(words: Sequence[str], why: str) -> NoReturn:
    configured = os.environ.get("COMPILE_CACHE_NODE")
    needed = why if configured else "need Node 24 or newer: pip install 'compilecache[server]'"
    if not words or words[0] in ("--help", "-h", "help"):
        print(f"{_help} {needed}")
        sys.exit(0)
    needs = why if configured else needed.replace("need", "needs", 1)
    print(f"compilecache: {words[0]} {needs}", file=sys.stderr)
    sys.exit(1)
