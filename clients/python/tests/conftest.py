"""Scripted daemons: real gRPC servers that say what a real daemon cannot be made to say."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from compilecache import AsyncCacheClient, CacheClient
from compilecache._daemon import address as daemon_address
from compilecache.v1.cache_service_pb2_grpc import (
    CacheServiceServicer,
    add_CacheServiceServicer_to_server,
)
from daemon import Daemon, daemons_of
from directories import temporary_directory
from model import Model, forget_everything, import_first_from
from patience import LONG_ENOUGH_SECONDS
from repository import need_node, node
from started import ELSEWHERE

if TYPE_CHECKING:
    from collections.abc import Iterator

Serve = Callable[..., str]
Call = Callable[..., Any]
Settings = dict[str, Any]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("ADDRESS", "NAMESPACE", "TOKEN"):
        monkeypatch.delenv(f"COMPILE_CACHE_{variable}", raising=False)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve the RPCs given by name, such as `Load=lambda request, context: ...`."""
    servers: list[grpc.Server] = []
    # A socket's path is at most 107 bytes long, which tmp_path can exceed.
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor() as threads:

        def start(**methods: Callable[[Any, Any], Any]) -> str:
            handlers = {name: staticmethod(method) for name, method in methods.items()}
            service = type("ScriptedService", (CacheServiceServicer,), handlers)()
            server = grpc.server(threads)
            servers.append(server)
            add_CacheServiceServicer_to_server(service, server)
            address = f"unix:{directory}/{len(servers)}.sock"
            server.add_insecure_port(address)
            server.start()
            return address

        yield start
        for server in servers:
            server.stop(None).wait()


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's runtime directory; daemons that the package starts there are killed."""
    need_node()
    with tempfile.TemporaryDirectory() as made:
        monkeypatch.setenv("XDG_RUNTIME_DIR", made)
        monkeypatch.setenv("COMPILE_CACHE_NODE", str(node))
        monkeypatch.setenv("B10FS_CACHE_DIR", f"{made}/store")
        monkeypatch.delenv("COMPILE_CACHE_STORE", raising=False)
        monkeypatch.setattr(daemon_address, "SYSTEM_SOCKET", ELSEWHERE)
        yield Path(made)
        for pid in daemons_of(made):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def shared_daemon() -> Iterator[Daemon]:
    with temporary_directory() as directory, Daemon(Path(directory)) as made:
        yield made


@pytest.fixture
def model(
    shared_daemon: Daemon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Model]:
    """What surrounds a model: a daemon, a torch to find, a local directory and a namespace."""
    made = Model(shared_daemon, tmp_path)
    for name, value in made.variables.items():
        monkeypatch.setenv(name, value)
    import_first_from(monkeypatch, made.packages)
    yield made
    forget_everything()


def _call(
    address: str, method: str, *args: Any, client: Settings | None = None, **kwargs: Any
) -> Any:
    with CacheClient(address, **(client or {})) as made:
        return getattr(made, method)(*args, **kwargs)


def _call_async(
    address: str, method: str, *args: Any, client: Settings | None = None, **kwargs: Any
) -> Any:
    async def run() -> Any:
        async with AsyncCacheClient(address, **(client or {})) as made:
            return await getattr(made, method)(*args, **kwargs)

    return asyncio.run(run())


@pytest.fixture(params=[_call, _call_async], ids=["sync", "asyncio"])
def call(request: pytest.FixtureRequest) -> Call:
    """Call `method` of a client of the daemon at an address; `client` holds its settings."""
    found: Call = request.param
    return found


class Hangs:
    """An RPC that answers only once its caller has left, and tells of both.

    `tell` is called first, with the call's context.
    """

    def __init__(self, answer: Any, tell: Callable[[grpc.ServicerContext], object] = id) -> None:
        self.answer = answer
        self.tell = tell
        self.called = threading.Event()
        self.left = threading.Event()

    def __call__(self, request: object, context: grpc.ServicerContext) -> Any:
        context.add_callback(self.left.set)
        self.tell(context)
        self.called.set()
        self.left.wait(LONG_ENOUGH_SECONDS)
        return self.answer


def abort_richly(
    context: grpc.ServicerContext, code: grpc.StatusCode, reason: str, message: str, **fields: str
) -> None:
    """End a call as the daemon does, with a violation for each of `fields`."""
    status = Status(code=code.value[0], message=message)
    _add_detail(status, ErrorInfo(reason=reason, domain="compilecache"))
    if fields:
        violations = [
            BadRequest.FieldViolation(field=field, description=description)
            for field, description in fields.items()
        ]
        _add_detail(status, BadRequest(field_violations=violations))
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, message)


def _add_detail(status: Status, message: ErrorInfo | BadRequest) -> None:
    detail = AnyMessage()
    detail.Pack(message)
    status.details.append(detail)
