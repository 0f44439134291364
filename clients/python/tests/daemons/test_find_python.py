"""Programs that are no Python, or say that they are none, and hold a model that uses the cache.

Its daemon is reached by TCP: only there does a call need a process, and so a Python to start.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from daemon import Daemon
from directories import facts_of, temporary_directory
from model import Model
from patience import LONG_ENOUGH_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.daemon

# Runs the model's program again, whatever its arguments are, as a host does that holds a Python; it
# notes that it was started.
_copies_itself = """#!/bin/sh
echo started >> {notes}
exec {python} {program}
"""
_model = """
import os, sys
sys.executable = os.environ["HOST"]
exec(os.environ["BEFORE"])
import compilecache
compilecache.clear_local_cache()
print(compilecache.load_compile_cache().name)
print(compilecache.save_compile_cache().name)
"""


@pytest.fixture(scope="module")
def daemon_by_tcp() -> Iterator[tuple[Daemon, str]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with (
        temporary_directory() as directory,
        Daemon(Path(directory), "--listen", address) as daemon,
    ):
        yield daemon, address


@pytest.fixture
def model(daemon_by_tcp: tuple[Daemon, str], tmp_path: Path) -> Model:
    daemon, address = daemon_by_tcp
    made = Model(daemon, tmp_path)
    made.variables["COMPILE_CACHE_ADDRESS"] = address
    return made


@pytest.fixture(autouse=True)
def _stored(model: Model) -> None:
    script = "import compilecache; print(compilecache.save_compile_cache().name)"
    model.compile(5)
    assert model.run(script) == "SUCCESS\n"


def _run(model: Model, tmp_path: Path, host: str, before: str = "") -> tuple[str, int]:
    """Run a model whose sys.executable is a host; return what it prints, and the host's starts."""
    program, executable, notes = (tmp_path / name for name in ("model.py", "host", "notes"))
    program.write_text(_model)
    executable.write_text(host.format(notes=notes, python=sys.executable, program=program))
    executable.chmod(0o755)
    done = subprocess.run(
        [sys.executable, str(program)],
        env={
            **os.environ,
            **model.variables,
            "PYTHONPATH": str(model.packages),
            "HOST": str(executable) if host else "",
            "BEFORE": before,
        },
        stdout=subprocess.PIPE,
        timeout=LONG_ENOUGH_SECONDS,
        text=True,
    )
    return done.stdout, len(notes.read_text().splitlines()) if notes.exists() else 0


# As in a program that brings no Python beside it.
_nothing_installed = (
    "sys.prefix = sys.exec_prefix = sys.base_prefix = sys._base_executable = '/none'"
)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "#!/bin/sh\necho started >> {notes}; exit 3",
        "#!/bin/sh\necho started >> {notes}; echo $*",
        "#!/bin/sh\necho started >> {notes}; cat {program}",
        "no program, but a file that may be run",
        _copies_itself,
    ],
    ids=["none", "refuses", "repeats", "talks", "is no program", "copies itself"],
)
@pytest.mark.parametrize("before", ["", _nothing_installed], ids=["installed", "packed"])
def test_a_host_that_is_no_python(model: Model, tmp_path: Path, host: str, before: str) -> None:
    output, starts = _run(model, tmp_path, host, before)
    assert output == "SUCCESS\nSKIPPED\n"
    assert len(facts_of(model.local)) == 5
    # An installed Python is found without it, and else it is tried once.
    assert starts == (1 if before and "{notes}" in host else 0)


def test_a_host_that_hangs_is_left_when_its_time_is_up(model: Model, tmp_path: Path) -> None:
    soon = "import compilecache._base.find_python as f; f._seconds_to_answer = 0.5"
    hangs = "#!/bin/sh\necho started >> {notes}; sleep 600 & sleep 600"
    output, starts = _run(model, tmp_path, hangs, f"{_nothing_installed}; {soon}")
    assert output == "SUCCESS\nSKIPPED\n"
    assert starts == 1
    assert not subprocess.run(["pgrep", "-f", str(tmp_path / "host")], capture_output=True).stdout


def test_a_script_that_starts_python_is_one(model: Model, tmp_path: Path) -> None:
    script = '#!/bin/sh\necho started >> {notes}; exec {python} "$@"'
    output, starts = _run(model, tmp_path, script, _nothing_installed)
    assert output == "SUCCESS\nSKIPPED\n"
    # The trial, and three calls.
    assert starts == 4


def test_a_call_of_a_thread_that_takes_too_long_ends(model: Model, tmp_path: Path) -> None:
    """Its caller has its answer in time, as from a process."""
    before = f"{_nothing_installed}; os.environ['COMPILE_CACHE_LOAD_DEADLINE_SECONDS'] = '0.000001'"
    output, _ = _run(model, tmp_path, "", before)
    assert output == "DOES_NOT_EXIST\nSKIPPED\n"


def test_of_a_program_that_says_it_is_packed_no_copy_is_started(
    model: Model, tmp_path: Path
) -> None:
    before = f"sys.frozen = True; {_nothing_installed}"
    assert _run(model, tmp_path, _copies_itself, before) == ("SUCCESS\nSKIPPED\n", 0)


def test_a_fork_after_a_call_of_a_thread_is_told_at_once(model: Model, tmp_path: Path) -> None:
    """gRPC would hang in it until a deadline."""
    fork = "import compilecache; compilecache.load_compile_cache(); child = os.fork()"
    end = "child and (os.waitpid(child, 0), os._exit(0))"
    output, _ = _run(model, tmp_path, "", f"{_nothing_installed}; {fork}; {end}")
    assert output == "ERROR\nERROR\n"
