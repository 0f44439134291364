from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from daemon import Daemon
from launched import Launched, ended, python
from patience import LONG_ENOUGH_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.daemon

_list = "say(' '.join(sorted(p.name for p in local.iterdir())) if local.exists() else 'none')"
_wait = "signal.pause()"


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        with Daemon(directory, "--allowed-dirs", made) as started:
            yield started


@pytest.fixture
def launched(daemon: Daemon, request: pytest.FixtureRequest) -> Iterator[Launched]:
    with tempfile.TemporaryDirectory(dir=daemon.local.parent) as made:
        name = "".join(c for c in request.node.name.lower() if c.isalnum())
        with Launched(Path(made), daemon, name[:100]) as place:
            yield place


def test_what_one_run_compiled_the_next_one_finds(launched: Launched) -> None:
    assert launched.run("run", "--", *python("compile('kernel')")) == 0
    assert len(launched.archives()) == 1
    shutil.rmtree(launched.local)
    assert launched.run("run", "--", *python(_list)) == 0
    assert launched.output == "kernel"


def test_a_run_adds_what_it_compiled_anew(launched: Launched) -> None:
    assert launched.run("run", "--", *python("compile('kernel')")) == 0
    assert launched.run("run", "--", *python("compile('another')")) == 0
    shutil.rmtree(launched.local)
    assert launched.run("run", "--", *python(_list)) == 0
    assert launched.output == "another kernel"


def test_what_a_crashed_start_left_is_completed(launched: Launched) -> None:
    assert launched.run("run", "--", *python("compile('kernel'); compile('another')")) == 0
    shutil.rmtree(launched.local)
    launched.local.mkdir()
    (launched.local / "half").touch()
    assert launched.run("run", "--", *python(_list)) == 0
    assert launched.output == "another half kernel"


def test_a_package_of_its_name_in_the_working_directory_is_not_run(launched: Launched) -> None:
    hostile = launched.directory / "compilecache"
    hostile.mkdir()
    (hostile / "__init__.py").write_text("raise SystemExit('hostile')")
    program = (
        "import sys; sys.path.remove('');"
        "from compilecache.__main__ import main; sys.argv[0] = 'x'; main()"
    )
    command = [sys.executable, "-c", program, "run", "--", *python("compile('kernel')")]
    subprocess.run(command, cwd=launched.directory, env=launched.environment, check=True)
    assert len(launched.archives()) == 1


def test_where_no_step_can_be_started_the_command_runs(launched: Launched) -> None:
    program = (
        "import sys; from compilecache._base import find_python; find_python._candidates = list;"
        "from compilecache.__main__ import main; sys.argv[0] = 'x'; main()"
    )
    command = [sys.executable, "-c", program, "run", "--", *python("say('started')")]
    done = subprocess.run(command, env=launched.environment, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0
    assert launched.output == "started"
    assert "no load, for it cannot be started: this process does not know its Python" in done.stderr


def test_options_say_which_directory_and_whose_cache(launched: Launched) -> None:
    elsewhere = launched.directory / "elsewhere"
    options = ["--local-dir", str(elsewhere), "--namespace", "somebody"]
    assert launched.run("run", *options, "--", *python("compile('kernel')")) == 0
    assert (elsewhere / "kernel").exists()
    assert not launched.local.exists()
    assert len(list((launched.store.parent / "somebody").glob("cache_*"))) == 1


@pytest.mark.parametrize(
    ("command", "exit_code"),
    [
        (python("sys.exit(7)"), 7),
        (python("os.kill(os.getpid(), signal.SIGSEGV)"), 128 + signal.SIGSEGV),
        (["/nowhere/command"], 127),
        (["/etc/passwd"], 126),
    ],
)
def test_the_exit_code_is_the_commands(
    launched: Launched, command: list[str], exit_code: int
) -> None:
    assert launched.run("run", *command) == exit_code


def test_no_shell_reads_the_command(launched: Launched) -> None:
    words = ["a b", "$HOME", "&", "--ready-url"]
    assert launched.run("run", "--", *python("say(repr(sys.argv[1:]))", *words)) == 0
    assert launched.output == repr(words)


def test_a_command_is_required(launched: Launched) -> None:
    assert launched.run("run", "--") == 2


def test_quiet_leaves_only_errors(launched: Launched, capsys: pytest.CaptureFixture[str]) -> None:
    assert launched.run("run", "--", *python("compile('kernel')")) == 0
    assert "saved" in capsys.readouterr().err
    launched.environment["COMPILE_CACHE_QUIET"] = "1"
    assert launched.run("run", "--", *python("compile('another')")) == 0
    assert capsys.readouterr().err == ""
    assert launched.run("run", "--", "/none/such/program") == 127
    assert "/none/such/program" in capsys.readouterr().err


def test_saves_once_the_url_answers(launched: Launched) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = python(f"""
        from http.server import BaseHTTPRequestHandler, HTTPServer
        asked = 0
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                global asked
                asked += 1
                # As a server that is up before its model is.
                self.send_response(503 if asked < 3 else 200)
                if asked == 2:
                    compile("kernel")
                self.end_headers()
        HTTPServer(("127.0.0.1", {port}), Handler).serve_forever()
    """)
    process = launched.start("run", "--ready-url", f"http://127.0.0.1:{port}/", "--", *server)
    launched.wait_for_archive()
    process.send_signal(signal.SIGTERM)
    assert ended(process) == 128 + signal.SIGTERM
    shutil.rmtree(launched.local)
    assert launched.run("run", "--", *python(_list)) == 0
    assert launched.output == "kernel"


def test_saves_once_the_file_is_new(launched: Launched) -> None:
    ready = launched.directory / "output"
    ready.write_text("of an earlier run")
    command = python(f"time.sleep(2.5); compile('kernel'); say('ready'); {_wait}")
    process = launched.start("run", "--ready-file", str(ready), "--", *command)
    launched.wait_for_archive()
    assert launched.output == "ready"
    process.send_signal(signal.SIGTERM)
    assert ended(process) == 128 + signal.SIGTERM


def test_a_command_that_ends_before_it_is_ready_ends_the_run(launched: Launched) -> None:
    command = python("compile('kernel'); sys.exit(3)")
    assert launched.run("run", "--ready-file", "/nowhere/file", "--", *command) == 3
    assert launched.archives() == []


def test_sigterm_reaches_the_command_and_what_it_compiled_is_saved(launched: Launched) -> None:
    command = python(f"""
        def stop(*_):
            compile("kernel")
            sys.exit(0)
        signal.signal(signal.SIGTERM, stop)
        say("started")
        {_wait}
    """)
    process = launched.start("run", "--", *command, patient=True)
    launched.wait_for(launched.directory / "output")
    process.send_signal(signal.SIGTERM)
    assert ended(process) == 0
    assert len(launched.archives()) == 1


def test_a_command_that_ignores_sigterm_is_killed_in_time(launched: Launched) -> None:
    command = python(f"signal.signal(signal.SIGTERM, signal.SIG_IGN); say('started'); {_wait}")
    process = launched.start("run", "--", *command)
    launched.wait_for(launched.directory / "output")
    process.send_signal(signal.SIGTERM)
    assert ended(process) == 128 + signal.SIGKILL


def test_other_signals_reach_the_command(launched: Launched) -> None:
    command = python(f"""
        signal.signal(signal.SIGUSR1, lambda *_: sys.exit(21))
        say("started")
        {_wait}
    """)
    process = launched.start("run", "--", *command)
    launched.wait_for(launched.directory / "output")
    process.send_signal(signal.SIGUSR1)
    assert ended(process) == 21


def test_sigterm_during_the_load_ends_the_run(launched: Launched) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"{launched.directory}/silent.sock")
        silent.listen()
        address = f"unix:{launched.directory}/silent.sock"
        launched.environment["COMPILE_CACHE_ADDRESS"] = address
        process = launched.start("run", "--", *python("say('started')"))
        connection, _ = silent.accept()
        with connection:
            process.send_signal(signal.SIGTERM)
            # The load still hangs.
            assert ended(process) == 128 + signal.SIGTERM
    assert not (launched.directory / "output").exists()


def test_without_a_daemon_the_command_runs(launched: Launched) -> None:
    launched.environment["COMPILE_CACHE_ADDRESS"] = f"unix:{launched.directory}/none.sock"
    process = launched.start("run", "--", *python("say('started')"))
    _, errors = process.communicate()
    assert process.returncode == 0
    assert launched.output == "started"
    assert "none.sock" in errors


def test_the_first_process_of_a_container_leaves_no_zombies(launched: Launched) -> None:
    isolated = ["unshare", "--fork", "--pid", "--mount-proc", "--kill-child"]
    if not shutil.which("unshare") or subprocess.run([*isolated, "true"]).returncode != 0:
        pytest.skip("no right to a process namespace here")
    command = python("""
        for _ in range(5):
            if os.fork() == 0:
                if os.fork() == 0:
                    time.sleep(0.2)
                os._exit(0)
            os.wait()
        # In the end there are this process and its parent; one that is not reaped would stay.
        until = time.monotonic() + 60
        while len(list(Path("/proc").glob("[0-9]*"))) > 2 and time.monotonic() < until:
            time.sleep(0.05)
        stats = [path.read_text() for path in Path("/proc").glob("[0-9]*/stat")]
        states = [stat.rpartition(")")[2].split()[0] for stat in stats]
        say(f"{os.getppid()} {states.count('Z')}")
    """)
    own = [sys.executable, "-m", "compilecache", "run", "--"]
    done = subprocess.run(
        [*isolated, *own, *command], env=launched.environment, timeout=LONG_ENOUGH_SECONDS
    )
    assert done.returncode == 0
    assert launched.output == "1 0"


def test_a_command_gets_signals_as_they_were_before(launched: Launched) -> None:
    command = python("""
        lines = Path("/proc/self/status").read_text().splitlines()
        say(" ".join(line.split()[1] for line in lines if line.startswith("SigBlk")))
        os.kill(os.getpid(), signal.SIGTERM)
    """)
    assert launched.run("run", "--", *command) == 128 + signal.SIGTERM
    assert int(launched.output, 16) == 0


def test_standard_output_is_the_commands_alone(launched: Launched) -> None:
    process = launched.start("run", "--", *python("compile('kernel'); print('hello')"))
    output, _ = process.communicate()
    assert output == "hello\n"
    assert os.listdir(launched.local) == ["kernel"]
