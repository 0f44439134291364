"""The command line in another Python: the one that has torch, where this one does not."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_program = Path(__file__).absolute().parents[1] / "_as_program.py"


def add_python_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that names it."""
    parser.add_argument(
        "--python",
        metavar="PATH",
        help="the Python that has torch (default: COMPILE_CACHE_PYTHON, else that of this program)",
    )


def continue_in(python: str | None, words: Sequence[str]) -> None:
    """Become that Python with these words, unless it is this one or none is named.

    Ends the program where there is no such Python.
    """
    named = python or os.environ.get("COMPILE_CACHE_PYTHON")
    if not named:
        return
    origin = "--python" if python else "COMPILE_CACHE_PYTHON"
    found = shutil.which(named)
    if found is None:
        print(f"compilecache: {origin} is no program: {named}", file=sys.stderr)
        sys.exit(2)
    # Not by their real paths, for those of a virtual environment are its base's.
    if os.path.abspath(found) == os.path.abspath(sys.executable):
        return
    sys.stdout.flush()
    os.execv(found, [found, str(_program), *words])
