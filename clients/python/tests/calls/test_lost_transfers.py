"""What becomes of a background call whose transfer is not heard of."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

import compilecache
from compilecache import (
    AsyncTransferStatus,
)
from compilecache._calls import daemon_transfer
from compilecache.v1 import cache_service_pb2 as pb
from compilecache.v1 import transfer_pb2
from conftest import abort_richly
from daemon import Daemon
from directories import fill, temporary_directory, write_unfinished
from model import progress_of
from patience import LONG_ENOUGH_SECONDS, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Serve
    from model import Model


pytestmark = pytest.mark.daemon


class _Transfers:
    """A daemon that says what it is told to of one transfer."""

    operation_id = "00000000-0000-4000-8000-00000000000a"

    def __init__(self, *statuses: transfer_pb2.TransferStatus.ValueType) -> None:
        self.statuses = list(statuses)
        self.watches = 0
        self.goes_on = threading.Event()

    def load(self, request: object, context: grpc.ServicerContext) -> pb.LoadResponse:
        return pb.LoadResponse(transfer=self._state(transfer_pb2.TRANSFER_STATUS_IN_PROGRESS))

    def watch(
        self, request: object, context: grpc.ServicerContext
    ) -> Iterator[pb.WatchTransferResponse]:
        self.watches += 1
        for status in self.statuses:
            yield pb.WatchTransferResponse(transfer=self._state(status))
        self.goes_on.wait(LONG_ENOUGH_SECONDS)
        yield pb.WatchTransferResponse(transfer=self._state(transfer_pb2.TRANSFER_STATUS_SUCCESS))

    def _state(self, status: transfer_pb2.TransferStatus.ValueType) -> transfer_pb2.Transfer:
        return transfer_pb2.Transfer(
            operation_id=self.operation_id,
            operation_name="load a/b",
            kind=transfer_pb2.TRANSFER_KIND_LOAD,
            status=status,
            bytes_total=7,
        )


def test_what_waits_is_active_and_a_time_out_leaves_it(model: Model, serve: Serve) -> None:
    transfers = _Transfers(transfer_pb2.TRANSFER_STATUS_NOT_STARTED)
    address = serve(Load=transfers.load, WatchTransfer=transfers.watch)
    operation_id = compilecache.load_compile_cache_async(address=address)
    wait_until(
        lambda: progress_of(operation_id).daemon_operation_id == transfers.operation_id,
        "the daemon's id",
    )
    assert compilecache.get_transfer_status(transfers.operation_id) is progress_of(operation_id)
    assert not compilecache.wait_for_completion(operation_id, timeout=0.3)
    assert not compilecache.is_transfer_complete(operation_id)
    active = compilecache.list_active_transfers()
    assert active == {operation_id: progress_of(operation_id)}
    wait_until(lambda: active[operation_id].operation_name == "load a/b", "the daemon's word")
    # The daemon lets several requests share one transfer; each has its id and its callback.
    told = threading.Event()
    again = compilecache.load_compile_cache_async(lambda _: told.set(), address=address)
    assert again != operation_id
    transfers.goes_on.set()
    assert compilecache.wait_for_completion(operation_id, LONG_ENOUGH_SECONDS)
    assert compilecache.wait_for_completion(again, LONG_ENOUGH_SECONDS)
    assert told.is_set()
    assert compilecache.list_active_transfers() == {}
    assert model.stored() == []


@pytest.mark.usefixtures("model")
def test_a_silent_watch_is_made_anew(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    # In which a process can start on a busy machine.
    monkeypatch.setattr(daemon_transfer, "_longest_silence_seconds", 8.0)
    transfers = _Transfers(transfer_pb2.TRANSFER_STATUS_IN_PROGRESS)
    address = serve(Load=transfers.load, WatchTransfer=transfers.watch)
    operation_id = compilecache.load_compile_cache_async(address=address)
    wait_until(lambda: transfers.watches >= 2, "a second watch")
    transfers.goes_on.set()
    assert compilecache.wait_for_completion(operation_id, LONG_ENOUGH_SECONDS)
    assert progress_of(operation_id).status == AsyncTransferStatus.SUCCESS


@pytest.mark.usefixtures("model")
def test_a_transfer_that_is_lost_ends(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(daemon_transfer, "_longest_absence_seconds", 0.5)
    transfers = _Transfers()

    def fail(request: object, context: grpc.ServicerContext) -> None:
        abort_richly(context, grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", "not now")

    address = serve(Load=transfers.load, WatchTransfer=fail)
    operation_id = compilecache.load_compile_cache_async(address=address)
    assert compilecache.wait_for_completion(operation_id, LONG_ENOUGH_SECONDS)
    assert progress_of(operation_id).status == AsyncTransferStatus.ERROR
    assert "load a/b is lost" in caplog.text


@pytest.fixture
def own_daemon() -> Iterator[Daemon]:
    """A daemon that a test may kill."""
    with temporary_directory() as directory, Daemon(Path(directory)) as made:
        yield made


@pytest.mark.usefixtures("model")
def test_a_daemon_that_is_killed_and_started_anew_has_lost_it(own_daemon: Daemon) -> None:
    directory = own_daemon.local / "cache"
    directory.mkdir()
    fill(directory)
    write_unfinished(directory)
    saving = compilecache.save_compile_cache_async(address=own_daemon.address, local_dir=directory)
    wait_until(lambda: progress_of(saving).daemon_operation_id, "the daemon's id")
    assert not compilecache.is_transfer_complete(saving)
    own_daemon.process.kill()
    own_daemon.process.wait()
    own_daemon.start_anew()
    assert compilecache.wait_for_completion(saving, LONG_ENOUGH_SECONDS)
    assert progress_of(saving).status == AsyncTransferStatus.ERROR
    assert "TRANSFER_NOT_FOUND" in (progress_of(saving).error_message or "")
