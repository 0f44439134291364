"""Loads and saves that are waited for: what is heard of their transfers meanwhile."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Callable

import grpc
import pytest

from compilecache import AsyncCacheClient, CacheClient, CacheServiceError, Environment
from compilecache._caller.process import CallerProcess
from compilecache.v1 import cache_service_pb2 as pb
from compilecache.v1 import transfer_pb2
from conftest import Hangs, abort_richly
from directories import temporary_directory
from patience import LONG_ENOUGH_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Call, Serve

_environment = Environment("2.11.0")


def _transfer(namespace: str, **fields: Any) -> transfer_pb2.Transfer:
    return transfer_pb2.Transfer(
        operation_id=f"operation-{namespace}",
        kind=transfer_pb2.TRANSFER_KIND_LOAD,
        namespace=namespace,
        cache_key=_environment.cache_key(),
        **fields,
    )


def _name(transfer: transfer_pb2.Transfer, context: grpc.ServicerContext) -> None:
    context.send_initial_metadata((("compilecache-operation-id", transfer.operation_id),))


class _Loads:
    """Loads that end once `watchers` callers have heard of their progress."""

    def __init__(self, watchers: int, *, names_transfers: bool = True) -> None:
        self._names_transfers = names_transfers
        self.heard = threading.Semaphore(0)
        self._watchers = watchers
        self._namespaces: list[str] = []
        self.watch_ended = threading.Event()
        self._lock = threading.Lock()

    def load(self, request: pb.LoadRequest, context: grpc.ServicerContext) -> pb.LoadResponse:
        self._namespaces.append(request.namespace)
        transfer = _transfer(request.namespace, status=transfer_pb2.TRANSFER_STATUS_SUCCESS)
        if self._names_transfers:
            _name(transfer, context)
        with self._lock:
            for _ in range(self._watchers):
                assert self.heard.acquire(timeout=LONG_ENOUGH_SECONDS)
            self._watchers = 0
        return pb.LoadResponse(status=transfer_pb2.LOAD_STATUS_SUCCESS, transfer=transfer)

    def watch(
        self, request: pb.WatchTransferRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.WatchTransferResponse]:
        # A call that is cancelled between two answers does not come back to this function.
        ended = threading.Event()
        context.add_callback(ended.set)
        context.add_callback(self.watch_ended.set)
        namespace = request.operation_id.partition("-")[2]
        for bytes_done in (1, 2):
            in_progress = transfer_pb2.TRANSFER_STATUS_IN_PROGRESS
            transfer = _transfer(namespace, status=in_progress, bytes_done=bytes_done)
            yield pb.WatchTransferResponse(transfer=transfer)
        # The transfer goes on, as it does for others.
        assert ended.wait(LONG_ENOUGH_SECONDS)

    def list(
        self, request: pb.ListTransfersRequest, context: grpc.ServicerContext
    ) -> pb.ListTransfersResponse:
        return pb.ListTransfersResponse(transfers=map(_transfer, self._namespaces))

    def serve(self, serve: Serve) -> str:
        return serve(Load=self.load, WatchTransfer=self.watch, ListTransfers=self.list)


def _answers(
    address: str, namespace: str, local_dir: Path, heard: threading.Semaphore | None = None
) -> list[dict[str, Any]]:
    """What a load says that is waited for and watched; releases `heard` after the second."""
    arguments = {"namespace": namespace, "local_dir": str(local_dir), "detach": False}
    found: list[dict[str, Any]] = []
    with CallerProcess("load", arguments, address, _environment, watch=True) as call:
        while True:
            answer = call.next_answer(LONG_ENOUGH_SECONDS)
            if answer is None:
                return found
            found.append(answer)
            if heard and len(found) == 2:
                heard.release()


def test_each_of_two_loads_with_the_same_key_shows_its_own_progress(
    serve: Serve, tmp_path: Path
) -> None:
    served = _Loads(watchers=2)
    address = served.serve(serve)
    with ThreadPoolExecutor() as threads:
        loads = {
            namespace: threads.submit(
                _answers, address, namespace, tmp_path / namespace, served.heard
            )
            for namespace in ("llama", "qwen")
        }
        for namespace, load in loads.items():
            answers = load.result()
            assert {answer["namespace"] for answer in answers} == {namespace}
            assert [answer["bytes_done"] for answer in answers] == [1, 2, 0]
            assert answers[-1]["status"] == "SUCCESS"


def test_the_watch_ends_with_the_call_that_it_is_for(serve: Serve, tmp_path: Path) -> None:
    loads = _Loads(watchers=1)
    answers = _answers(loads.serve(serve), "llama", tmp_path, loads.heard)
    assert answers[-1]["status"] == "SUCCESS"
    assert loads.watch_ended.wait(LONG_ENOUGH_SECONDS)


def test_a_daemon_that_does_not_name_the_transfer_is_good_enough(
    serve: Serve, tmp_path: Path
) -> None:
    loads = _Loads(watchers=0, names_transfers=False)
    (answer,) = _answers(loads.serve(serve), "llama", tmp_path)
    assert answer["status"] == "SUCCESS"


def test_a_call_that_is_refused_is_not_watched(serve: Serve, tmp_path: Path) -> None:
    def refuse(request: object, context: grpc.ServicerContext) -> None:
        abort_richly(context, grpc.StatusCode.PERMISSION_DENIED, "PATH_NOT_ALLOWED", "not there")

    with pytest.raises(CacheServiceError) as caught:
        _answers(serve(Load=refuse), "llama", tmp_path)
    assert caught.value.reason == "PATH_NOT_ALLOWED"


@pytest.mark.parametrize("operation", ["load", "save"])
def test_a_caller_learns_the_operation_id_before_the_answer(
    call: Call, serve: Serve, tmp_path: Path, operation: str
) -> None:
    told: list[str] = []
    heard = threading.Event()

    def note(operation_id: str) -> None:
        told.append(operation_id)
        heard.set()

    def wait(request: Any, context: grpc.ServicerContext) -> Any:
        _name(_transfer("llama"), context)
        assert heard.wait(LONG_ENOUGH_SECONDS)
        return pb.LoadResponse() if operation == "load" else pb.SaveResponse()

    address = serve(Load=wait, Save=wait)
    call(address, operation, _environment, local_dir=tmp_path, on_start=note)
    assert told == ["operation-llama"]


def _name_the_transfer(context: grpc.ServicerContext) -> None:
    _name(_transfer("llama"), context)


def test_a_call_that_runs_out_of_time_ends_though_its_transfer_is_named(
    call: Call, serve: Serve, tmp_path: Path
) -> None:
    hanging = Hangs(pb.LoadResponse(), _name_the_transfer)
    with pytest.raises(CacheServiceError) as caught:
        call(serve(Load=hanging), "load", _environment, local_dir=tmp_path, timeout_seconds=2)
    assert caught.value.code == "DEADLINE_EXCEEDED"


def test_a_callback_that_fails_ends_the_call(serve: Serve, tmp_path: Path) -> None:
    hanging = Hangs(pb.LoadResponse(), _name_the_transfer)

    def fail(operation_id: str) -> None:
        raise RuntimeError(operation_id)

    with CacheClient(serve(Load=hanging)) as client:
        with pytest.raises(RuntimeError, match="operation-llama"):
            client.load(_environment, local_dir=tmp_path, on_start=fail)
        assert hanging.left.wait(LONG_ENOUGH_SECONDS)


@pytest.mark.parametrize("tell", [id, _name_the_transfer], ids=["unnamed", "named"])
def test_cancelling_the_task_that_awaits_a_load_ends_it(
    serve: Serve, tmp_path: Path, tell: Callable[[grpc.ServicerContext], object]
) -> None:
    hanging = Hangs(pb.LoadResponse(), tell)

    async def run() -> None:
        async with AsyncCacheClient(serve(Load=hanging)) as client:
            loading = asyncio.create_task(client.load(_environment, local_dir=tmp_path))
            assert await asyncio.to_thread(hanging.called.wait, LONG_ENOUGH_SECONDS)
            loading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await loading
            assert await asyncio.to_thread(hanging.left.wait, LONG_ENOUGH_SECONDS)

    asyncio.run(run())


def test_a_call_that_ends_well_without_an_answer_is_an_error(tmp_path: Path) -> None:
    """As a broken proxy may end it."""

    def answer_nothing(_request: Any, _context: Any) -> Iterator[bytes]:
        return iter(())

    class _Handler(grpc.GenericRpcHandler):
        def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
            del handler_call_details
            make: Any = grpc.unary_stream_rpc_method_handler
            return make(answer_nothing)

    with ThreadPoolExecutor() as threads, temporary_directory() as directory:
        server = grpc.server(threads, handlers=[_Handler()])
        address = f"unix:{directory}/proxy.sock"
        server.add_insecure_port(address)
        server.start()

        async def load() -> None:
            async with AsyncCacheClient(address) as client:
                await client.load(_environment, local_dir=tmp_path)

        with pytest.raises(CacheServiceError) as raised_to_awaiting:
            asyncio.run(load())
        with CacheClient(address) as client, pytest.raises(CacheServiceError) as raised:
            client.load(_environment, local_dir=tmp_path)
        server.stop(None).wait()
    for error in (raised.value, raised_to_awaiting.value):
        assert error.code == "INTERNAL"
        assert "without an answer" in str(error)
