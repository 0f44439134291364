from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from daemon import Daemon
from directories import facts_of, fill, temporary_directory
from launched import Launched, ended, python
from repository import node, root

pytestmark = pytest.mark.daemon

_examples = root / "examples"


def _run(example: str, *arguments: str, **variables: str) -> str:
    return subprocess.check_output(
        [sys.executable, str(_examples / example), *arguments],
        env={**os.environ, **variables},
        text=True,
    )


def test_asyncio_follows_a_save_and_a_load() -> None:
    with temporary_directory() as made, Daemon(Path(made), "--allowed-dirs", made) as daemon:
        fill(daemon.local)
        script = "asyncio/follow_transfers.py"
        output = _run(script, str(daemon.local), COMPILE_CACHE_ADDRESS=daemon.address)
        finals = [line for line in output.splitlines() if ": done" in line]
        assert [line.split()[0] for line in finals] == ["save", "load"]
        assert facts_of(Path(f"{daemon.local}.copy")) == facts_of(daemon.local)


@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="torch is not installed")
def test_pytorch_compiles_once(tmp_path: Path) -> None:
    output = _run("pytorch/twice.py", COMPILE_CACHE_NODE=str(node), XDG_RUNTIME_DIR=str(tmp_path))
    first, second = output.split("with the cache of the first:")
    assert "FX graphs: 0 hits" in first
    assert "0 misses" in second


_train = """
    found = sorted(path.name for path in local.rglob("*") if path.is_file())
    compile("kernel")
    say(" ".join(found))
"""


def test_run_finds_what_the_command_of_its_page_compiled(tmp_path: Path) -> None:
    """The page's own command, with a stand-in for train.py: torch is not needed."""
    page = (_examples / "run" / "README.md").read_text()
    (line,) = (line for line in page.splitlines() if "compilecache run --" in line)
    variable, *words = shlex.split(line)
    assert words[-2:] == ["python", "train.py"]
    _stand_in(tmp_path / "bin" / "python", _train)
    with (
        temporary_directory() as made,
        Daemon(Path(made), "--allowed-dirs", made) as daemon,
        Launched(Path(made, "place"), daemon, variable.partition("=")[2]) as place,
    ):
        _on_the_path(place, tmp_path / "bin")
        for found in ["", "kernel"]:
            shutil.rmtree(place.local, ignore_errors=True)
            assert ended(place.start_program(*words)) == 0
            assert place.output == found


_vllm = """
    from http.server import BaseHTTPRequestHandler, HTTPServer
    assert sys.argv[1:3] == ["serve", "meta-llama/Llama-3.1-8B"], sys.argv
    root = Path(os.environ["VLLM_CACHE_ROOT"])
    found = sorted(path.name for path in root.rglob("*") if path.is_file())
    compile("torch_compile_cache/kernel", root)
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/health" else 404)
            self.end_headers()
    say(" ".join(found))
    HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""


def test_vllm_serves_with_what_another_server_compiled(tmp_path: Path) -> None:
    _stand_in(tmp_path / "bin" / "vllm", _vllm)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(_examples / "vllm" / "serve.sh"), "meta-llama/Llama-3.1-8B", "--port", str(port)]
    with (
        temporary_directory() as made,
        Daemon(Path(made), "--allowed-dirs", made) as daemon,
        Launched(Path(made, "place"), daemon, "unused") as place,
    ):
        _on_the_path(place, tmp_path / "bin")
        del place.environment["COMPILE_CACHE_NAMESPACE"]
        root = Path(made, "vllm")
        place.environment["VLLM_CACHE_ROOT"] = str(root)
        place.store = daemon.store
        for found in ["", "kernel"]:
            shutil.rmtree(root, ignore_errors=True)
            server = place.start_program(*command)
            place.wait_for(place.directory / "output")
            assert place.output == found
            place.wait_for_archive()
            (place.directory / "output").unlink()
            server.send_signal(signal.SIGTERM)
            assert ended(server) == 128 + signal.SIGTERM


def _stand_in(path: Path, program: str) -> None:
    """Write a program that is started by name in place of the real one."""
    path.parent.mkdir(exist_ok=True)
    interpreter, _, source = python(program)
    path.write_text(f"#!{interpreter}\n{source}")
    path.chmod(0o755)


def _on_the_path(place: Launched, directory: Path) -> None:
    scripts = Path(sys.executable).parent
    place.environment["PATH"] = f"{directory}:{scripts}:{place.environment['PATH']}"
