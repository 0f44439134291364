"""Calls that a model makes without gRPC and without another process."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

import compilecache
from compilecache import CacheServiceError, Environment, LoadStatus, SaveStatus
from compilecache._caller import call as daemon_call
from compilecache._caller.call import DaemonCall, ask
from compilecache._caller.connect_call import ConnectCall
from compilecache._caller.process import CallerProcess
from compilecache.v1 import cache_service_pb2 as pb
from compilecache.v1 import transfer_pb2
from directories import facts_of, temporary_directory, write_unfinished
from model import progress_of
from patience import LONG_ENOUGH_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Serve
    from model import Model

_environment = Environment("2.11.0", extra={"py": "3.11"})


@pytest.fixture
def _no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon_call, "CallerProcess", None)


@pytest.mark.daemon
@pytest.mark.usefixtures("_no_process")
def test_no_process_is_started_beside_a_daemon(model: Model) -> None:
    model.compile(3)
    before = facts_of(model.local)
    assert compilecache.save_compile_cache() == SaveStatus.SUCCESS
    assert compilecache.clear_local_cache()
    assert compilecache.load_compile_cache() == LoadStatus.SUCCESS
    assert facts_of(model.local) == before
    assert compilecache.load_compile_cache() == LoadStatus.SKIPPED
    assert compilecache.get_cache_info()["b10fs_cache_exists"]
    assert compilecache.list_available_caches(namespace=model.namespace)["total_caches"] == 1
    saving = compilecache.save_compile_cache_async(if_stored_exists="replace")
    assert compilecache.wait_for_completion(saving, LONG_ENOUGH_SECONDS)
    assert progress_of(saving).outcome == SaveStatus.SUCCESS
    copying = compilecache.start_transfer_async("/nowhere/a", "/nowhere/b")
    assert compilecache.wait_for_completion(copying, LONG_ENOUGH_SECONDS)
    assert "PATH_NOT_ALLOWED" in (progress_of(copying).error_message or "")


@pytest.mark.daemon
def test_a_model_does_not_import_grpc(model: Model) -> None:
    model.compile(1)
    script = """
        import sys
        import compilecache
        print(compilecache.save_compile_cache().name, compilecache.load_compile_cache().name)
        print(sorted({"grpc", "google.protobuf", "http.client"} & set(sys.modules)))
    """
    assert model.run(script).split("\n")[:2] == ["SUCCESS SKIPPED", "[]"]


@pytest.mark.daemon
def test_both_ways_tell_the_same(model: Model) -> None:
    model.compile(2)
    (model.local / "link").symlink_to("nowhere")
    for environment in (_environment, Environment("2.10.0")):
        compilecache.save_compile_cache(environment=environment)
    compilecache.clear_local_cache()
    missing = Environment("2.12.0", extra={"py": "3.9"})
    arguments: dict[str, Any] = {
        "namespace": model.namespace,
        "local_dir": str(model.local),
        "detach": False,
    }
    for operation, named, environment in (
        ("list_caches", {"namespace": model.namespace}, _environment),
        ("get_cache_info", {k: arguments[k] for k in ("namespace", "local_dir")}, _environment),
    ):
        both = [
            list(_answers(make(operation, named, model.daemon.address, environment)))
            for make in (_in_this_process, CallerProcess)
        ]
        assert both[0] == both[1] != []
    for operation, environment in (
        ("load", missing),
        ("load", _environment),
        ("save", _environment),
    ):
        with _in_this_process(operation, arguments, model.daemon.address, environment) as call:
            (told,) = _answers(call)
        watch = {"operation_id": told["operation_id"]}
        both = [
            list(_answers(make("watch", watch, model.daemon.address, environment)))
            for make in (_in_this_process, CallerProcess)
        ]
        assert both[0] == both[1] == [told]


def _in_this_process(
    operation: str, arguments: dict[str, Any], address: str, environment: Environment
) -> DaemonCall:
    return DaemonCall(operation, arguments, address, environment)


def _answers(call: DaemonCall | CallerProcess | ConnectCall) -> Iterator[dict[str, Any]]:
    try:
        while True:
            answer = call.next_answer(LONG_ENOUGH_SECONDS)
            if answer is None:
                return
            yield answer
    finally:
        call.stop()


@pytest.mark.daemon
def test_progress_is_told_while_a_save_is_waited_for(model: Model) -> None:
    model.compile(3)
    # A save looks twice at it.
    write_unfinished(model.local)
    request = {"namespace": model.namespace, "local_dir": str(model.local), "detach": False}
    call = DaemonCall("save", request, model.daemon.address, _environment, watch=True)
    told = list(_answers(call))
    assert len(told) >= 2
    assert told[0]["status"] in ("NOT_STARTED", "IN_PROGRESS")
    assert told[-1]["outcome"] == "SUCCESS"
    assert len({state["operation_id"] for state in told}) == 1


def test_a_daemon_that_is_too_old_is_called_by_a_process(serve: Serve) -> None:
    seen: list[str] = []

    def cancel(request: pb.CancelTransferRequest, context: object) -> pb.CancelTransferResponse:
        seen.append(request.operation_id)
        return pb.CancelTransferResponse(transfer=transfer_pb2.Transfer(operation_id="x"))

    address = serve(CancelTransfer=cancel)
    for name in ("a", "b"):
        (answer,) = ask("cancel_transfer", {"operation_id": name}, address, LONG_ENOUGH_SECONDS)
        assert answer["operation_id"] == "x"
    assert seen == ["a", "b"]


class _Scripted:
    """A server that answers each connection with bytes of the test's."""

    def __init__(self, path: str, *pieces: bytes, ends: bool = True) -> None:
        self.requests: list[bytes] = []
        self.left = threading.Event()
        self._pieces, self._ends = pieces, ends
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(path)
        self._socket.listen()
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection:
                    self.requests.append(connection.recv(65536))
                    for piece in self._pieces:
                        connection.sendall(piece)
                    if not self._ends:
                        while connection.recv(65536):
                            pass
                        self.left.set()


@pytest.fixture
def socket_path() -> Iterator[str]:
    with temporary_directory() as directory:
        yield f"{directory}/s.sock"


def _cancel(path: str, seconds: float = LONG_ENOUGH_SECONDS) -> list[dict[str, Any]]:
    call = ConnectCall("cancel_transfer", {"operation_id": "x"}, path, None, watch=False)
    try:
        answer = call.next_answer(seconds)
        return [answer] if answer else []
    finally:
        call.stop()


_body = b'{"transfer":{"operationId":"x","startedAt":"2026-01-02T03:04:05.250Z","bytesDone":"7"}}'


def test_an_answer_may_come_in_any_pieces(socket_path: str) -> None:
    head = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\n"
    chunks = b"".join(b"%x;x=y\r\n%c\r\n" % (1, byte) for byte in _body) + b"0\r\n\r\n"
    answer = head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks
    server = _Scripted(socket_path, *(bytes([byte]) for byte in answer))
    (told,) = _cancel(socket_path)
    assert (told["operation_id"], told["bytes_done"]) == ("x", 7)
    assert told["started_at"] == 1767323045.25
    assert server.requests[0].startswith(b"POST /compilecache.v1.CacheService/CancelTransfer ")
    server.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000,
        b"HTTP/1.1\r\n\r\n",
    ],
)
def test_an_answer_that_is_none_is_an_error(socket_path: str, answer: bytes) -> None:
    server = _Scripted(socket_path, answer)
    with pytest.raises(CacheServiceError) as caught:
        _cancel(socket_path)
    assert caught.value.code == "INTERNAL"
    server.close()


def test_an_answer_that_breaks_off_is_an_error(socket_path: str) -> None:
    server = _Scripted(socket_path, b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{")
    with pytest.raises(CacheServiceError) as caught:
        _cancel(socket_path)
    assert caught.value.code == "UNAVAILABLE"
    server.close()


def test_a_deadline_and_a_kill_end_a_call(socket_path: str) -> None:
    server = _Scripted(socket_path, ends=False)
    with pytest.raises(CacheServiceError) as caught:
        _cancel(socket_path, 0.05)
    assert caught.value.code == "DEADLINE_EXCEEDED"
    assert server.left.wait(LONG_ENOUGH_SECONDS)

    call = DaemonCall("cancel_transfer", {"operation_id": "x"}, f"unix:{socket_path}")
    failures: list[CacheServiceError] = []

    def wait() -> None:
        try:
            call.next_answer(LONG_ENOUGH_SECONDS)
        except CacheServiceError as error:
            failures.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    call.kill()
    waiting.join(LONG_ENOUGH_SECONDS)
    assert [failure.code for failure in failures] == ["UNAVAILABLE"]
    call.stop()
    server.close()


def test_what_cannot_be_reached_is_said() -> None:
    for address in ("unix:/nowhere/daemon.sock", f"unix:/{'x' * 200}"):
        with pytest.raises(CacheServiceError) as caught:
            ask("cancel_transfer", {"operation_id": "x"}, address, 1)
        assert caught.value.code == "UNAVAILABLE"
        assert f"no daemon answers at {address}" in caught.value.message
