"""Commands that are run with a cache: what they find, what they compile, and how they end."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from patience import LONG_ENOUGH_SECONDS, wait_until

if TYPE_CHECKING:
    from daemon import Daemon


# A save may take longer on a busy machine than a container's runtime allows.
_patient_program = f"""
from compilecache.__main__ import main
from compilecache.commands import supervisor
supervisor._command_seconds_after_term = supervisor._seconds_after_term = {LONG_ENOUGH_SECONDS}
main()
"""


class Launched:
    """A place where commands run, with a daemon, a torch to find, and a cache of its own."""

    def __init__(self, directory: Path, daemon: Daemon, namespace: str) -> None:
        self.directory = directory
        self.store = daemon.store / namespace
        self.local = directory / "local"
        torch = directory / "python" / "torch"
        torch.mkdir(parents=True)
        (torch / "__init__.py").touch()
        (torch / "version.py").write_text('__version__ = "2.11.0"\ncuda = None\n')
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(torch.parent),
            "TORCHINDUCTOR_CACHE_DIR": str(self.local),
            "COMPILE_CACHE_ADDRESS": daemon.address,
            "COMPILE_CACHE_NAMESPACE": namespace,
            "COMPILE_CACHE_LOAD_DEADLINE_SECONDS": str(LONG_ENOUGH_SECONDS),
            "OUTPUT": str(directory / "output"),
        }

        self._started: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Launched:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for process in self._started:
            process.kill()
            process.communicate()

    @property
    def output(self) -> str:
        """What the command wrote to the file OUTPUT."""
        return (self.directory / "output").read_text()

    def start(
        self, *command: str, module: str = "compilecache", patient: bool = False
    ) -> subprocess.Popen[str]:
        """Start a program; if `patient`, one that takes its time after a SIGTERM."""
        program = ["-c", _patient_program] if patient else ["-m", module]
        return self.start_program(sys.executable, *program, *command)

    def start_program(self, *words: str) -> subprocess.Popen[str]:
        """Start any program, with the place's variables."""
        process = subprocess.Popen(
            words,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def run(self, *command: str, module: str = "compilecache") -> int:
        return ended(self.start(*command, module=module))

    def wait_for(self, path: Path) -> None:
        wait_until(path.exists, f"there is no {path}")

    def wait_for_archive(self) -> None:
        wait_until(self.archives, "nothing was saved")

    def archives(self) -> list[Path]:
        return [path for path in self.store.rglob("cache_*") if not path.name.startswith(".")]


def ended(process: subprocess.Popen[str]) -> int:
    """Wait, show what it said, and return its exit code."""
    try:
        output, errors = process.communicate(timeout=LONG_ENOUGH_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate()
        pytest.fail(f"it did not end:\n{output}{errors}")
    sys.stdout.write(output)
    sys.stderr.write(errors)
    return process.returncode


_prelude = """
import os, signal, sys, time
from pathlib import Path
local = Path(os.environ["TORCHINDUCTOR_CACHE_DIR"])
output = Path(os.environ["OUTPUT"])

def compile(name, directory=local):
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(name)
    # Finished long ago: a save waits for what is younger than 2 s.
    os.utime(path, (1_700_000_000, 1_700_000_000))

def say(text):
    # A reader that sees the file sees all of it.
    output.with_suffix(".new").write_text(text)
    output.with_suffix(".new").rename(output)
"""


def python(program: str, *arguments: str) -> list[str]:
    """Return the command that runs a program, which may `compile("name")` and `say("text")`."""
    return [sys.executable, "-c", _prelude + textwrap.dedent(program), *arguments]
