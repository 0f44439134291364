from __future__ import annotations

import shutil
import signal
import socket
import tempfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from compilecache.commands.vllm import health_url
from daemon import Daemon
from launched import Launched, ended, python

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.daemon

# What vLLM does as far as a cache is concerned: it compiles, keeps other files there, then serves.
_server = """
    from http.server import BaseHTTPRequestHandler, HTTPServer
    root = Path(os.environ["VLLM_CACHE_ROOT"])
    found = sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())
    for name in ["torch_compile_cache/kernel", "modelinfos/model", "assets/picture"]:
        compile(name, root)
    compile("kernel", Path(os.environ["TRITON_CACHE_DIR"]))
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/health" else 401)
            self.end_headers()
    say(" ".join(found))
    HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""


@pytest.fixture
def launched() -> Iterator[Launched]:
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        with (
            Daemon(directory, "--allowed-dirs", made) as daemon,
            Launched(directory, daemon, "vllm") as place,
        ):
            place.environment["VLLM_CACHE_ROOT"] = str(directory / "vllm")
            yield place


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def test_a_server_finds_what_another_one_compiled(launched: Launched) -> None:
    command = python(_server, "--port", str(_free_port()))
    first = launched.start("--", *command, module="compilecache.commands.vllm")
    launched.wait_for_archive()
    assert launched.output == ""
    first.send_signal(signal.SIGTERM)
    assert ended(first) == 128 + signal.SIGTERM

    (launched.directory / "output").unlink()
    root = launched.directory / "vllm"
    shutil.rmtree(root)
    # Other files of vLLM's are no reason not to load.
    (root / "modelinfos").mkdir(parents=True)
    (root / "modelinfos" / "another").touch()
    second = launched.start("--", *command, module="compilecache.commands.vllm")
    launched.wait_for(launched.directory / "output")
    assert launched.output == ("modelinfos/another torch_compile_cache/kernel triton_cache/kernel")
    second.send_signal(signal.SIGTERM)
    assert ended(second) == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("command", "url"),
    [
        ("vllm serve model", "http://127.0.0.1:8000/health"),
        ("vllm serve model --port 8001", "http://127.0.0.1:8001/health"),
        ("vllm serve model --port=8001 --port=8002", "http://127.0.0.1:8002/health"),
        ("vllm serve --host 0.0.0.0 --port 1", "http://127.0.0.1:1/health"),
        ("vllm serve --host 10.0.0.7", "http://10.0.0.7:8000/health"),
        ("vllm serve --host ::", "http://[::1]:8000/health"),
        ("vllm serve --host fd00::1", "http://[fd00::1]:8000/health"),
        ("vllm serve --ssl_certfile=a.pem", "https://127.0.0.1:8000/health"),
    ],
)
def test_the_command_says_where_it_answers(command: str, url: str) -> None:
    assert health_url(command.split()) == url


@pytest.fixture
def ready_url() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/v1/models"
        server.shutdown()
        serving.join()


def _b10_compile_cache(launched: Launched, **variables: str) -> int:
    launched.environment.update(variables)
    return launched.run(module="compilecache.commands.b10")


def _compile(directory: Path) -> None:
    directory.mkdir()
    (directory / "kernel").touch()


def test_b10_compile_cache_saves_when_the_server_is_ready_and_loads_then(
    launched: Launched, ready_url: str
) -> None:
    root = launched.directory / "vllm"
    _compile(root)
    assert _b10_compile_cache(launched, B10_TRANSFER_VLLM_URL=ready_url) == 0
    assert len(launched.archives()) == 1
    shutil.rmtree(root)
    # What is loaded is not saved: there is no server to wait for.
    assert _b10_compile_cache(launched, B10_TRANSFER_VLLM_URL="http://127.0.0.1:9/") == 0
    assert (root / "kernel").exists()


@pytest.mark.parametrize(
    ("variables", "exit_code"),
    [
        ({"B10_TRANSFER_TIMEOUT_S": "soon"}, 1),
        ({"B10_TRANSFER_VLLM_URL": "http://127.0.0.1:9/", "B10_TRANSFER_TIMEOUT_S": "0"}, 2),
        ({"COMPILE_CACHE_ADDRESS": "unix:/nowhere/daemon.sock"}, 3),
    ],
)
def test_the_exit_code_of_b10_compile_cache_says_what_failed(
    launched: Launched, ready_url: str, variables: dict[str, str], exit_code: int
) -> None:
    defaults = {"B10_TRANSFER_VLLM_URL": ready_url, "B10_TRANSFER_INTERVAL_S": "0.1"}
    assert _b10_compile_cache(launched, **{**defaults, **variables}) == exit_code
