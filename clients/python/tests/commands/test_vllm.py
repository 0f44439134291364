from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from daemon import Daemon
from launched import Launched, ended, python
from patience import LONG_ENOUGH_SECONDS

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


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with (
        tempfile.TemporaryDirectory() as made,
        Daemon(Path(made), "--allowed-dirs", made) as started,
    ):
        yield started


@pytest.fixture
def launched(daemon: Daemon, request: pytest.FixtureRequest) -> Iterator[Launched]:
    with tempfile.TemporaryDirectory(dir=daemon.local.parent) as made:
        name = "".join(c for c in request.node.name.lower() if c.isalnum())
        with Launched(Path(made), daemon, name[:100]) as place:
            place.environment["VLLM_CACHE_ROOT"] = str(place.directory / "vllm")
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


_tell = """
    names = ["VLLM_CACHE_ROOT", "TRITON_CACHE_DIR", "HOME", "XDG_CACHE_HOME"]
    say(" ".join(f"{name}={os.environ[name]}" for name in names if name in os.environ))
"""


def test_what_torch_saved_is_not_loaded_where_vllm_looks(launched: Launched) -> None:
    """Of one namespace and environment, each root has a cache of its own."""
    assert launched.run("run", "--", *python("compile('kernel of torch')")) == 0
    assert len(launched.archives()) == 1
    server = python("""
    root = Path(os.environ["VLLM_CACHE_ROOT"])
    say(" ".join(path.name for path in root.rglob("*") if path.is_file()))
    compile("torch_compile_cache/kernel", root)
    """)
    for found in ["", "kernel"]:
        assert launched.run("--", *server, module="compilecache.commands.vllm") == 0
        assert launched.output == found
        assert len(launched.archives()) == 2
        shutil.rmtree(launched.directory / "vllm")


def test_vllm_gets_its_variables_as_they_are(launched: Launched) -> None:
    del launched.environment["VLLM_CACHE_ROOT"]
    launched.environment.pop("TRITON_CACHE_DIR", None)
    caches = launched.directory / "caches"
    places = {"HOME": "/", "XDG_CACHE_HOME": str(caches)}
    launched.environment.update(places)
    _compile(caches / "vllm")
    assert launched.run("--", *python(_tell), module="compilecache.commands.vllm") == 0
    places["TRITON_CACHE_DIR"] = str(caches / "vllm" / "triton_cache")
    names = ["TRITON_CACHE_DIR", "HOME", "XDG_CACHE_HOME"]
    assert launched.output == " ".join(f"{name}={places[name]}" for name in names)
    assert len(launched.archives()) == 1
    shutil.rmtree(caches)
    # One that the command itself sets is known, too.
    command = ["env", f"XDG_CACHE_HOME={caches}/other", *python(_tell)]
    assert launched.run("--", *command, module="compilecache.commands.vllm") == 0
    assert (caches / "other" / "vllm" / "kernel").exists()


def test_a_place_can_be_named(launched: Launched) -> None:
    place = launched.directory / "place"
    options = ["--local-dir", str(place), "--"]
    assert launched.run(*options, *python(_tell), module="compilecache.commands.vllm") == 0
    assert f"VLLM_CACHE_ROOT={place} TRITON_CACHE_DIR={place}/triton_cache" in launched.output


def test_an_empty_place_is_no_cache(launched: Launched) -> None:
    launched.environment["VLLM_CACHE_ROOT"] = ""
    process = launched.start("--", *python("sys.exit(7)"), module="compilecache.commands.vllm")
    _, errors = process.communicate()
    assert process.returncode == 7
    assert "VLLM_CACHE_ROOT is empty" in errors
    assert launched.archives() == []


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_server_on_a_socket_is_asked_there(launched: Launched, *, encrypted: bool) -> None:
    socket_path = launched.directory / "v.sock"
    options = ["--uds", str(socket_path)]
    if encrypted:
        certificate = _certificate(launched.directory)
        options += ["--ssl-certfile", certificate]
    process = launched.start(
        "--", *python(_socket_server, *options), module="compilecache.commands.vllm"
    )
    launched.wait_for_archive()
    process.send_signal(signal.SIGTERM)
    assert ended(process) == 128 + signal.SIGTERM


def test_a_server_with_a_certificate_of_its_own_is_asked(launched: Launched) -> None:
    options = ["--port", str(_free_port()), "--ssl-certfile", _certificate(launched.directory)]
    process = launched.start(
        "--", *python(_socket_server, *options), module="compilecache.commands.vllm"
    )
    launched.wait_for_archive()
    process.send_signal(signal.SIGTERM)
    assert ended(process) == 128 + signal.SIGTERM


_socket_server = """
    import socketserver, ssl
    from http.server import BaseHTTPRequestHandler, HTTPServer
    compile("torch_compile_cache/kernel", Path(os.environ["VLLM_CACHE_ROOT"]))
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/health" else 404)
            self.end_headers()
        def address_string(self):
            return "somebody"
    class SocketServer(socketserver.UnixStreamServer):
        pass
    words = sys.argv[1:]
    options = dict(zip(words[::2], words[1::2]))
    if "--uds" in options:
        server = SocketServer(options["--uds"], Handler)
    else:
        server = HTTPServer(("127.0.0.1", int(options["--port"])), Handler)
    if "--ssl-certfile" in options:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options["--ssl-certfile"])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()
"""


def _certificate(directory: Path) -> str:
    made = directory / "own.pem"
    subject = ["-subj", "/CN=elsewhere", "-days", "2", "-nodes"]
    files = ["-keyout", str(made), "-out", f"{made}.cert"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", *subject, *files],
        check=True,
        capture_output=True,
    )
    made.write_text(made.read_text() + Path(f"{made}.cert").read_text())
    return str(made)


@pytest.mark.parametrize(
    "options", [["--headless"], ["--port", "9"]], ids=["headless", "no answer"]
)
def test_what_never_answers_is_saved_when_it_ends(launched: Launched, options: list[str]) -> None:
    command = python(
        """
        compile("kernel", Path(os.environ["VLLM_CACHE_ROOT"]))
        say("started")
        signal.pause()
        """,
        *options,
    )
    process = launched.start(
        "--grace-seconds",
        str(LONG_ENOUGH_SECONDS),
        "--",
        *command,
        module="compilecache.commands.vllm",
    )
    launched.wait_for(launched.directory / "output")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=LONG_ENOUGH_SECONDS)
    assert process.returncode == 128 + signal.SIGTERM
    assert len(launched.archives()) == 1
    said = errors.splitlines()[0]
    assert "--ready-url" in said if options == ["--headless"] else "127.0.0.1:9/health" in said


def test_a_start_that_fails_is_not_saved_and_says_so(launched: Launched) -> None:
    command = python("compile('kernel', Path(os.environ['VLLM_CACHE_ROOT'])); sys.exit(3)")
    process = launched.start("--", *command, "--port", "9", module="compilecache.commands.vllm")
    _, errors = process.communicate()
    assert process.returncode == 3
    assert "nothing saved: the command failed" in errors
    assert launched.archives() == []


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
    directory.mkdir(parents=True)
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


def test_help_of_b10_compile_cache_starts_nothing(
    launched: Launched, capfd: pytest.CaptureFixture[str]
) -> None:
    assert launched.run("--help", module="compilecache.commands.b10") == 0
    assert "B10_TRANSFER_VLLM_URL" in capfd.readouterr().out


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
